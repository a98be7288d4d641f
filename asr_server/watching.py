"""Who looks at a server, put together: traces and metrics, drift, the journal, feedback, error budgets. Beside `app`, which serves."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
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
from asr_server.errors import BadSettings, NotKept, WrongCall
from asr_server.machine import resident_bytes
from asr_server.settings import TelemetrySettings
from asr_server.version import code_version
from asr_server.watch import attributes as names
from asr_server.watch.concept import RateChange
from asr_server.watch.drift.features import feature
from asr_server.watch.drift.monitor import DriftMonitor, where
from asr_server.watch.drift.reference import Origin, Reference, read_reference
from asr_server.watch.feedback import FeedbackDesk
from asr_server.watch.journal.journal import Journal
from asr_server.watch.journal.listener import JournalListener, change_row
from asr_server.watch.journal.reading import find_segment, read_probes
from asr_server.watch.journal.rows import ChangeRow, SegmentRow
from asr_server.watch.monitoring.budgets import ErrorBudgets
from asr_server.watch.observer import All, Observer
from asr_server.watch.probes import Probes
from asr_server.watch.recent import RecentSegments
from asr_server.watch.stall import LoopStallMonitor
from asr_server.watch.status import Drifting, DriftStatus, ObjectiveState, ServerStatus
from asr_server.watch.telemetry import (
    DRIFT_FEATURE,
    DRIFT_KIND,
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

FORGET_EVERY_S = 60.0


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
        self._golden = _golden_clips(wished.probes)
        if wished.journal is None and wished.second_opinions:
            raise BadSettings("telemetry.second_opinions wants a journal: set telemetry.journal")
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
        self._journal = journal
        self.feedback: FeedbackDesk | None = None
        self._recent = RecentSegments()
        listeners: list[Observer] = [self._telemetry, self._budgets, self._recent]
        if journal is not None and wished.journal is not None:
            path = wished.journal
            self.feedback = FeedbackDesk(journal.keep, lambda segment_id: _found(path, segment_id), changed=self._rate_changed)
            listeners += [JournalListener(journal.put), self.feedback]
        self._probe_every_s = wished.probe_every_s
        self._second_share = wished.second_opinions
        self.second: SecondOpinions | None = None
        earlier = read_probes(wished.journal) if wished.journal is not None and self._golden else ()
        self._probes = Probes(journal.put if journal is not None else lambda _: None, earlier)
        self._probing: asyncio.Task[None] | None = None
        self._tidying: asyncio.Task[None] | None = None
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
        if self._tidying is not None:
            self._tidying.cancel()
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
        of = (DRIFT_FEATURE, DRIFT_SLICE, DRIFT_KIND)
        self._telemetry.look_at(Gauges("asr.drift", "1", "Features of segments that are not as they were.", of, self._drifting))
        if self._journal is not None and self.feedback is not None:
            self._tidying = asyncio.create_task(self._tidy(self.feedback), name="forget-texts")
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

    @staticmethod
    async def _tidy(desk: FeedbackDesk) -> None:
        while True:
            await asyncio.sleep(FORGET_EVERY_S)
            desk.forget()

    def _rate_changed(self, name: str, change: RateChange) -> None:
        """An error rate has risen, or has come down again."""
        label, value = change.slice
        how = "has come down" if change.is_back else "has risen"
        logger.warning(
            "%s of %s %s: %.3f to %.3f; it moves with %s", name, where(change.slice), how, change.before, change.now, feature(name).meaning
        )
        if self._journal is not None:
            now_s, rates = time.time(), (change.before,) * 3
            self._journal.put(
                ChangeRow(
                    at_s=now_s,
                    since_s=now_s,
                    feature=name,
                    label=label,
                    value=value,
                    is_back=change.is_back,
                    kind="sudden",
                    severity="marked",
                    before=rates,
                    after=(change.now,) * 3,
                )
            )

    def _drifting(self) -> dict[tuple[str, ...], float]:
        """By feature, slice and kind. May be called from any thread."""
        return {(one.feature, where((one.label, one.value)), one.kind): 1.0 for one in self._all_drifting()}

    def _all_drifting(self) -> tuple[Drifting, ...]:
        found: list[tuple[tuple[str, str], str]] = sorted(self._drift.drifting) if self._drift is not None else []
        if self.feedback is not None:
            found += [(one, "word_errors") for one in sorted(self.feedback.concept.worse)]
            found += [(one, "second_opinion") for one in sorted(self.feedback.doubts.worse)]
        return tuple(
            Drifting(name, feature(name).kind, feature(name).unit, feature(name).meaning, label, value) for (label, value), name in found
        )

    async def stop_probing(self) -> None:
        """Before the worker ends."""
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)

    def drift_status(self) -> DriftStatus:
        """Whether the audio, the texts or the times have left their reference.

        Worse texts are a concept's drift only in slices whose audio is as it was; by texts that users corrected they are that in any case.
        """
        drifting = self._all_drifting()
        moved = {(one.label, one.value) for one in drifting if one.kind == "audio"}
        told = DriftStatus(
            data=bool(moved),
            concept=any(one.kind == "text" and (one.feature == "word_errors" or (one.label, one.value) not in moved) for one in drifting),
            system=any(one.kind == "system" for one in drifting),
            drifting=drifting,
        )
        if self._drift is None or self._drift.reference is None:
            return told
        reference = self._drift.reference
        return replace(
            told,
            is_watching=True,
            reference=str(reference.origin),
            reference_segments=reference.segments,
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


def _found(path: Path, segment_id: str) -> SegmentRow | None:
    try:
        return find_segment(path, segment_id)
    except WrongCall as error:
        raise NotKept(f"the journal cannot be read: {error}") from None


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
    return (
        Count(
            "asr.second_opinion",
            "{word}",
            "Words of second opinions, and those that differ.",
            (WORD_KIND,),
            lambda: _words(desk.disagreement),
        ),
        Count(
            "asr.second_opinion.skipped", "{segment}", "Segments that nobody had time to decode again.", (), lambda: {(): second.skipped}
        ),
    )


def _of_users(journal: Journal, desk: FeedbackDesk) -> tuple[Looked, ...]:
    return (
        Count("asr.journal.dropped", "{row}", "Rows that the journal could not keep.", (), lambda: {(): journal.dropped}),
        Count("asr.feedback", "{answer}", "What users said of segments.", (FEEDBACK_KIND,), lambda: desk.counts),
        Count("asr.labelled", "{word}", "Words of texts that users corrected.", (WORD_KIND,), lambda: _words(desk.errors)),
    )


def _words(errors: ErrorCounts) -> dict[tuple[str, ...], float]:
    """By what became of them."""
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
