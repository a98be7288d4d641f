"""What users say of segments, from the wire to whoever takes it."""

from dataclasses import dataclass
from typing import Protocol

from asr_server.accuracy.wer import ErrorCounts
from asr_server.errors import InvalidRequest
from asr_server.pb import asr_pb2 as pb

MAX_ID_CHARS = 64
MAX_TRANSCRIPT_CHARS = 10_000
ACCEPTED_VERDICTS = ("ACCEPTED", "REJECTED", "REPEATED", "SWITCHED_TO_TYPING")
"""By the names of the wire."""


@dataclass(frozen=True, slots=True)
class Said:
    """Of one segment."""

    segment_id: str
    kind: str
    """"corrected", or a verdict of the wire in lower case."""
    corrected: str = ""
    shown: str = ""
    """What the user saw; "" where that was not told."""


class Feedback(Protocol):
    async def take(self, said: Said) -> ErrorCounts | None:
        """Returns once it is kept, with the errors of the text where the right one was told.

        Raises `Unknown` for a segment that nobody knows, `WrongOrder` where what the user saw is needed and was not told, and `NotKept`.
        """


def parse_feedback(request: pb.SubmitFeedbackRequest) -> Said:
    """Raises `InvalidRequest` with everything that is wrong."""
    wrong: list[tuple[str, str]] = []
    if not 0 < len(request.segment_id) <= MAX_ID_CHARS:
        wrong.append(("segment_id", f"has {len(request.segment_id)} characters, accepted: the segment_id of a final"))
    for name in ("corrected_transcript", "shown_transcript"):
        length = len(getattr(request, name))
        if length > MAX_TRANSCRIPT_CHARS:
            wrong.append((name, f"has {length} characters, accepted: up to {MAX_TRANSCRIPT_CHARS}"))
    kind = request.WhichOneof("feedback")
    verdict = ""
    if kind is None:
        wrong.append(("feedback", "is missing, accepted: corrected_transcript or verdict"))
    elif kind == "verdict":
        known = dict(pb.SubmitFeedbackRequest.Verdict.items())
        verdict = next((name for name in ACCEPTED_VERDICTS if known[name] == request.verdict), "")
        if not verdict:
            wrong.append(("verdict", f"{request.verdict} is not accepted: {', '.join(ACCEPTED_VERDICTS)}"))
    if wrong:
        raise InvalidRequest(*wrong)
    return Said(request.segment_id, verdict.lower() or "corrected", request.corrected_transcript, request.shown_transcript)
