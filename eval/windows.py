"""A recording too long for one window of the recogniser, cut where nobody speaks."""

from collections.abc import Sequence
from itertools import pairwise

from audio_norm import Span, SpeechWindow


def cut(window: SpeechWindow, max_samples: int) -> list[SpeechWindow]:
    """Parts of at most `max_samples` that together are `window`.

    Each part ends in the middle of the longest pause in its second half; where there is none, in the longest pause of its first half; in
    speech without any pause, at `max_samples`.
    """
    if max_samples < 1:
        raise ValueError(f"max_samples is {max_samples}, must be at least 1")
    pauses = [Span(one.end_sample, two.start_sample) for one, two in pairwise(window.speech)]
    borders = [window.start_sample]
    while window.end_sample - borders[-1] > max_samples:
        borders.append(_next_border(pauses, borders[-1], max_samples))
    return [_part(window, first, last) for first, last in pairwise([*borders, window.end_sample])]


def _next_border(pauses: Sequence[Span], start: int, max_samples: int) -> int:
    half, whole = start + max_samples // 2, start + max_samples
    for earliest, latest in ((half, whole), (start, half)):
        inside = [pause for pause in pauses if earliest < _middle(pause) <= latest]
        if inside:
            return _middle(max(inside, key=len))
    return whole


def _middle(pause: Span) -> int:
    return (pause.start_sample + pause.end_sample) // 2


def _part(window: SpeechWindow, first: int, last: int) -> SpeechWindow:
    speech = [Span(max(span.start_sample, first), min(span.end_sample, last)) for span in window.speech if _touches(span, first, last)]
    samples = window.samples[first - window.start_sample : last - window.start_sample]
    return SpeechWindow(samples, first, tuple(speech), window.clipped_ratio)


def _touches(span: Span, first: int, last: int) -> bool:
    return span.start_sample < last and span.end_sample > first
