"""How accuracy is weighed against the time to final text: three named points on the measured curve (`bench/results/`)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

from asr_server.events import Tier
from asr_server.session import SessionOptions

PresetName = Literal["fast", "balanced", "accurate"]
PRESET_NAMES: tuple[PresetName, ...] = get_args(PresetName)


@dataclass(frozen=True, slots=True)
class Preset:
    """`session` are the endpointing's defaults, `beam_size` the beam that decodes have when time allows."""

    name: PresetName
    session: SessionOptions
    beam_size: int
    tier: Tier = Tier.ANY

    @property
    def without_waiting(self) -> "Preset":
        """For audio that is all there: nothing is gained by beginning early, by closing early or by telling a part."""
        patient = with_stop(self.session, max(self.session.vad_stop_ms, _PATIENT_STOP_MS))
        return replace(self, session=replace(patient, speculate_after_ms=0, soft_segment_ms=0))


_PATIENT_STOP_MS = 900
"""Pauses after which sentences seldom go on."""
_SPECULATE_AFTER_MS = 32
"""The first frame of the detector without speech."""
_SOFT_SEGMENT_MS = 9_000
"""A longer window is not recognised in the time that the shortest wait leaves. Parts are misheard at their ends: WER of `balanced` 7.16,
7.10, 6.98 and 6.92 with 6, 7.5, 9 and 12 s, the 95th percentile of the time to final text 500 ms with up to 9 s, then 534 ms."""

PRESETS: Mapping[PresetName, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            "fast",
            SessionOptions(
                vad_stop_ms=320,
                sure_stop_ms=200,
                speculate_after_ms=_SPECULATE_AFTER_MS,
                context_ms=3_000,
                soft_segment_ms=7_500,
            ),
            beam_size=2,
            tier=Tier.SMALLER,
        ),
        Preset(
            "balanced",
            SessionOptions(
                vad_stop_ms=432,
                sure_stop_ms=300,
                speculate_after_ms=_SPECULATE_AFTER_MS,
                context_ms=3_000,
                soft_segment_ms=_SOFT_SEGMENT_MS,
            ),
            beam_size=1,
        ),
        Preset(
            "accurate",
            SessionOptions(vad_stop_ms=700, sure_stop_ms=400, speculate_after_ms=_SPECULATE_AFTER_MS, context_ms=8_000),
            beam_size=5,
        ),
    )
}


def with_stop(session: SessionOptions, vad_stop_ms: int) -> SessionOptions:
    """The same with one wait for all, whatever the text."""
    return replace(
        session,
        vad_stop_ms=vad_stop_ms,
        sure_stop_ms=0,
        speculate_after_ms=min(session.speculate_after_ms, vad_stop_ms),
        end_of_utterance_ms=max(session.end_of_utterance_ms, vad_stop_ms),
    )


def with_longest_segment(session: SessionOptions, max_segment_ms: int) -> SessionOptions:
    return replace(session, max_segment_ms=max_segment_ms, soft_segment_ms=min(session.soft_segment_ms, max_segment_ms))
