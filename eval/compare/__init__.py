"""`python -m eval compare`: is a candidate worse than what runs? The release gate."""
