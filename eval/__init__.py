"""How right the words are: error rates over manifests of recordings. Run as `python -m eval`; knows recognisers only from outside."""
