"""A speech recognition server that keeps a latency budget."""
