"""How right words are: recordings with what is said in them, what counts as the same word, errors as counts that add.

One implementation, for the instruments and for what a server is told by its users. Knows no recogniser.
"""
