"""Wire messages into the client's values. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from asr_server.api.results import (
    AlternativeText,
    DefinitionView,
    Heard,
    LedgerView,
    ModelView,
    PresetView,
    Result,
    ServerInfo,
    Slice,
    SpeechEvent,
    SystemView,
    WordTime,
)
from asr_server.pb import asr_pb2 as pb
from asr_server.watch.journal.rows import ChangeRow
from asr_server.watch.status import Drifting, DriftStatus, Latency, ObjectiveState, Recent, ServerStatus, WindowState

STABLE = 0.5
"""A partial's portion of at least this stability is its stable part: the server sends 0.9 and 0.1."""

EAGER = 1.0
"""A portion of this stability is an eager text: no promise, and no part of it is stable."""


def seconds(duration: Duration) -> float:
    return duration.seconds + duration.nanos / 1e9


def heard(response: pb.StreamingRecognizeResponse, received_at_s: float) -> Iterator[Heard]:
    """Everything one message says: finals one by one, the portions of a partial as one, then the event."""
    finals = [result for result in response.results if result.is_final]
    portions = [result for result in response.results if not result.is_final]
    for result in finals:
        yield final(result, received_at_s)
    if portions:
        yield _partial(portions, received_at_s)
    if response.speech_event_type:
        kind = pb.StreamingRecognizeResponse.SpeechEventType.Name(response.speech_event_type).lower()
        yield SpeechEvent(kind, seconds(response.speech_event_offset), received_at_s)


def final(result: pb.StreamingRecognitionResult, received_at_s: float) -> Result:
    alternatives = tuple(AlternativeText(alternative.transcript, alternative.confidence) for alternative in result.alternatives)
    best = alternatives[0] if alternatives else AlternativeText("", 0.0)
    return Result(
        text=best.text,
        stable_text=best.text,
        is_final=True,
        stability=1.0,
        segment=result.segment,
        start_s=seconds(result.result_start_offset),
        end_s=seconds(result.result_end_offset),
        received_at_s=received_at_s,
        language=result.language_code,
        confidence=best.confidence,
        alternatives=alternatives,
        words=_words(result.alternatives[0].words) if result.alternatives else (),
        ledger=_ledger(result.ledger) if result.HasField("ledger") else None,
        system=_system(result.system) if result.HasField("system") else None,
        trace_id=result.trace_id,
        segment_id=result.segment_id,
    )


def _partial(portions: Sequence[pb.StreamingRecognitionResult], received_at_s: float) -> Result:
    texts = [(portion.alternatives[0].transcript if portion.alternatives else "", portion.stability) for portion in portions]
    return Result(
        text="".join(text for text, _ in texts),
        stable_text="".join(text for text, stability in texts if STABLE <= stability < EAGER),
        is_final=False,
        stability=round(min(stability for _, stability in texts), 3),  # the wire's 32-bit 0.9 is 0.8999999762
        segment=portions[0].segment,
        start_s=seconds(portions[0].result_start_offset),
        end_s=seconds(portions[-1].result_end_offset),
        received_at_s=received_at_s,
        language=portions[0].language_code,
    )


def _words(words: Iterable[pb.WordInfo]) -> tuple[WordTime, ...]:
    return tuple(WordTime(word.word, seconds(word.start_time), seconds(word.end_time), word.confidence) for word in words)


def _ledger(ledger: pb.Ledger) -> LedgerView:
    return LedgerView(
        budget_ms=ledger.budget_ms,
        response_ms=ledger.response_ms,
        slices=_slices(ledger.slices),
        late=ledger.late,
        degraded=tuple(ledger.degraded),
        endpoint_wait_ms=ledger.endpoint_wait_ms,
        predicted_ms=ledger.asr_predicted_ms,
        beam_size=ledger.beam_size,
        guard=ledger.guard,
        audio_ms=ledger.audio_ms,
        speculated_ms=ledger.speculated_ms,
    )


def _slices(slices: Iterable[pb.LedgerSlice]) -> tuple[Slice, ...]:
    return tuple(Slice(part.name, part.planned_ms, part.spent_ms) for part in slices)


