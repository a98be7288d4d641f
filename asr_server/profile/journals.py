"""A profile of what was recognised in some time, from the journals of one server or of several."""

from collections import Counter
from collections.abc import Iterator

from asr_server.errors import WrongCall
from asr_server.watch.drift.expected import Judged, fit
from asr_server.watch.drift.reference import Origin, Reference
from asr_server.watch.journal.reading import Reading
from asr_server.watch.journal.rows import SegmentRow

SOURCE = "journal"


def profile_of(reading: Reading, *, model: str = "") -> Reference:
    """Of all segments that did not fail, whichever model of the server recognised them, or of one `model`; with an error model where users
    have corrected enough of them.

    Raises `WrongCall` where there are none, and where they are of several data definitions: what differs between those is not drift.
    """
    rows = [row for row in reading.segments if row.outcome != "failed" and row.profile and model in ("", row.model)]
    if not rows:
        raise WrongCall(f"there is no segment{f' of {model}' if model else ''} in that time: nothing to make a profile of")
    definitions = sorted({row.data_definition for row in rows})
    if len(definitions) > 1:
        raise WrongCall(f"the segments are of the data definitions {', '.join(definitions)}: choose a time with one (--since, --until)")
    # Beside the server's model stands a smaller one, for what would be late.
    ((main, weights), _), *_ = Counter((row.model, row.weights_sha256) for row in rows).most_common(1)
    made = Reference(Origin(definitions[0], main, weights, SOURCE))
    for row in rows:
        made.add(row.profile, _labels(row))
    made.error_model = fit(_judged(rows, reading))
    return made


def _labels(row: SegmentRow) -> dict[str, str]:
    """By which drift is watched."""
    told = {"client": row.client, "encoding": row.encoding, "language": row.asked_language, "rate_hz": row.rate_hz}
    return {label: value for label, value in told.items() if value}


def _judged(rows: list[SegmentRow], reading: Reading) -> Iterator[Judged]:
    """Segments that users have corrected."""
    corrected = {answer.segment_id: answer.errors for answer in reading.feedback if answer.kind == "corrected"}
    for row in rows:
        if row.id in corrected and "log_probability" in row.profile:
            yield Judged(row.profile["log_probability"], corrected[row.id])
