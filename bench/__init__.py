"""How fast the words come, measured from outside at the pace of speech. Run as `python -m bench`; README.md says what is timed."""
