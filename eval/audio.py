"""The audio of a manifest's clips."""

from asr_server.accuracy.manifest import Clip, ManifestError
from audio_norm import AudioError, Frames, decode_file


def read_frames(clip: Clip) -> tuple[Frames, int]:
    """Shape (n, channels), and the rate in Hz. Raises ManifestError, naming the file, when it is not audio."""
    try:
        return decode_file(clip.audio.read_bytes())
    except (AudioError, OSError) as error:
        raise ManifestError(f"{clip.audio}: {error}") from error


def duration_s(clip: Clip) -> float:
    """As the manifest says, else as the file has it."""
    if clip.duration_s is not None:
        return clip.duration_s
    frames, rate_hz = read_frames(clip)
    return len(frames) / rate_hz
