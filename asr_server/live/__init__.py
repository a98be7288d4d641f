"""`asr-server watch` and `asr-server feedback`: what a person at a terminal asks a running server. Clients, as any other."""
