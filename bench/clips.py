"""Clips of a manifest on their way to being spoken: those that are short enough, and one made ready."""

from collections.abc import Iterable, Iterator

from asr_server.accuracy.manifest import Clip
from asr_server.api.clip import decode_clip
from bench.speech_end import speech_end, speech_start_s
from bench.streams import Part
from eval.audio import duration_s, read_frames


def up_to(clips: Iterable[Clip], max_duration_s: float) -> Iterator[Clip]:
    """Those that are not longer, in order. A file whose length the manifest does not tell is read for it: raises ManifestError when it is
    not audio."""
    return (clip for clip in clips if duration_s(clip) <= max_duration_s)


def make_ready(clip: Clip) -> Part:
    """Raises ManifestError for a file that is not audio."""
    frames, rate_hz = read_frames(clip)
    return Part(clip, decode_clip(clip.audio.read_bytes()), speech_end(clip, frames, rate_hz), speech_start_s(clip, frames, rate_hz))
