"""Frames of 16 kHz audio to a probability of speech. Knows nothing of when speech starts or ends: that is `silence`."""

import hashlib
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import webrtcvad
from numpy.typing import NDArray

from audio_norm.errors import DefinitionError
from audio_norm.pcm import Samples, to_int16

VAD_RATE_HZ = 16_000


class Vad(Protocol):
    """A detector of speech with the state of one stream: make one for each stream, push every frame once and in order."""

    frame_samples: int
    """Length of a frame at 16 kHz."""

    def probabilities(self, frames: Samples) -> tuple[float, ...]:
        """0 (no speech) to 1 (speech) for each of `frames` of shape (n, `frame_samples`), which follow on those of before; does not
        change them. Several at once give bit for bit what one after the other gives."""
        ...


class WebRtcVad:
    """The detector of WebRTC: band energies against two Gaussian mixtures. Says 0.0 or 1.0 only; 20 ms frames.

    It keeps saying 1.0 for up to 140 ms after the last frame it took for speech (its own hangover, longer after long speech).
    """

    frame_samples = 320

    def __init__(self, aggressiveness: Literal[0, 1, 2, 3] = 1) -> None:
        """`aggressiveness` from 0 (takes much for speech) to 3 (takes little)."""
        if aggressiveness not in {0, 1, 2, 3}:
            raise ValueError(f"WebRtcVad wants aggressiveness 0, 1, 2 or 3, got {aggressiveness!r}")
        self._vad = webrtcvad.Vad(aggressiveness)

    def probabilities(self, frames: Samples) -> tuple[float, ...]:
        _check_frames(frames, self.frame_samples)
        return tuple(1.0 if self._vad.is_speech(frame.tobytes(), VAD_RATE_HZ) else 0.0 for frame in to_int16(frames))


class SileroVad:
    """Silero VAD v6, a small recurrent network: one probability for 32 ms of audio.

    All instances share one onnxruntime session (safe to run from many threads); the state is the instance's own.
    """

    frame_samples = 512

    context_samples = 64
    """The network reads this much of the frame before, in front of each frame."""

    def __init__(self) -> None:
        self._session = _silero_session()
        self._hidden, self._cell = _silero_at_rest()
        self._context = np.zeros(self.context_samples, np.float32)

    def probabilities(self, frames: Samples) -> tuple[float, ...]:
        _check_frames(frames, self.frame_samples)
        heard: list[float] = []
        for start in range(0, len(frames), _SILERO_FRAMES_AT_ONCE):
            heard += self._run(frames[start : start + _SILERO_FRAMES_AT_ONCE])
        return tuple(heard)

    def _run(self, frames: Samples) -> list[float]:
        windows = np.empty((len(frames), self.context_samples + self.frame_samples), np.float32)
        windows[:, self.context_samples :] = frames
        windows[0, : self.context_samples] = self._context
        windows[1:, : self.context_samples] = frames[:-1, -self.context_samples :]
        self._context = frames[-1, -self.context_samples :].copy()
        fed = {"input": windows, "h": self._hidden, "c": self._cell}
        output, self._hidden, self._cell = self._session.run(None, fed)
        return output.ravel().tolist()  # type: ignore[no-any-return]


def _check_frames(frames: Samples, frame_samples: int) -> None:
    if frames.ndim != 2 or frames.shape[1] != frame_samples:
        raise ValueError(f"VAD frames have shape (n, {frame_samples}), got {frames.shape}")


_SILERO_FRAMES_AT_ONCE = 64
"""Of a long recording. A frame alone takes 53 us, each of 3 takes 38, each of 10 takes 32, and more gain nothing."""


_SILERO_FILE = "silero_vad_v6.onnx"
_SILERO_SHA256 = "4cbf549b8326f60f80f2536d9eefeb450a9abe83365a098031c89719f1be17d2"
"""Part of the data definition: another network would hear other speech under the same version."""


@lru_cache(maxsize=1)
def _silero_session() -> Any:  # noqa: ANN401  onnxruntime has no types
    # Imported here: loading onnxruntime takes a quarter of a second, which nobody who uses the other detector should pay.
    import onnxruntime  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = 1  # a frame is 50 us of work: handing it to threads costs more
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(_silero_network(), options, providers=["CPUExecutionProvider"])


_State = NDArray[np.float32]


@lru_cache(maxsize=1)
def _silero_at_rest() -> tuple[_State, _State]:
    """The state after half a second of digital silence. From an empty state, speech at the very start is heard up to 0.4 s late."""
    hidden, cell = np.zeros((1, 1, 128), np.float32), np.zeros((1, 1, 128), np.float32)
    silence = np.zeros((1, SileroVad.context_samples + SileroVad.frame_samples), np.float32)
    for _ in range(16):
        _, hidden, cell = _silero_session().run(None, {"input": silence, "h": hidden, "c": cell})
    return hidden, cell


def _silero_network() -> bytes:
    """The network as faster-whisper brings it. That package is only looked up: importing it would load its engine."""
    spec = find_spec("faster_whisper")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "assets" / _SILERO_FILE
        if path.is_file():
            network = path.read_bytes()
            if hashlib.sha256(network).hexdigest() != _SILERO_SHA256:
                raise DefinitionError(f"{path} is not the Silero network of the data definition (sha256 {_SILERO_SHA256})")
            return network
    raise DefinitionError(f"the silero detector wants {_SILERO_FILE}, which faster-whisper 1.2.1 brings: it is not installed here")
