"""Rows for tests."""

from asr_server.watch.journal.rows import ChangeRow, FeedbackRow, SegmentRow


def segment(
    number: int, at_s: float = 1_000.0, *, outcome: str = "in_time", client: str = "kiosk", response_ms: float = 5.0, **more: object
) -> SegmentRow:
    return SegmentRow(
        id=f"ab12cd34-1-{number}",
        at_s=at_s,
        trace_id=f"{number:032x}",
        outcome=outcome,  # type: ignore[arg-type]
        client=client,
        encoding="LINEAR16",
        language="en",
        code="1.0",
        model="base",
        weights_sha256="ab" * 32,
        data_definition="v1",
        response_ms=response_ms,
        **{  # type: ignore[arg-type]
            "endpoint_wait_ms": 320.0,
            "recognition_ms": 180.0,
            "predicted_ms": 170.0,
            "budget_ms": 500.0,
            "audio_s": 2.5,
            "words": 6,
            "spent_ms": {"asr": 0.0, "post": 0.4},
            "profile": {"loudness_lufs": -26.0, "log_probability": -0.2},
            **more,
        },
    )


def corrected(number: int, *, errors: int, words: int = 6, at_s: float = 1_001.0) -> FeedbackRow:
    return FeedbackRow(f"ab12cd34-1-{number}", "corrected", at_s, words, errors, 0, 0)


def quieter(at_s: float = 1_500.0, since_s: float = 1_400.0, *, is_back: bool = False) -> ChangeRow:
    return ChangeRow(
        at_s=at_s,
        since_s=since_s,
        feature="loudness_lufs",
        label="client",
        value="kiosk",
        is_back=is_back,
        kind="sudden",
        severity="severe",
        shift=-3.5,
        psi=1.2,
        before=(-30.0, -26.0, -22.0),
        after=(-41.0, -38.0, -35.0),
        trace_id="ab" * 16,
    )
