"""What the microphone uses of the `sounddevice` package: a device that records what it is told to."""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Self


class FakePortAudioError(Exception):
    pass


class FakeSoundDevice(ModuleType):
    """Put it into `sys.modules` as "sounddevice". Every stream delivers `recording` when it is started."""

    PortAudioError = FakePortAudioError

    def __init__(self, recording: Sequence[bytes] = (), *, rate_hz: float = 44_100.0, works: bool = True) -> None:
        super().__init__("sounddevice")
        self.recording = recording
        self.rate_hz = rate_hz
        self.works = works
        self.opened: list[dict[str, object]] = []
        self.closed = 0
        self.RawInputStream = self._open

    def query_devices(self, *, kind: str) -> dict[str, object]:
        assert kind == "input"
        if not self.works:
            raise FakePortAudioError("Error querying device -1")
        return {"default_samplerate": self.rate_hz}

    def check_input_settings(self, **settings: object) -> None:
        pass

    def _open(self, *, callback: Callable[[bytes, int, object, object], None], **settings: object) -> "FakeInputStream":
        self.opened.append(settings)
        return FakeInputStream(self, callback)


class FakeInputStream:
    def __init__(self, device: FakeSoundDevice, callback: Callable[[bytes, int, object, object], None]) -> None:
        self._device = device
        self._callback = callback

    def __enter__(self) -> Self:
        for recorded in self._device.recording:
            self._callback(recorded, len(recorded) // 2, None, None)
        return self

    def __exit__(self, *_: object) -> None:
        self._device.closed += 1
