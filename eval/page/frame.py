"""What every page of the instruments stands on: style and script inside it, and a policy under which a browser loads nothing else.

Pages of other rooms take `TEMPLATES` (`base.html.j2` is the skeleton, `base.css` the looks, `base.js` sorts tables) and `frame` with their
own style and script after it.
"""

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Frame:
    """Style and script of one page, to be written between their tags exactly as they are here: the policy names their digests."""

    style: str
    script: str

    @property
    def policy(self) -> str:
        """Content-Security-Policy: this style, this script, sound and pictures from inside the page, nothing from any network."""
        return "; ".join(
            (
                "default-src 'none'",
                f"style-src {_digest(self.style)}",
                f"script-src {_digest(self.script)}",
                "media-src data:",
                "img-src data:",
                "base-uri 'none'",
                "form-action 'none'",
            )
        )


def frame(*more: Path) -> Frame:
    """The base, then `more` files in order: each .css to the style, each .js to the script."""
    paths = (TEMPLATES / "base.css", TEMPLATES / "base.js", *more)
    return Frame(_joined(paths, ".css"), _joined(paths, ".js"))


def _joined(paths: tuple[Path, ...], suffix: str) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in paths if path.suffix == suffix)


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
