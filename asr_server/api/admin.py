"""The `asr.v1.Admin` service: how things stand, for programs."""

from collections.abc import Callable, Iterable

from google.protobuf.timestamp_pb2 import Timestamp

from asr_server.api.status import Context
from asr_server.api.wire import seconds
from asr_server.pb import asr_pb2 as pb
from asr_server.pb import asr_pb2_grpc
from asr_server.watch.status import DriftStatus, ObjectiveState, ServerStatus


class AdminService(asr_pb2_grpc.AdminServicer):
    """Answers from memory, also while the model loads."""

    def __init__(
        self,
        drift: Callable[[], DriftStatus],
        objectives: Callable[[], Iterable[ObjectiveState]],
        status: Callable[[], ServerStatus],
    ) -> None:
        self._drift = drift
        self._objectives = objectives
        self._status = status

    async def GetDriftReport(self, request: pb.GetDriftReportRequest, context: Context) -> pb.GetDriftReportResponse:  # noqa: N802
        status = self._drift()
        return pb.GetDriftReportResponse(
            is_watching=status.is_watching,
            reference=status.reference,
            reference_segments=status.reference_segments,
            data_drift=status.data,
            concept_drift=status.concept,
            system_drift=status.system,
            drifting=[
                pb.DriftingFeature(feature=one.feature, kind=one.kind, unit=one.unit, meaning=one.meaning, label=one.label, value=one.value)
                for one in status.drifting
            ],
            changes=[
                pb.DriftChange(
                    feature=change.feature,
                    label=change.label,
                    value=change.value,
                    is_back=change.is_back,
                    at=_timestamp(change.at_s),
                    since=_timestamp(change.since_s),
                    change=change.kind,
                    severity=change.severity,
                    shift=change.shift,
                    psi=change.psi,
                    before=change.before,
                    after=change.after,
                    trace_id=change.trace_id,
                )
                for change in status.changes
            ],
        )

    async def GetSlo(self, request: pb.GetSloRequest, context: Context) -> pb.GetSloResponse:  # noqa: N802
        return pb.GetSloResponse(
            objectives=[
                pb.ObjectiveState(
                    name=state.name,
                    share=state.share,
                    windows=[
                        pb.ObjectiveWindow(
                            length=seconds(window.length_s), events=window.events, bad=window.bad, burn_rate=window.burn_rate
                        )
                        for window in state.windows
                    ],
                    firing=state.firing,
                )
                for state in self._objectives()
            ]
        )

    async def GetStatus(self, request: pb.GetStatusRequest, context: Context) -> pb.GetStatusResponse:  # noqa: N802
        status = self._status()
        recent = status.recent
        return pb.GetStatusResponse(
            is_serving=status.is_serving,
            active_sessions=status.active_sessions,
            queue_depth=status.queue_depth,
            running=status.running,
            threads=status.threads,
            memory_bytes=status.memory_bytes,
            prediction_error=status.prediction_error or 0.0,
            longest_loop_stall_ms=status.longest_loop_stall_ms,
            segments=recent.segments,
            late=recent.late,
            empty=recent.empty,
            failed=recent.failed,
            degraded=recent.degraded,
            latency=[
                pb.LatencyQuantiles(name=one.name, planned_ms=one.planned_ms, p50_ms=one.p50_ms, p95_ms=one.p95_ms, p99_ms=one.p99_ms)
                for one in recent.latency
            ],
            probe_wer=status.probe_wer,
            probe_wer_change=status.probe_wer_change,
            probe_ttfs_ms=status.probe_ttfs_ms,
            labelled_words=status.labelled_words,
            labelled_errors=status.labelled_errors,
        )


def _timestamp(unix_s: float) -> Timestamp:
    return Timestamp(seconds=int(unix_s), nanos=round(unix_s % 1 * 1e9) % 1_000_000_000)
