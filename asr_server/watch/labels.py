"""What a call's segments are told apart by: the client app, and what it sends. A handful of texts, never a user."""

from collections.abc import Callable, Mapping
from typing import Final

from asr_server.watch import attributes as names
from asr_server.watch.observer import Attributes, NullCallObserver, SegmentRecord

CLIENT: Final = "x-asr-client"
"""Metadata in which a client app may say its name."""
LABEL_CHARS = 64
"""Of a text that comes from outside so much is kept."""

_DESCRIBED = {names.ENCODING: "encoding", names.LANGUAGE: "language", names.SAMPLE_RATE_HZ: "rate_hz"}


class LabelledSegments(NullCallObserver):
    """Hands on the segments of one call, each with the call's labels."""

    def __init__(self, told: Callable[[SegmentRecord, Mapping[str, str]], None], metadata: Mapping[str, str]) -> None:
        self._told = told
        self._labels = labels_of(metadata)

    def describe(self, attributes: Attributes) -> None:
        self._labels.update(labels_in(attributes))

    def segment(self, record: SegmentRecord) -> None:
        self._told(record, self._labels)


def labels_of(metadata: Mapping[str, str]) -> dict[str, str]:
    """Known when a call begins."""
    client = metadata.get(CLIENT, "")
    return {"client": client[:LABEL_CHARS]} if client else {}


def labels_in(attributes: Attributes) -> dict[str, str]:
    """More of them, as the call is described."""
    return {label: str(attributes[name])[:LABEL_CHARS] for name, label in _DESCRIBED.items() if name in attributes}
