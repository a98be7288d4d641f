"""What both ends agree on beyond the proto: how an accepted stream is told from a refused one, and how large a message may be."""

ACCEPTED_METADATA = ("asr-stream", "accepted")
"""Initial metadata a server sends as soon as a stream has its place, before any result.

A refusal carries no initial metadata of its own, so a client that has seen this knows that its audio will be heard, and one that is refused
still has all of its audio.
"""

MAX_MESSAGE_BYTES = 64 << 20
"""gRPC's own default of 4 MiB is less than one minute of stereo audio in a unary call."""
