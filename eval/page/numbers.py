"""Numbers as a page writes them: units beside them, minus signs that are minus signs, nothing that breaks across lines."""

NO_BREAK = "\N{NO-BREAK SPACE}"
_MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EN DASH}"
"""Stands where there is no number."""


def percent(share: float | None, digits: int = 1) -> str:
    """0.0678 is 6.8 %."""
    return NOTHING if share is None else f"{share * 100:.{digits}f}{NO_BREAK}%"


def points(share: float | None, digits: int = 2) -> str:
    """A difference of shares, with its sign: 0.005 is +0.50 points."""
    return NOTHING if share is None else f"{signed(share * 100, digits)}{NO_BREAK}points"


def interval(low: float | None, high: float | None, digits: int = 1) -> str:
    """Of shares."""
    return NOTHING if low is None or high is None else f"{low * 100:.{digits}f} to {high * 100:.{digits}f}{NO_BREAK}%"


def signed(value: float, digits: int = 0) -> str:
    """Nothing that rounds to zero has a sign."""
    text = f"{abs(value):.{digits}f}"
    return text if not float(text) else ("+" if value > 0 else _MINUS) + text


def plain(value: float, digits: int = 1) -> str:
    """A signed quantity such as a level, with a sign only where it is negative."""
    return signed(value, digits).removeprefix("+")


def count(value: int) -> str:
    """5280 is 5 280."""
    return f"{value:,}".replace(",", NO_BREAK)


def p_value(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else f"<{NO_BREAK}0.001"


def size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f}{NO_BREAK}MB" if size_bytes >= 100_000 else f"{size_bytes / 1e3:.0f}{NO_BREAK}kB"


def plural(value: int, one: str, many: str = "") -> str:
    """ "1 clip", "2 clips"."""
    return f"{count(value)}{NO_BREAK}{one if value == 1 else many or f'{one}s'}"
