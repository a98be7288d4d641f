"""Which voice activity detector, with which gate: the measurement behind the choice in the data definition.

Run as `python -m eval.vad --manifest M.jsonl --noise N.jsonl`; `audio_norm/README.md` shows the result and says what was chosen.

Truth are the word times of the manifest. Words closer than 500 ms (a usual VAD stop) form one stretch of speech. For each stretch:

- start error: the gate's start of speech minus the start of its first word;
- end error: the end of the gate's last speech before the next stretch begins (or up to 1 s of digital silence after the clip), minus the
  end of the last word. This is what an endpointer counts from: above 0 the answer comes later, below 0 a word may be cut.

A pause the gate does not see (it holds the speech on both sides for one) is counted as bridged and has no errors. A word is lost when its
middle is neither in speech nor in the silence the definition keeps around it.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np

from asr_server.accuracy.manifest import Clip, ManifestError, TimedWord, read_manifest
from asr_server.errors import WrongCall
from audio_norm import (
    AudioError,
    DataDefinition,
    GateRule,
    Samples,
    SileroVad,
    Span,
    Vad,
    WebRtcVad,
    decode_file,
    from_int16,
    load_definition,
    speech_spans,
    to_int16,
)
from eval.console import check_writable, write_text

RATE_HZ = 16_000
STRETCH_GAP_S = 0.5
TAIL_S = 1.0
SPEECH_IN_NOISE = ("mssnsd_Babble_4", "mssnsd_Neighbor_6", "mssnsd_AirportAnnouncements_2")
"""Recordings of the noise collection with speech in them: finding it is not an error."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Words without a pause between them, by the reference."""

    start_s: float
    end_s: float
    next_start_s: float
    """When the speech after it begins, or the end of the audio."""


@dataclass(frozen=True, slots=True)
class Errors:
    """Milliseconds; positive is late."""

    start_ms: tuple[float, ...]
    end_ms: tuple[float, ...]
    bridged: int
    missed: int
    """Stretches without any speech found in them."""
    words: int
    words_lost: int


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Milliseconds."""

    p5: float
    median: float
    p95: float


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a detector with a gate."""

    name: str
    start_ms: Percentiles | None
    end_ms: Percentiles | None
    stretches: int
    bridged: int
    missed: int
    words_lost: int
    words: int
    clips_missed: int
    """Clips of the speech manifests, with or without word times, in which no speech was found."""
    noise_speech_s_per_min: float
    noise_starts_per_min: float
    cost_ms_per_s: float
    """Processor time for a second of audio."""


CANDIDATES: dict[str, tuple[Callable[[], Vad], tuple[GateRule, ...]]] = {
    **{f"webrtc-{mode}": (partial(WebRtcVad, mode), tuple(GateRule(0.5, 0.5, ms, 60, 200) for ms in (60, 200))) for mode in (0, 1, 2, 3)},
    "silero": (
        SileroVad,
        (
            GateRule(0.3, 0.15, 64, 64, 192),
            GateRule(0.4, 0.2, 64, 64, 192),
            GateRule(0.5, 0.2, 64, 64, 192),
            GateRule(0.5, 0.35, 64, 64, 96),
            GateRule(0.5, 0.35, 64, 64, 192),
            GateRule(0.5, 0.35, 64, 64, 320),
            GateRule(0.5, 0.35, 192, 64, 192),
            GateRule(0.5, 0.45, 64, 64, 192),
            GateRule(0.7, 0.5, 64, 64, 192),
        ),
    ),
}
"""What is compared: each detector with the gates tried behind it."""


def stretches(words: Sequence[TimedWord], audio_s: float) -> list[Stretch]:
    """Words joined where less than STRETCH_GAP_S lies between them."""
    borders = [index for index, (one, two) in enumerate(pairwise(words), start=1) if two.start_s - one.end_s >= STRETCH_GAP_S]
    groups = [words[first:last] for first, last in pairwise([0, *borders, len(words)]) if words[first:last]]
    nexts = [group[0].start_s for group in groups[1:]] + [audio_s]
    return [Stretch(group[0].start_s, group[-1].end_s, following) for group, following in zip(groups, nexts, strict=True)]


