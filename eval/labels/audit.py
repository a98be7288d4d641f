"""`python -m eval labels`: are the texts of a manifest written alike, and do text and audio belong together?

Labels that contradict each other teach and measure nothing; they are cheaper to repair than a model is.
"""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from asr_server.accuracy.manifest import Clip, ManifestError
from asr_server.accuracy.normalize import normalize
from asr_server.machine import usable_cores
from audio_norm import AudioError, DataDefinition
from eval.audio import read_frames
from eval.labels.audio import Listened, audio_checks, listen
from eval.labels.conventions import Guideline, Usage, same_text_written_differently, style_guide, usages
from eval.labels.findings import Check, Finding
from eval.labels.sounds import same_sounds
from eval.labels.suspects import Bounds, Suspect, check_same_rules, hesitations_left_out, suspects
from eval.labels.words import Writing, writings
from eval.result import RunResult


@dataclass(frozen=True, slots=True)
class Audit:
    """All that was found."""

    clips: int
    sets: tuple[str, ...]
    checks: tuple[Check, ...]
    conventions: tuple[Usage, ...]
    words: tuple[Writing, ...]
    style_guide: tuple[Guideline, ...]
    bounds: Bounds | None
    """None without hypotheses, or when none was heard."""
    suspects: tuple[Suspect, ...]


def audit(
    clips: Sequence[Clip],
    definition: DataDefinition,
    *,
    rates_hz: Mapping[str, int],
    run: RunResult | None = None,
    listened_to: Callable[[], None] = lambda: None,
) -> Audit:
    """`rates_hz`: sample rates the manifest declares, by id; `run`: what a recogniser heard; `listened_to` is called after each clip.

    Blocks for as long as the audio takes. Raises WrongCall when `run` does not belong to these clips or to our text rules.
    """
    bounds, found = None, list[Suspect]()
    if run is not None:
        check_same_rules(run)
        bounds, found = suspects(clips, run)
    listened, unreadable = _listen_all(clips, definition, listened_to)
    conventions = usages(clips)
    checks = (
        Check("audio cannot be read", "error", len(clips), tuple(unreadable)),
        *_same_audio(listened),
        *audio_checks(listened, definition, rates_hz),
        *_text_checks(clips, conventions),
        *([Check("hesitations heard, not written", "note", len(clips), tuple(hesitations_left_out(clips, run)))] if run else []),
    )
    return Audit(
        clips=len(clips),
        sets=tuple(dict.fromkeys(clip.set for clip in clips)),
        checks=checks,
        conventions=tuple(usage for usage in conventions if not usage.convention.unwanted),
        words=tuple(writings(clips)),
        style_guide=tuple(style_guide(conventions)),
        bounds=bounds,
        suspects=tuple(found),
    )


def _listen_all(clips: Sequence[Clip], definition: DataDefinition, listened_to: Callable[[], None]) -> tuple[list[Listened], list[Finding]]:
    def one(clip: Clip) -> Listened | Finding:
        try:
            return listen(clip, definition)
        except (ManifestError, AudioError) as error:
            return Finding((clip.id,), str(error))

    listened: list[Listened] = []
    unreadable: list[Finding] = []
    with ThreadPoolExecutor(usable_cores()) as pool:
        for result in pool.map(one, clips):
            if isinstance(result, Finding):
                unreadable.append(result)
            else:
                listened.append(result)
            listened_to()
    return listened, unreadable


def _same_audio(listened: Sequence[Listened]) -> list[Check]:
    different: list[Finding] = []
    twice: list[Finding] = []
    for same in same_sounds([one.sound for one in listened], lambda place: read_frames(listened[place].clip)):
        clips = [listened[place].clip for place in same.places]
        texts = tuple(dict.fromkeys(clip.text for clip in clips))
        contradict = len({normalize(clip.text, clip.language) for clip in clips}) > 1
        finding = Finding(tuple(clip.id for clip in clips), f"the same {same.likeness}: {' / '.join(texts)}")
        (different if contradict else twice).append(finding)
    return [
        Check("same audio, different text", "error", len(listened), tuple(different)),
        Check("same audio twice", "warning", len(listened), tuple(twice)),
    ]


def _text_checks(clips: Sequence[Clip], conventions: Sequence[Usage]) -> list[Check]:
    rewritten = same_text_written_differently(clips)
    unwanted = [
        Finding((clip,), f"{usage.convention.name} in {name}")
        for usage in conventions
        if usage.convention.unwanted
        for name, ids in usage.clips.items()
        for clip in ids
    ]
    words = [Finding(one.clips, " / ".join(one.texts)) for one in rewritten if one.words_differ]
    marks = [Finding(one.clips, " / ".join(one.texts)) for one in rewritten if not one.words_differ]
    return [
        Check("same text, other words", "warning", len(clips), tuple(words)),
        Check("same text, other case or marks", "note", len(clips), tuple(marks)),
        Check("annotations in the text", "warning", len(clips), tuple(unwanted)),
        Check("text not in Unicode NFC", "warning", len(clips), tuple(_each(clips, _not_composed))),
        Check("odd whitespace", "warning", len(clips), tuple(_each(clips, _odd_whitespace))),
    ]


def _each(clips: Sequence[Clip], ask: Callable[[str], str | None]) -> list[Finding]:
    return [Finding((clip.id,), answer) for clip in clips if (answer := ask(clip.text)) is not None]


def _not_composed(text: str) -> str | None:
    odd = [character for character in text if unicodedata.combining(character)]
    return None if unicodedata.is_normalized("NFC", text) else f"letters and marks apart: {len(odd)} marks in {text}"


def _odd_whitespace(text: str) -> str | None:
    """Anything but single spaces between words."""
    if text != text.strip():
        return "space at an end"
    if "  " in text:
        return "several spaces in a row"
    odd = [character for character in text if character != " " and (character.isspace() or unicodedata.category(character) in {"Cc", "Cf"})]
    return f"invisible characters: {', '.join(sorted({f'U+{ord(character):04X}' for character in odd}))}" if odd else None
