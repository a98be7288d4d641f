"""How commands write what their tables show."""


def percent(share: float | None, digits: int = 2) -> str:
    """Without the sign, which stands in the heading: 0.0678 is 6.78."""
    return "-" if share is None else f"{share * 100:.{digits}f}"
