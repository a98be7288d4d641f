"""A clock that moves only when it is told to."""


class FakeClock:
    """Stands in for `time.monotonic`: called, it tells seconds."""

    def __init__(self, now_s: float = 1000.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s

    def advance_ms(self, ms: float) -> None:
        self.now_s += ms / 1000
