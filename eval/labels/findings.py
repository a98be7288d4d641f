"""What an audit of labels says: checks, each with the clips it found something about."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]
"""error: text and audio cannot both be right; warning: somebody should look; note: for the statistics."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found."""

    clips: tuple[str, ...]
    """Ids of the clips it is about."""
    detail: str
    """One line."""


@dataclass(frozen=True, slots=True)
class Check:
    """One question that was asked of `of` clips, and what was found."""

    name: str
    severity: Severity
    of: int
    findings: tuple[Finding, ...]

    @property
    def clips(self) -> tuple[str, ...]:
        """Every clip with a finding, once, in order."""
        return tuple(dict.fromkeys(clip for finding in self.findings for clip in finding.clips))

    @property
    def share(self) -> float:
        """Of the clips looked at; 0 when there were none."""
        return len(self.clips) / self.of if self.of else 0.0


def has_errors(checks: Iterable[Check]) -> bool:
    return any(check.severity == "error" and check.findings for check in checks)
