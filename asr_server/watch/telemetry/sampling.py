"""Which traces are kept, decided when it is known what is in them.

All in which something was late, degraded, failed, or unlike the reference that drift is watched by, and a share of the rest, chosen by
trace id, so that every server that takes part in a trace chooses alike. A trace is held back until its call has ended or something in it
is worth keeping; from then on its spans pass as they end. Of a call that lasts for hours, what is older than `MAX_HELD` spans and was not
worth keeping is let go of.
"""

from collections import deque
from threading import Lock

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import StatusCode

from asr_server.watch import attributes as names

MAX_HELD = 512
_IDS = 1 << 64


class TailSampler(SpanProcessor):
    """In front of the processors that export. May be called from several threads."""

    def __init__(self, keep_share: float, behind: list[SpanProcessor]) -> None:
        self._lowest_kept = round((1 - keep_share) * _IDS)
        self._behind = behind
        self._lock = Lock()
        self._held: dict[int, deque[ReadableSpan] | None] = {}
        """By trace id of the calls that are open; None: it is kept, and nothing is held back any more."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        if _is_of_a_call(span):
            with self._lock:
                self._held[_trace_id(span)] = None if self._is_in_share(span) else deque(maxlen=MAX_HELD)

    def on_end(self, span: ReadableSpan) -> None:
        trace_id = _trace_id(span)
        with self._lock:
            # A segment may end after its call: it is judged by itself then.
            held = self._held.get(trace_id, deque()) if not self._is_in_share(span) else None
            passes: list[ReadableSpan] = []
            if held is None:
                passes.append(span)
            else:
                held.append(span)
                if _is_worth_keeping(span):
                    passes.extend(held)
                    if trace_id in self._held:
                        self._held[trace_id] = None
            if _is_of_a_call(span):
                self._held.pop(trace_id, None)
        for one in passes:
            for processor in self._behind:
                processor.on_end(one)

    def shutdown(self) -> None:
        for processor in self._behind:
            processor.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return all(processor.force_flush(timeout_millis) for processor in self._behind)

    def _is_in_share(self, span: ReadableSpan) -> bool:
        """By the random half of the trace id (W3C Trace Context, level 2)."""
        return _trace_id(span) % _IDS >= self._lowest_kept


def _is_of_a_call(span: ReadableSpan) -> bool:
    """The root here, whatever the caller's trace has above it."""
    return span.parent is None or span.parent.is_remote


def _trace_id(span: ReadableSpan) -> int:
    context = span.get_span_context()
    assert context is not None
    return context.trace_id


def _is_worth_keeping(span: ReadableSpan) -> bool:
    told = span.attributes or {}
    return (
        bool(told.get(names.LATE))
        or bool(told.get(names.DEGRADED))
        or bool(told.get(names.DRIFTING))
        or span.status.status_code is StatusCode.ERROR
        or any(event.name == names.EVENT_DECODE_FAILED for event in span.events)
    )
