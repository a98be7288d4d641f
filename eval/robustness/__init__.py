"""`python -m eval robustness`: the same clips under worse conditions, with the data definition and without."""