def compare(found: Sequence[Span], words: Sequence[TimedWord], audio_s: float, kept_s: float) -> Errors:
    """The gate's speech against the reference's, for one recording of `audio_s` (with the silence after it)."""
    spans = [(span.start_sample / RATE_HZ, span.end_sample / RATE_HZ) for span in found]
    start_ms, end_ms, bridged, missed = [], [], 0, 0
    earlier_end_s = -1.0
    for stretch in stretches(words, audio_s):
        inside = [span for span in spans if span[0] < stretch.end_s and span[1] > stretch.start_s]
        if not inside:
            missed += 1
        else:
            if inside[0][0] >= earlier_end_s:
                start_ms.append(1e3 * (inside[0][0] - stretch.start_s))
            if inside[-1][1] > stretch.next_start_s:
                bridged += 1
            else:
                end_ms.append(1e3 * (max(span[1] for span in spans if span[1] <= stretch.next_start_s) - stretch.end_s))
        earlier_end_s = stretch.end_s
    middles = [(word.start_s + word.end_s) / 2 for word in words]
    lost = sum(not any(start - kept_s <= middle <= end + kept_s for start, end in spans) for middle in middles)
    return Errors(tuple(start_ms), tuple(end_ms), bridged, missed, len(words), lost)


def total(parts: Sequence[Errors]) -> Errors:
    return Errors(
        start_ms=tuple(error for part in parts for error in part.start_ms),
        end_ms=tuple(error for part in parts for error in part.end_ms),
        bridged=sum(part.bridged for part in parts),
        missed=sum(part.missed for part in parts),
        words=sum(part.words for part in parts),
        words_lost=sum(part.words_lost for part in parts),
    )


def reference_words(clip: Clip) -> tuple[TimedWord, ...]:
    """Of the manifest, or of `<audio name>.segments.json` beside the audio or one folder up; empty when neither has any."""
    if clip.words:
        return clip.words
    for folder in (clip.audio.parent, clip.audio.parent.parent):
        path = folder / f"{clip.audio.stem}.segments.json"
        if path.is_file():
            words = json.loads(path.read_text(encoding="utf-8"))["words"]
            return tuple(TimedWord(word["word"], word["start"], word["end"]) for word in words if word["word"])
    return ()


def load(clip: Clip, definition: DataDefinition, gain_db: float) -> Samples:
    """The clip as a VAD of the server gets it, with TAIL_S of silence after it; gained and rounded to 16 bits like a quiet microphone."""
    frames, rate_hz = decode_file(clip.audio.read_bytes())
    if gain_db:
        frames = from_int16(to_int16(frames * np.float32(10.0 ** (gain_db / 20.0))))
    intake, conditioner = definition.intake(rate_hz, frames.shape[1]), definition.conditioner()
    tail = np.zeros((round(TAIL_S * rate_hz), frames.shape[1]), np.float32)
    taken = (intake.feed(frames), intake.feed(tail), intake.flush())
    return np.concatenate([conditioner.feed(part.samples).samples for part in taken])


class Detector:
    """One detector's probabilities for every clip, computed once for all gates, and what they cost."""

    def __init__(self, make: Callable[[], Vad], clips: Sequence[Samples]) -> None:
        self.frame_samples = make().frame_samples
        self.probabilities = []
        started_s = time.process_time()
        for samples in clips:
            vad = make()
            whole = len(samples) // self.frame_samples * self.frame_samples
            self.probabilities.append(
                [vad.probabilities(frame[np.newaxis])[0] for frame in samples[:whole].reshape(-1, self.frame_samples)]
            )
        self.cost_ms_per_s = 1e3 * (time.process_time() - started_s) / (sum(map(len, clips)) / RATE_HZ)

    def spans(self, rule: GateRule) -> list[tuple[Span, ...]]:
        return [speech_spans(probabilities, rule, self.frame_samples) for probabilities in self.probabilities]


