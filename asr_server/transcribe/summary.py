"""What a whole transcription came to. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from asr_server.api.results import Result, SystemView


@dataclass(frozen=True, slots=True)
class Summary:
    text: str
    """All finals, joined by spaces."""
    audio_s: float
    segments: int
    response_p50_ms: float | None
    """None when there was no final."""
    response_max_ms: float | None
    late: int
    system: SystemView | None
    """None when there was no final and the server could not be asked."""
    failed: str = ""
    """Why the stream ended early, when it did."""

    @property
    def words(self) -> int:
        return len(self.text.split())


def summarize(finals: Sequence[Result], audio_s: float, system: SystemView | None, failed: str = "") -> Summary:
    """`system` is for transcriptions without a final; others say it themselves."""
    ledgers = [final.ledger for final in finals if final.ledger is not None]
    responses_ms = [ledger.response_ms for ledger in ledgers]
    return Summary(
        text=" ".join(text for final in finals if (text := final.text.strip())),
        audio_s=audio_s,
        segments=len(finals),
        response_p50_ms=median(responses_ms) if responses_ms else None,
        response_max_ms=max(responses_ms, default=None),
        late=sum(ledger.late for ledger in ledgers),
        system=next((final.system for final in reversed(finals) if final.system is not None), system),
        failed=failed,
    )
