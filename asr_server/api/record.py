"""A finished segment as observers see it. Pure."""

from collections.abc import Sequence
from dataclasses import asdict

from asr_server.api.ledger import Ledger, spent_ms
from asr_server.budget import SliceName
from asr_server.engine.worker import Decoded
from asr_server.events import Final, Purpose
from asr_server.pb import asr_pb2 as pb
from asr_server.transcript import Hypothesis
from asr_server.watch import attributes as names
from asr_server.watch.observer import Attribute, SegmentRecord, Stage
from audio_norm import audio_profile


def system_attributes(system: pb.SystemVersion) -> dict[str, Attribute]:
    return {
        names.CODE: system.code,
        names.MODEL: system.model,
        names.WEIGHTS_SHA256: system.weights_sha256,
        names.DATA_DEFINITION: system.data_definition,
        names.DATA_DEFINITION_DIGEST: system.data_definition_digest,
    }


def segment_record(
    final: Final,
    decoded: Decoded,
    ledger: Ledger,
    stages: Sequence[Stage],
    *,
    start_s: float,
    end_s: float,
    system: pb.SystemVersion,
) -> SegmentRecord:
    """`stages` as the ledger counted them; those that are slices of the budget get what was planned and spent.

    `start_s`: when the clock started. The record begins with the first stage, which may have been done in the silence before.
    """
    decoding, normalized, hypothesis = decoded.decoding, decoded.normalized, final.hypothesis
    audio_s = decoded.audio_ms / 1000
    attributes: dict[str, Attribute] = {
        **system_attributes(system),
        names.LANGUAGE: hypothesis.language,
        names.AUDIO_S: audio_s,
        names.GAIN_DB: normalized.gain_db,
        names.FRAMES: decoding.frames,
        names.TOKENS: decoding.tokens,
        names.WORDS: len(hypothesis.text.split()),
        names.BEAM_SIZE: decoding.beam_size,
        names.BATCH_SIZE: decoded.batch,
        names.GUARD: decoding.guard,
        names.REJECTED: hypothesis.rejected,
        names.STABLE_OVERRULED: final.stable_overruled,
        names.BUDGET_MS: ledger.budget.total_ms,
        names.RESPONSE_MS: ledger.response_ms,
        names.ENDPOINT_WAIT_MS: ledger.endpoint_wait_ms,
        names.PREDICTED_MS: ledger.predicted_ms,
        names.SPECULATED_MS: ledger.speculated_ms,
        names.LATE: ledger.late,
        names.DEGRADED: ledger.degraded,
    }
    attributes |= _profile(decoded, hypothesis)
    if decoded.job is not None and decoded.job.purpose is Purpose.OFFLINE:
        attributes[names.PURPOSE] = Purpose.OFFLINE.name.lower()
    if normalized.loudness_lufs is not None:
        attributes[names.LOUDNESS_LUFS] = normalized.loudness_lufs
    if len(normalized.samples):
        attributes[names.SPEECH_RATIO] = min(normalized.speech_samples / len(normalized.samples), 1.0)
    planned_ms: dict[str, float] = dict[str, float](ledger.budget.slices())
    in_slices = [_planned(stage, planned_ms[stage.name], ms, audio_s) for stage, ms in zip(stages, spent_ms(stages, start_s), strict=True)]
    return SegmentRecord(
        index=final.segment,
        start_s=min([start_s, *(stage.start_s for stage in stages)]),
        end_s=end_s,
        stages=tuple(sorted(in_slices, key=lambda stage: stage.start_s)),
        attributes=attributes,
        text=hypothesis.text,
    )


def _profile(decoded: Decoded, hypothesis: Hypothesis) -> dict[str, Attribute]:
    """What the audio and its text are like; what could not be measured is left out."""
    job = decoded.job
    if job is None:
        return {}
    # What is heard again before it belongs to the segment before.
    from_sample = None if job.options.said is None else job.options.said.until_sample
    profile = audio_profile(job.window, decoded.normalized, from_sample=from_sample)
    audio: dict[str, float | None] = asdict(profile)
    spoken_s = profile.duration_s * profile.speech_ratio
    words = hypothesis.text.split()
    text: dict[str, float | None] = {
        "words_per_s": len(words) / spoken_s if spoken_s else None,
        "repetition": 1 - len({word.casefold() for word in words}) / len(words) if words else None,
        "log_probability": hypothesis.log_probability if words else None,
        "no_speech_probability": None if decoded.normalized.rejected else hypothesis.no_speech_probability,
        "language_probability": hypothesis.language_probability if words else None,
        "empty": float(not words),
    }
    return {f"{names.PROFILE}{name}": value for name, value in {**audio, **text}.items() if value is not None}


def _planned(stage: Stage, planned_ms: float, spent_ms: float, audio_s: float) -> Stage:
    attributes: dict[str, Attribute] = {
        **stage.attributes,
        names.SLICE_PLANNED_MS: planned_ms,
        names.SLICE_SPENT_MS: spent_ms,
    }
    recognition: SliceName = "asr"
    if stage.name == recognition and audio_s:
        attributes[names.RTF] = stage.spent_ms / 1000 / audio_s
    return Stage(stage.name, stage.start_s, stage.end_s, attributes, stage.parts)
