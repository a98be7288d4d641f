"""What made a result and what a clip is like, as short labelled facts."""

from dataclasses import dataclass

from eval.page.numbers import NO_BREAK, percent, plain
from eval.recognisers import System
from eval.result import ClipResult, RunResult
from eval.via import HOW


@dataclass(frozen=True, slots=True)
class Fact:
    label: str
    value: str


def facts_of_system(system: System) -> tuple[Fact, ...]:
    """Code, data, and what the release was decoded with."""
    release = system.release
    return (
        Fact("code", system.code),
        Fact("data definition", system.data_definition),
        Fact("model", release.model),
        Fact("weights, sha256", release.weights_sha256),
        *(Fact(name.replace("_", " "), value) for name, value in release.options.items()),
    )


def facts_of_run(run: RunResult) -> tuple[Fact, ...]:
    """How it was heard, and which data."""
    heard = [Fact(name.replace("_", " "), _written(run.fields[name])) for name in HOW if name in run.fields]
    data = [Fact(name, run.manifest.name if name == "manifest" else _written(value)) for name, value in run.fields["data"].items()]
    return (*heard, *data, Fact("text rules", run.text_rules), Fact("result", run.path.name))


def facts_of_clip(clip: ClipResult) -> tuple[Fact, ...]:
    """What is known; nothing stands for what is not."""
    audio, confidence = clip.audio, clip.heard.confidence
    facts = [Fact("set", clip.set), Fact("language", clip.language)]
    facts += [Fact("speaker", clip.speaker)] if clip.speaker is not None else []
    facts += [Fact("conditions", ", ".join(clip.conditions))] if clip.conditions else []
    facts += [Fact("confidence", f"{confidence:.2f}")] if confidence is not None else []
    if audio is None:
        return tuple(facts)
    facts.append(Fact("duration", f"{audio.duration_s:.1f}{NO_BREAK}s"))
    facts.append(Fact("speech", percent(audio.speech_ratio, 0)))
    measured = (("SNR", audio.snr_db, "dB"), ("loudness", audio.loudness_before_lufs, "LUFS"), ("gain", audio.gain_db, "dB"))
    facts += [Fact(label, f"{plain(value)}{NO_BREAK}{unit}") for label, value, unit in measured if value is not None]
    if audio.bandwidth_hz is not None:
        facts.append(Fact("bandwidth", f"{audio.bandwidth_hz / 1000:.1f}{NO_BREAK}kHz"))
    if audio.clipped_ratio:
        facts.append(Fact("clipped", percent(audio.clipped_ratio, 2)))
    if audio.rejected is not None:
        facts.append(Fact("rejected", str(audio.rejected)))
    return tuple(facts)


def _written(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
