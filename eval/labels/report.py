"""An audit of labels as JSON. Pure; the same audit gives the same bytes."""

from collections.abc import Mapping

from eval.labels.audit import Audit
from eval.labels.conventions import Usage
from eval.labels.findings import Check
from eval.labels.suspects import Suspect
from eval.labels.words import Writing


def label_report(audit: Audit, of: Mapping[str, object]) -> dict[str, object]:
    """`of`: which manifest, hypotheses, data definition and text rules."""
    return {
        **of,
        "clips": audit.clips,
        "sets": list(audit.sets),
        "checks": [_check(check) for check in audit.checks],
        "conventions": [_usage(usage) for usage in audit.conventions],
        "words": [_writing(word) for word in audit.words],
        "style_guide": [
            {"convention": line.convention, "rule": line.rule, "because": line.because, "follow": line.follow, "change": line.change}
            for line in audit.style_guide
        ],
        "bounds": audit.bounds
        and {
            "confidence": round(audit.bounds.confidence, 4),
            "confidence_of_ends": round(audit.bounds.confidence_of_ends, 4),
            "error_rate": round(audit.bounds.error_rate, 4),
        },
        "suspects": [_suspect(suspect) for suspect in audit.suspects],
    }


def _check(check: Check) -> dict[str, object]:
    return {
        "check": check.name,
        "severity": check.severity,
        "clips": len(check.clips),
        "of": check.of,
        "share": round(check.share, 5),
        "findings": [{"clips": list(finding.clips), "detail": finding.detail} for finding in check.findings],
    }


def _usage(usage: Usage) -> dict[str, object]:
    return {
        "convention": usage.convention.name,
        "conflicting": usage.conflicting,
        "scored_alike": usage.scored_alike,
        "variants": {name: len(clips) for name, clips in usage.clips.items()},
        "by_set": {name: dict(counts) for name, counts in usage.by_set.items()},
        "sets_differ": usage.sets_differ,
        "mixed_sets": list(usage.mixed_sets),
        "minority": {name: list(clips) for name, clips in list(usage.clips.items())[1:]},
    }


def _writing(word: Writing) -> dict[str, object]:
    return {"kind": word.kind, "scored_alike": word.scored_alike, "variants": {way: list(clips) for way, clips in word.clips.items()}}


def _suspect(suspect: Suspect) -> dict[str, object]:
    return {
        "id": suspect.clip.id,
        "set": suspect.clip.set,
        "why": suspect.why,
        "confidence": round(suspect.confidence, 4),
        "error_rate": round(suspect.error_rate, 4),
        "text": suspect.clip.text,
        "heard": suspect.heard,
        "differ": [{"kind": pair.kind, "text": pair.reference, "heard": pair.hypothesis} for pair in suspect.differ],
    }
