"""What became of golden clips: how many words were wrong the last time each was spoken, and before that.

The same audio every time, so what has changed is the server.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from asr_server.accuracy.wer import ErrorCounts, total
from asr_server.quantiles import nearest_rank
from asr_server.watch.journal.rows import ProbeRow, Row


class Probed(Protocol):
    """As `api.probing.Probed`."""

    @property
    def clip(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def weights_sha256(self) -> str: ...
    @property
    def data_definition(self) -> str: ...
    @property
    def code(self) -> str: ...
    @property
    def errors(self) -> ErrorCounts: ...
    @property
    def ttfs_ms(self) -> float | None: ...
    @property
    def late(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class _Last:
    errors: ErrorCounts
    ttfs_ms: float | None


class Probes:
    """May be read from any thread."""

    def __init__(
        self, put: Callable[[Row], None] = lambda _: None, before: Iterable[ProbeRow] = (), unix: Callable[[], float] = time.time
    ) -> None:
        """`put` keeps a row of each. `before`: rows of earlier days, in order; the last of each clip is what it is held against, so that a
        release that is worse is seen when it is started."""
        self._put = put
        self._unix = unix
        self._first = {row.clip: row.errors for row in before}
        self._last: dict[str, _Last] = {}

    def add(self, probed: Probed) -> None:
        self._first.setdefault(probed.clip, probed.errors)
        self._last[probed.clip] = _Last(probed.errors, probed.ttfs_ms)
        errors = probed.errors
        self._put(
            ProbeRow(
                at_s=self._unix(),
                clip=probed.clip,
                model=probed.model,
                words=errors.words,
                substitutions=errors.substitutions,
                deletions=errors.deletions,
                insertions=errors.insertions,
                ttfs_ms=probed.ttfs_ms,
                late=probed.late,
                weights_sha256=probed.weights_sha256,
                data_definition=probed.data_definition,
                code=probed.code,
            )
        )

    @property
    def wer(self) -> float | None:
        """Of every clip, the last time it was spoken. None before the first."""
        return total(one.errors for one in tuple(self._last.values())).rate

    @property
    def wer_change(self) -> float | None:
        """Of every clip that was spoken, the last time against what it is held against: 0.02 is two points more."""
        spoken = tuple(self._last)
        first = total(self._first[clip] for clip in spoken).rate
        last = self.wer
        return None if last is None or first is None else last - first

    @property
    def ttfs_s(self) -> float | None:
        """Median time to final text of the clips, the last time each was spoken."""
        times = sorted(one.ttfs_ms for one in tuple(self._last.values()) if one.ttfs_ms is not None)
        median_ms = nearest_rank(times, 0.5)
        return None if median_ms is None else median_ms / 1000
