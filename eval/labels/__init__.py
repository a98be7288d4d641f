"""`python -m eval labels`: are the texts of a manifest written alike, and do text and audio belong together?"""
