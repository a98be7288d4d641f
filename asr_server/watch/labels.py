"""What a call's segments are told apart by: the client app, and what it sends. A handful of texts, never a user."""

from collections.abc import Mapping
from typing import Final

from asr_server.watch import attributes as names
from asr_server.watch.observer import Attributes

CLIENT: Final = "x-asr-client"
"""Metadata in which a client app may say its name."""
LABEL_CHARS = 64
"""Of a text that comes from outside so much is kept."""

_DESCRIBED = {names.ENCODING: "encoding", names.LANGUAGE: "language", names.SAMPLE_RATE_HZ: "rate_hz"}


def labels_of(metadata: Mapping[str, str]) -> dict[str, str]:
    """Known when a call begins."""
    client = metadata.get(CLIENT, "")
    return {"client": client[:LABEL_CHARS]} if client else {}


def labels_in(attributes: Attributes) -> dict[str, str]:
    """More of them, as the call is described."""
    return {label: str(attributes[name])[:LABEL_CHARS] for name, label in _DESCRIBED.items() if name in attributes}
