"""Who looks at a server, put together: traces and metrics, drift, the journal, feedback, error budgets. Beside `app`, which serves."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from asr_server.accuracy.manifest import Clip, ManifestError, read_manifest
from asr_server.accuracy.wer import ErrorCounts
from asr_server.api.admission import Admission
from asr_server.api.host import Host
from asr_server.api.probing import Prober
from asr_server.api.second import SecondOpinions
from asr_server.engine.worker import Worker
from asr_server.errors import BadSettings
from asr_server.machine import resident_bytes
from asr_server.settings import TelemetrySettings
from asr_server.version import code_version
from asr_server.watch import attributes as names
from asr_server.watch.drift.features import feature
from asr_server.watch.drift.monitor import DriftMonitor
from asr_server.watch.drift.reference import Origin, Reference, read_reference
from asr_server.watch.feedback import FeedbackDesk
from asr_server.watch.journal.journal import Journal
from asr_server.watch.journal.listener import JournalListener, change_row
from asr_server.watch.journal.reading import find_segment
from asr_server.watch.monitoring.budgets import ErrorBudgets
from asr_server.watch.observer import All, Observer
from asr_server.watch.probes import Probes
from asr_server.watch.recent import RecentSegments
from asr_server.watch.stall import LoopStallMonitor
from asr_server.watch.status import Drifting, DriftStatus, ObjectiveState, ServerStatus
from asr_server.watch.telemetry import (
    DRIFT_FEATURE,
    DRIFT_SLICE,
    FEEDBACK_KIND,
    WORD_KIND,
    Count,
    Gauge,
    Gauges,
    Looked,
    TelemetryOptions,
    open_telemetry,
)

logger = logging.getLogger(__name__)


class Watching:
    """For a server's life; on leaving, what is left is delivered and written. `observer` is to be told everything."""

    def __init__(self, wished: TelemetrySettings, environ: Mapping[str, str]) -> None:
        """Raises `BadSettings`: a file that cannot be read, or not be written later, is found before anything is loaded."""
        self._gather = wished.gather
        if self._gather is not None and not self._gather.parent.is_dir():
            raise BadSettings(f"telemetry.gather: there is no folder {self._gather.parent}")
        reference = read_reference(wished.reference) if wished.reference is not None else None
        options = TelemetryOptions(
            version=code_version(), transcripts=wished.transcripts, prometheus=wished.prometheus, keep_share=wished.keep_share
        )
        self.stalls = LoopStallMonitor()
        self._budgets = ErrorBudgets()
        self._admission: Admission | None = None
        self._worker: Worker | None = None
        self._telemetry = open_telemetry(options, environ)
        try:
            journal = Journal(wished.journal, keep_days=wished.journal_days) if wished.journal is not None else None
        except BaseException:
            self._telemetry.shutdown()
            raise
        if journal is None and wished.second_opinions:
            self._telemetry.shutdown()
            raise BadSettings("telemetry.second_opinions wants a journal: set telemetry.journal")
        self._journal = journal
        self.feedback: FeedbackDesk | None = None
        self._recent = RecentSegments()
        listeners: list[Observer] = [self._telemetry, self._budgets, self._recent]
        if journal is not None and wished.journal is not None:
            path = wished.journal
            self.feedback = FeedbackDesk(journal.keep, lambda segment_id: find_segment(path, segment_id))
            listeners += [JournalListener(journal.put), self.feedback]
        self._golden = _golden_clips(wished.probes)
        self._probe_every_s = wished.probe_every_s
        self._second_share = wished.second_opinions
        self.second: SecondOpinions | None = None
        self._probes = Probes(journal.put if journal is not None else lambda _: None)
        self._probing: asyncio.Task[None] | None = None
        self._drift: DriftMonitor | None = None
        self.observer: Observer = All(*listeners)
        if reference is not None or self._gather is not None:
            self._drift = DriftMonitor(
                self.observer, reference, (lambda change: journal.put(change_row(change))) if journal is not None else lambda _: None
            )
            self.observer = self._drift

    async def __aenter__(self) -> Self:
        await self.stalls.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stalls.__aexit__(kind, error, trace)
        await self.stop_probing()
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        if self._journal is not None:
            self._journal.close()
        if self._gather is not None:
            self._write(self._gather)
        self._telemetry.shutdown()

    def begin(self, admission: Admission, host: Host, origin: Origin) -> None:
        """The server is ready."""
        self._admission, self._worker = admission, host.worker
        self._telemetry.look_at(*_looked_at(admission, host.worker, self.stalls))
        if self.second is not None and self.feedback is not None:
            self._telemetry.look_at(*_of_doubts(self.feedback, self.second))
        if self._golden:
            prober = Prober(self._golden, self._probe_every_s, host, admission.number, self._probes.add)
            self._probing = asyncio.create_task(prober.run(), name="golden-clips")
            self._telemetry.look_at(*_of_probes(self._probes, prober))
        self.stalls.reset()
        if self._drift is not None:
            self._drift.watches(origin)
            if self._gather is not None:
                self._drift.fill(Reference(origin))
            of = (DRIFT_FEATURE, DRIFT_SLICE)
            self._telemetry.look_at(
                Gauges("asr.drift", "1", "Features of segments that differ from the reference.", of, self._drift.as_labels)
            )
        if self._journal is not None and self.feedback is not None:
            self._telemetry.look_at(*_of_users(self._journal, self.feedback))

    def second_opinions(self, worker: Worker, beam_size: int, number: Callable[[], int]) -> SecondOpinions | None:
        """Who gives them; None where they are not wished for."""
        journal, desk = self._journal, self.feedback
        if not self._second_share or journal is None or desk is None:
            return None
        self.second = SecondOpinions(
            worker, self._second_share, beam_size, number, lambda segment_id, errors: desk.second_opinion(segment_id, errors, journal.put)
        )
        return self.second

    async def stop_probing(self) -> None:
        """Before the worker ends."""
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)

    def drift_status(self) -> DriftStatus:
        """Whether the audio, the texts or the times have left their reference.

        Worse texts are a concept's drift only where the audio is as it was; by the texts that users corrected they are that in any case.
        """
        desk = self.feedback
        is_worse = desk is not None and bool(desk.concept.worse or desk.doubts.worse)
        if self._drift is None or self._drift.reference is None:
            return DriftStatus(concept=is_worse)
        reference, kinds = self._drift.reference, self._drift.kinds
        drifting = tuple(
            Drifting(name, feature(name).kind, feature(name).unit, feature(name).meaning, label, value)
            for (label, value), name in sorted(self._drift.drifting)
        )
        return DriftStatus(
            is_watching=True,
            reference=str(reference.origin),
            reference_segments=reference.segments,
            data="audio" in kinds,
            concept=is_worse or ("text" in kinds and "audio" not in kinds),
            system="system" in kinds,
            drifting=drifting,
            changes=tuple(change_row(change) for change in self._drift.changes),
        )

    def objectives(self) -> tuple[ObjectiveState, ...]:
        return self._budgets.states()

    def status(self) -> ServerStatus:
        if self._admission is None or self._worker is None:
            return ServerStatus(memory_bytes=round(resident_bytes() or 0))
        worker, ttfs_s = self._worker, self._probes.ttfs_s
        errors = self.feedback.errors if self.feedback is not None else ErrorCounts.zero()
        return ServerStatus(
            is_serving=True,
            active_sessions=self._admission.active,
            queue_depth=worker.queue_depth,
            running=worker.running,
            threads=worker.threads,
            memory_bytes=round(resident_bytes() or 0),
            prediction_error=worker.prediction_error,
            longest_loop_stall_ms=self.stalls.longest_ms,
            recent=self._recent.recent(),
            probe_wer=self._probes.wer,
            probe_wer_change=self._probes.wer_change,
            probe_ttfs_ms=None if ttfs_s is None else ttfs_s * 1000,
            labelled_words=errors.words,
            labelled_errors=errors.errors,
        )

    def _write(self, path: Path) -> None:
        """What was gathered, if anything was."""
        if self._drift is None or self._drift.filled is None:
            return
        try:
            self._drift.filled.write(path)
        except BadSettings as error:
            logger.error("the profile of what was recognised: %s", error)  # noqa: TRY400 - one line
        else:
            logger.info("the profile of %d segments is in %s", self._drift.filled.segments, path)


