"""Language tags."""


def primary_tag(language: str) -> str:
    """Of a BCP-47 tag: "en" of "en-US"."""
    return language.partition("-")[0].lower()