def _system(system: pb.SystemVersion) -> SystemView:
    return SystemView(
        code=system.code,
        data_definition=system.data_definition,
        data_definition_digest=system.data_definition_digest,
        model=system.model,
        weights_sha256=system.weights_sha256,
        options=dict(system.options),
    )


def server_info(info: pb.GetServerInfoResponse) -> ServerInfo:
    return ServerInfo(
        version=info.version,
        models=tuple(
            ModelView(model.name, model.weights_sha256, tuple(model.languages), model.is_default, dict(model.options))
            for model in info.models
        ),
        data_definitions=tuple(DefinitionView(known.name, known.digest, known.is_default) for known in info.data_definitions),
        limits=_limits(info.limits),
        endpointing_ms={field.name: getattr(info.endpointing, field.name) for field in pb.EndpointingConfig.DESCRIPTOR.fields},
        budget=_slices(info.budget),
        presets=tuple(
            PresetView(preset.name, preset.shortest_stop_ms, preset.longest_stop_ms, preset.beam_size, preset.context_ms, preset.model)
            for preset in info.presets
        ),
        encodings=tuple(pb.RecognitionConfig.AudioEncoding.Name(encoding) for encoding in info.encodings),
        active_sessions=info.active_sessions,
        longest_loop_stall_ms=info.longest_loop_stall_ms,
        prediction_error=info.prediction_error,
    )


def _limits(limits: pb.Limits) -> dict[str, float]:
    named: dict[str, float] = {}
    for field in pb.Limits.DESCRIPTOR.fields:
        value = getattr(limits, field.name)
        if isinstance(value, Duration):
            named[f"{field.name}_s"] = seconds(value)
        else:
            named[field.name] = value
    return named


def drift_status(report: pb.GetDriftReportResponse) -> DriftStatus:
    return DriftStatus(
        is_watching=report.is_watching,
        reference=report.reference,
        reference_segments=report.reference_segments,
        data=report.data_drift,
        concept=report.concept_drift,
        system=report.system_drift,
        drifting=tuple(Drifting(one.feature, one.kind, one.unit, one.meaning, one.label, one.value) for one in report.drifting),
        changes=tuple(
            ChangeRow(
                at_s=_unix_s(change.at),
                since_s=_unix_s(change.since),
                feature=change.feature,
                label=change.label,
                value=change.value,
                is_back=change.is_back,
                kind=change.change,
                severity=change.severity,
                shift=change.shift,
                psi=change.psi,
                before=tuple(change.before),
                after=tuple(change.after),
                trace_id=change.trace_id,
            )
            for change in report.changes
        ),
    )


def objectives(response: pb.GetSloResponse) -> tuple[ObjectiveState, ...]:
    return tuple(
        ObjectiveState(
            one.name,
            one.share,
            tuple(WindowState(seconds(window.length), window.events, window.bad, window.burn_rate) for window in one.windows),
            one.firing,
        )
        for one in response.objectives
    )


def server_status(status: pb.GetStatusResponse) -> ServerStatus:
    return ServerStatus(
        is_serving=status.is_serving,
        active_sessions=status.active_sessions,
        queue_depth=status.queue_depth,
        running=status.running,
        threads=status.threads,
        memory_bytes=status.memory_bytes,
        prediction_error=status.prediction_error or None,
        longest_loop_stall_ms=status.longest_loop_stall_ms,
        recent=Recent(
            segments=status.segments,
            late=status.late,
            empty=status.empty,
            failed=status.failed,
            degraded=status.degraded,
            latency=tuple(
                Latency(one.name, _set(one, "planned_ms"), _set(one, "p50_ms"), _set(one, "p95_ms"), _set(one, "p99_ms"))
                for one in status.latency
            ),
        ),
        probe_wer=_set(status, "probe_wer"),
        probe_wer_change=_set(status, "probe_wer_change"),
        probe_ttfs_ms=_set(status, "probe_ttfs_ms"),
        labelled_words=status.labelled_words,
        labelled_errors=status.labelled_errors,
    )


def _set(message: Message, name: str) -> float | None:
    """None for a number that was not told."""
    return float(getattr(message, name)) if message.HasField(name) else None


def _unix_s(timestamp: Timestamp) -> float:
    return timestamp.seconds + timestamp.nanos / 1e9
