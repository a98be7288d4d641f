"""A mean in which what is long past counts less."""

_WEIGHT = 1 - 0.5 ** (1 / 20)
"""Of one value among those before it: after 20 half of what had been learnt is forgotten."""


class FadingMean:
    """Of values added one by one; 0 before the first."""

    def __init__(self) -> None:
        self._count = 0
        self._mean = 0.0

    def __bool__(self) -> bool:
        """Whether there was any."""
        return self._count > 0

    @property
    def value(self) -> float:
        return self._mean

    def add(self, value: float) -> None:
        self._count += 1
        # The first values are averaged: there is nothing before them to be forgotten.
        self._mean += (value - self._mean) * max(_WEIGHT, 1 / self._count)
