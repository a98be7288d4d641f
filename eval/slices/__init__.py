"""`python -m eval slices`: where the errors of a run are, by what the audio is and what the words are."""
