"""The microphone, through the optional `sounddevice` package."""

import asyncio
from collections.abc import AsyncGenerator
from types import ModuleType
from typing import Any

from asr_server.errors import WrongCall
from audio_norm.encoding import MAX_RATE_HZ, MIN_RATE_HZ


class Microphone:
    """Mono int16 at `rate_hz`. Nothing is recorded before `chunks` is iterated. Use on one event loop."""

    def __init__(self, sounddevice: ModuleType, rate_hz: int) -> None:
        self._sounddevice = sounddevice
        self.rate_hz = rate_hz
        self._recorded: asyncio.Queue[bytes | None] = asyncio.Queue()

    def stop(self) -> None:
        """No more audio; `chunks` ends after what has been recorded."""
        self._recorded.put_nowait(None)

    async def chunks(self, chunk_ms: int) -> AsyncGenerator[bytes, None]:
        loop = asyncio.get_running_loop()

        def on_audio(recorded: Any, _frames: int, _time: object, _status: object) -> None:  # noqa: ANN401 - a cffi buffer
            loop.call_soon_threadsafe(self._recorded.put_nowait, bytes(recorded))

        blocksize = self.rate_hz * chunk_ms // 1000
        try:
            with self._sounddevice.RawInputStream(
                samplerate=self.rate_hz, channels=1, dtype="int16", blocksize=blocksize, callback=on_audio
            ):
                while (chunk := await self._recorded.get()) is not None:
                    yield chunk
        except self._sounddevice.PortAudioError as error:
            raise WrongCall(f"--mic: {error}") from None


def open_microphone(rate_hz: int = 0) -> Microphone:
    """The default microphone, at its own rate unless another is wanted. Raises `WrongCall` when there is none."""
    try:
        import sounddevice  # noqa: PLC0415 - optional, and loading it opens the sound system
    except ImportError:
        raise WrongCall("--mic needs the sounddevice package: pip install 'asr-server[mic]'") from None
    except OSError as error:  # the PortAudio library itself is missing
        raise WrongCall(f"--mic: {error}") from None
    try:
        device = sounddevice.query_devices(kind="input")
        wanted_hz = rate_hz or min(max(int(device["default_samplerate"]), MIN_RATE_HZ), MAX_RATE_HZ)
        sounddevice.check_input_settings(samplerate=wanted_hz, channels=1, dtype="int16")
    except (sounddevice.PortAudioError, ValueError) as error:
        raise WrongCall(f"--mic: no microphone can be used: {error}") from None
    return Microphone(sounddevice, wanted_hz)