def _golden_clips(manifest: Path | None) -> list[Clip]:
    if manifest is None:
        return []
    try:
        return read_manifest(manifest)
    except ManifestError as error:
        raise BadSettings(f"telemetry.probes: {error}") from None


def _of_probes(probes: Probes, prober: Prober) -> tuple[Looked, ...]:
    return (
        Gauge("asr.probe.wer", "1", "Error rate of the golden clips, the last time each was spoken.", lambda: probes.wer),
        Gauge("asr.probe.wer_change", "1", "The same, less that of the first time.", lambda: probes.wer_change),
        Gauge("asr.probe.time_to_final", "s", "Median time to final text of the golden clips.", lambda: probes.ttfs_s),
        Count("asr.probe.skipped", "{probe}", "Golden clips put off since callers spoke.", (), lambda: {(): prober.skipped}),
        Count("asr.probe.failed", "{probe}", "Golden clips that could not be heard.", (), lambda: {(): prober.failed}),
    )


def _of_doubts(desk: FeedbackDesk, second: SecondOpinions) -> tuple[Looked, ...]:
    def words() -> dict[tuple[str, ...], float]:
        return {("said",): desk.disagreement.words, ("wrong",): desk.disagreement.errors}

    return (
        Count("asr.second_opinion", "{word}", "Words of second opinions, and those that differ.", (WORD_KIND,), words),
        Count(
            "asr.second_opinion.skipped", "{segment}", "Segments that nobody had time to decode again.", (), lambda: {(): second.skipped}
        ),
    )


