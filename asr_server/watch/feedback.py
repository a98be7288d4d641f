"""What users say of segments: counted against what was recognised, kept in the journal, and watched.

Texts of finals are remembered for a while, in memory only, so that the right text can be held against them. Neither is ever stored: only
how many words there were, and how many of them were wrong.
"""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, cast, get_args

from asr_server.accuracy.texts import text_errors
from asr_server.accuracy.wer import ErrorCounts
from asr_server.errors import Unknown, WrongOrder
from asr_server.watch import attributes as names
from asr_server.watch.concept import ConceptWatch, RateChange
from asr_server.watch.journal.rows import FeedbackKind, FeedbackRow, Row, SegmentRow
from asr_server.watch.labels import LabelledSegments
from asr_server.watch.observer import SegmentRecord

MAX_REMEMBERED = 10_000
REMEMBERED_S = 3_600.0


class Told(Protocol):
    """As `api.feedback.Said`."""

    @property
    def segment_id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def corrected(self) -> str: ...
    @property
    def shown(self) -> str: ...


@dataclass(frozen=True, slots=True)
class _Text:
    text: str
    language: str
    labels: Mapping[str, str]
    at_s: float


class FeedbackDesk:
    """An `Observer` that remembers texts, and takes what is said of them. Used on the event loop."""

    def __init__(
        self,
        keep: Callable[[Row], Awaitable[None]],
        find: Callable[[str], SegmentRow | None],
        *,
        changed: Callable[[str, RateChange], None] = lambda *_: None,
        now: Callable[[], float] = time.monotonic,
        unix: Callable[[], float] = time.time,
    ) -> None:
        """`keep` returns when a row is on the disk; `find` looks for a segment there, and may block.

        `changed` is told when an error rate has risen or come down: which, by the name of its feature, and how.
        """
        self._keep = keep
        self._find = find
        self._now = now
        self._unix = unix
        self._texts: OrderedDict[str, _Text] = OrderedDict()
        self._counts: Counter[tuple[str, ...]] = Counter({(kind,): 0 for kind in get_args(FeedbackKind) if kind != "second_opinion"})
        self._errors = ErrorCounts.zero()
        self._doubts = ErrorCounts.zero()
        self._answered: OrderedDict[tuple[str, FeedbackKind], None] = OrderedDict()
        self._changed = changed
        self.concept, self.doubts = ConceptWatch(), ConceptWatch()
        """Of texts that users corrected, and of second opinions."""

    @property
    def counts(self) -> Mapping[tuple[str, ...], float]:
        """How often what was said, by kind. May be called from any thread."""
        return self._counts.copy()

    @property
    def errors(self) -> ErrorCounts:
        """Of all texts that were corrected."""
        return self._errors

    @property
    def disagreement(self) -> ErrorCounts:
        """Of all second opinions."""
        return self._doubts

    def second_opinion(self, segment_id: str, errors: ErrorCounts, put: Callable[[Row], None]) -> None:
        """A segment was decoded once more, and `errors` is how its text differs. `put` keeps a row, if that can be done without waiting."""
        remembered = self._recall(segment_id)
        self._doubts += errors
        for change in self.doubts.push(errors, remembered.labels if remembered is not None else {}):
            self._changed("second_opinion", change)
        put(_row(segment_id, "second_opinion", self._unix(), errors))

    def call(self, method: str, metadata: Mapping[str, str], at_s: float) -> LabelledSegments:
        return LabelledSegments(self._remember, metadata)

    async def take(self, told: Told) -> ErrorCounts | None:
        """Returns once it is kept. Raises `Unknown`, `WrongOrder` and `NotKept`."""
        remembered = self._recall(told.segment_id)
        if remembered is None:
            row = await asyncio.to_thread(self._find, told.segment_id)
            if row is None:
                raise Unknown(f"segment_id {told.segment_id!r}: this server knows of no such segment")
            remembered = _Text(told.shown, row.language, {"client": row.client} if row.client else {}, 0.0)
            if told.kind == "corrected" and not told.shown:
                raise WrongOrder("shown_transcript: is needed, the server remembers no text of that segment any more")
        kind = cast(FeedbackKind, told.kind)
        errors: ErrorCounts | None = None
        if kind == "corrected":
            errors = await asyncio.to_thread(text_errors, told.corrected, remembered.text, remembered.language or "en")
        await self._keep(_row(told.segment_id, kind, self._unix(), errors or ErrorCounts.zero()))
        if not self._is_first(told.segment_id, kind):
            return errors  # the journal has the last word; sums have the first
        self._counts[(kind,)] += 1
        if errors is not None:
            self._errors += errors
            for change in self.concept.push(errors, remembered.labels):
                self._changed("word_errors", change)
        return errors

    def forget(self) -> None:
        """Texts that are older than they may be. To be called now and then: whoever comes later would let them go, but nobody may come."""
        oldest_s = self._now() - REMEMBERED_S
        while self._texts and next(iter(self._texts.values())).at_s < oldest_s:
            self._texts.popitem(last=False)

    def _is_first(self, segment_id: str, kind: FeedbackKind) -> bool:
        """Of its kind about the segment, as far as is remembered."""
        if (segment_id, kind) in self._answered:
            return False
        self._answered[segment_id, kind] = None
        if len(self._answered) > MAX_REMEMBERED:
            self._answered.popitem(last=False)
        return True

    def _remember(self, record: SegmentRecord, labels: Mapping[str, str]) -> None:
        if record.failed or not record.id:
            return
        self._texts[record.id] = _Text(record.text, str(record.attributes.get(names.LANGUAGE, "")), dict(labels), self._now())
        if len(self._texts) > MAX_REMEMBERED:
            self._texts.popitem(last=False)

    def _recall(self, segment_id: str) -> _Text | None:
        self.forget()
        return self._texts.get(segment_id)


def _row(segment_id: str, kind: FeedbackKind, at_s: float, errors: ErrorCounts) -> FeedbackRow:
    return FeedbackRow(segment_id, kind, at_s, errors.words, errors.substitutions, errors.deletions, errors.insertions)