def measure(speech: Sequence[Clip], noise: Sequence[Clip], definition: DataDefinition, gain_db: float) -> list[Row]:
    """Every candidate on every clip."""
    clips = [*speech, *noise]
    loaded = [load(clip, definition, gain_db) for clip in clips]
    words = [reference_words(clip) for clip in speech]
    kept_s = definition.silence.keep_before_ms / 1e3
    rows = []
    for detector, (make, gates) in CANDIDATES.items():
        heard = Detector(make, loaded)
        for gate in gates:
            spans = heard.spans(gate)
            noise_s = sum(len(samples) / RATE_HZ - TAIL_S for samples in loaded[len(speech) :])
            in_noise = [span for found in spans[len(speech) :] for span in found]
            rows.append(
                row(
                    f"{detector} {gate.on_threshold:g}/{gate.off_threshold:g} {gate.start_ms}/{gate.hang_ms}",
                    [
                        compare(found, said, len(samples) / RATE_HZ, kept_s)
                        for found, said, samples in zip(spans, words, loaded, strict=False)
                        if said
                    ],
                    clips_missed=sum(not found for found in spans[: len(speech)]),
                    noise_speech_s_per_min=60.0 * sum(map(len, in_noise)) / RATE_HZ / noise_s if noise_s else 0.0,
                    noise_starts_per_min=60.0 * len(in_noise) / noise_s if noise_s else 0.0,
                    cost_ms_per_s=heard.cost_ms_per_s,
                )
            )
    return rows


def row(
    name: str,
    parts: Sequence[Errors],
    *,
    clips_missed: int,
    noise_speech_s_per_min: float,
    noise_starts_per_min: float,
    cost_ms_per_s: float,
) -> Row:
    """The percentiles of all recordings together; None where nothing was measured."""
    errors = total(parts)
    return Row(
        name=name,
        start_ms=_percentiles(errors.start_ms),
        end_ms=_percentiles(errors.end_ms),
        stretches=len(errors.end_ms) + errors.bridged + errors.missed,
        bridged=errors.bridged,
        missed=errors.missed,
        words_lost=errors.words_lost,
        words=errors.words,
        clips_missed=clips_missed,
        noise_speech_s_per_min=noise_speech_s_per_min,
        noise_starts_per_min=noise_starts_per_min,
        cost_ms_per_s=cost_ms_per_s,
    )


def _percentiles(errors_ms: Sequence[float]) -> Percentiles | None:
    return Percentiles(*(float(value) for value in np.percentile(errors_ms, (5, 50, 95)))) if errors_ms else None


def table(rows: Sequence[Row]) -> str:
    """As Markdown."""
    titles = (
        "detector on/off start/hang ms",
        "start error ms p5 / median / p95",
        "end error ms p5 / median / p95",
        "pauses bridged",
        "stretches missed",
        "words lost",
        "clips missed",
        "noise: speech s/min",
        "noise: starts/min",
        "CPU ms per s",
    )
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for each in rows:
        cells = (
            each.name,
            _cell(each.start_ms),
            _cell(each.end_ms),
            f"{each.bridged} of {each.stretches}",
            f"{each.missed}",
            f"{each.words_lost} of {each.words}",
            f"{each.clips_missed}",
            f"{each.noise_speech_s_per_min:.1f}",
            f"{each.noise_starts_per_min:.1f}",
            f"{each.cost_ms_per_s:.1f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(errors_ms: Percentiles | None) -> str:
    return "-" if errors_ms is None else f"{errors_ms.p5:.0f} / {errors_ms.median:.0f} / {errors_ms.p95:.0f}"


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the table; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m eval.vad", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifest", type=Path, action="append", required=True, help="speech, with word times where there are; repeatable")
    parser.add_argument("--noise", type=Path, help="recordings without speech")
    parser.add_argument("--definition", default="v1", help="whose resampling, high-pass and kept silence are used (default v1)")
    parser.add_argument("--gain-db", type=float, default=0.0, help="applied to all audio first, then rounded to 16 bits")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the rows there too")
    arguments = parser.parse_args(argv)
    try:
        if arguments.json:
            check_writable(arguments.json, inputs=[*arguments.manifest, arguments.noise])
        definition = load_definition(arguments.definition)
        speech = [clip for path in arguments.manifest for clip in read_manifest(path)]
        noise = [clip for clip in read_manifest(arguments.noise) if clip.id not in SPEECH_IN_NOISE] if arguments.noise else []
        rows = measure(speech, noise, definition, arguments.gain_db)
    except (AudioError, ManifestError, WrongCall) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    if arguments.json:
        write_text(arguments.json, json.dumps([asdict(each) for each in rows], indent=1) + "\n")
    sys.stdout.write(table(rows) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
