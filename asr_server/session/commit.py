"""Where to cut speech that does not pause: behind words that are sure to stand. Pure."""

from dataclasses import dataclass, replace

from asr_server.session.stability import StablePrefix
from asr_server.transcript import Alternative, Hypothesis

UNSURE_END_MS = 1_200
"""Words that end later than this before the end of the audio may still be heard otherwise."""
MIN_WORDS = 3
_CLOSING = (*".?!,;:", "\u3001", "\u3002", "\uff0c")


@dataclass(frozen=True, slots=True)
class SurePart:
    """What is told of speech that goes on."""

    told: Hypothesis
    """Of its words only."""
    cut_sample: int
    """Where the rest begins: in the middle of the gap behind the last word told."""


def sure_part(hypothesis: Hypothesis, end_sample: int, prefix: StablePrefix, rate_hz: int) -> SurePart | None:
    """Of the words heard in audio up to `end_sample` those that may be told for good. None: too few, or others than were shown as stable.

    Words already shown as stable go with them. The cut is where the text has punctuation, if it has any in the later half.
    """
    count = _sure_words(hypothesis, end_sample, prefix, rate_hz)
    if not count:
        return None
    last, following = hypothesis.words[count - 1 : count + 1]
    text = hypothesis.text[: _ends_in_text(hypothesis)[count - 1]]
    told = replace(hypothesis, alternatives=(Alternative(text, hypothesis.confidence),), words=hypothesis.words[:count])
    return SurePart(told, (last.end_sample + max(following.start_sample, last.end_sample)) // 2)


def _sure_words(hypothesis: Hypothesis, end_sample: int, prefix: StablePrefix, rate_hz: int) -> int:
    """How many of the words may be told for good; 0: too few, or others than were shown as stable."""
    words, latest = hypothesis.words, end_sample - UNSURE_END_MS * rate_hz // 1000
    ends = _ends_in_text(hypothesis)
    if len(ends) < len(words) or not hypothesis.text.startswith(prefix.text):
        return 0
    sure = sum(word.end_sample <= latest for word in words)
    shown = sum(end < len(prefix.text) for end in ends) + 1 if prefix.text else 0
    if max(sure, shown) < MIN_WORDS or max(sure, shown) >= len(words):
        return 0
    at_marks = [count for count in range(max(shown, sure // 2, MIN_WORDS), sure + 1) if words[count - 1].text.endswith(_CLOSING)]
    return at_marks[-1] if at_marks else max(sure, shown)


def _ends_in_text(hypothesis: Hypothesis) -> list[int]:
    """Where in the text each word ends; those that are not there, and what follows them, are left out."""
    ends: list[int] = []
    place = 0
    for word in hypothesis.words:
        start = hypothesis.text.find(word.text, place)
        if start < 0 or hypothesis.text[place:start].strip():
            break
        place = start + len(word.text)
        ends.append(place)
    return ends
