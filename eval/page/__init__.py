"""`python -m eval report`: a run as one HTML page."""
