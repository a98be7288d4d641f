"""Where a clip's time to final text goes, stage by stage: what two runs are held against each other by. Pure.

`ttfs` is the sum of `vad_stop`, `response` and `outside`; `response` is the sum of the slices. All are of the final that decides the clip's
TTFS, so a clip has one value of each.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from asr_server.budget import SLICE_NAMES
from bench.result import ClipTimes, FinalTimes


@dataclass(frozen=True, slots=True)
class Time:
    """Of one clip in one stage."""

    waited_ms: float
    """Silence that was waited for, and how wrong the server was about where speech ends: the same on any machine."""
    worked_ms: float
    """Longer on a machine that is slower at the moment."""

    @property
    def ms(self) -> float:
        return self.waited_ms + self.worked_ms

    def on_a_machine(self, times_as_slow: float) -> float:
        """What it would have been there, in ms."""
        return self.waited_ms + self.worked_ms * times_as_slow


def ttfs(clip: ClipTimes) -> Time | None:
    final = clip.deciding
    return None if final is None or clip.ttfs_ms is None else Time(clip.ttfs_ms - final.response_ms, final.response_ms)


def outside(clip: ClipTimes) -> Time | None:
    """What the ledger does not know of: the network, the client, and how wrong the server was about the end of speech.

    Mostly the last, which no machine makes longer or, where it is below 0, shorter.
    """
    final = clip.deciding
    return None if final is None or clip.ttfs_ms is None else Time(clip.ttfs_ms - final.endpoint_wait_ms - final.response_ms, 0.0)


def first_partial(clip: ClipTimes) -> Time | None:
    # Mostly the speech that must have been heard before there is a word to show.
    return None if clip.first_partial_ms is None else Time(clip.first_partial_ms, 0.0)


def _of_deciding(time_of: Callable[[FinalTimes], Time | None]) -> Callable[[ClipTimes], Time | None]:
    def time(clip: ClipTimes) -> Time | None:
        return None if clip.deciding is None else time_of(clip.deciding)

    return time


def _slice(name: str) -> Callable[[FinalTimes], Time | None]:
    return lambda final: Time(0.0, final.spent_ms[name]) if name in final.spent_ms else None


STAGES: Mapping[str, Callable[[ClipTimes], Time | None]] = {
    "ttfs": ttfs,
    "vad_stop": _of_deciding(lambda final: Time(final.endpoint_wait_ms, 0.0)),
    "response": _of_deciding(lambda final: Time(0.0, final.response_ms)),
    **{name: _of_deciding(_slice(name)) for name in SLICE_NAMES},
    "outside": outside,
    "first_partial": first_partial,
}
"""Each gives None where nothing was measured."""
PARTS = ("vad_stop", *SLICE_NAMES, "outside")
"""Those that add up to `ttfs`."""