def _of_users(journal: Journal, desk: FeedbackDesk) -> tuple[Looked, ...]:
    return (
        Count("asr.journal.dropped", "{row}", "Rows that the journal could not keep.", (), lambda: {(): journal.dropped}),
        Count("asr.feedback", "{answer}", "What users said of segments.", (FEEDBACK_KIND,), lambda: desk.counts),
        Count("asr.labelled", "{word}", "Words of texts that users corrected.", (WORD_KIND,), lambda: _labelled(desk)),
    )


def _labelled(desk: FeedbackDesk) -> dict[tuple[str, ...], float]:
    errors = desk.errors
    return {("said",): errors.words, ("wrong",): errors.errors}


def _looked_at(admission: Admission, worker: Worker, stalls: LoopStallMonitor) -> tuple[Looked, ...]:
    """What is measured when somebody looks; read on other threads."""
    return (
        Count("asr.threads.busy", "s", "Time that decodes have kept threads, by purpose.", (names.PURPOSE,), lambda: _by_purpose(worker)),
        Gauge("asr.sessions.active", "{session}", "Streams and files inside.", lambda: admission.active),
        Gauge("asr.queue.depth", "{job}", "Decodes that wait for a thread.", lambda: worker.queue_depth),
        Gauge("asr.decodes.running", "{job}", "Decodes that threads work on.", lambda: worker.running),
        Gauge("asr.threads", "{thread}", "Threads that decode.", lambda: worker.threads),
        Gauge("asr.prediction.error", "1", "By how much predictions have been off of late: 1.15 is 15 %.", lambda: worker.prediction_error),
        Gauge("asr.event_loop.stall", "s", "Longest time for which the event loop stood still, since last asked.", stalls.take_longest_s),
        Gauge("process.memory.usage", "By", "Resident memory of the server.", resident_bytes),
    )


def _by_purpose(worker: Worker) -> dict[tuple[str, ...], float]:
    return {(purpose.name.lower(),): busy_s for purpose, busy_s in worker.busy_s.items()}
