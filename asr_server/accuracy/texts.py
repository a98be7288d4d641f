"""Errors of one text against another, as they stand: both are brought to one form first."""

from asr_server.accuracy.normalize import normalize
from asr_server.accuracy.wer import ErrorCounts, count_errors


def text_errors(reference: str, hypothesis: str, language: str) -> ErrorCounts:
    """`language`: BCP-47; its rules are for both."""
    return count_errors(normalize(reference, language), normalize(hypothesis, language))
