"""The server put together: start, warm up, serve, drain, stop. The only file that knows every room.

The port answers at once, so that a health check sees NOT_SERVING rather than nothing while the weights load; calls are let in when the
model has been loaded, warmed up and measured.
"""

import asyncio
import contextlib
import gc
import logging
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import grpc
import numpy as np
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from asr_server.api.admin import AdminService
from asr_server.api.admission import Admission
from asr_server.api.host import Host
from asr_server.api.interceptors import CallInterceptor
from asr_server.api.opening import MAX_MESSAGE_BYTES
from asr_server.api.service import SpeechService
from asr_server.api.status import status_of
from asr_server.api.stream import MAX_OPEN_FINALS
from asr_server.api.wire import Served, system_version
from asr_server.engine.capacity import Caller, LoadOptions
from asr_server.engine.load import WorkerLoad
from asr_server.engine.weights import ModelFiles, resolve, smaller_beside
from asr_server.engine.whisper import EngineOptions, WhisperEngine
from asr_server.engine.worker import Worker, WorkerOptions
from asr_server.errors import BadSettings, NotServing, SetupError
from asr_server.machine import give_back_memory, usable_cores
from asr_server.pb import asr_pb2 as pb
from asr_server.pb import asr_pb2_grpc
from asr_server.presets import PRESETS, Preset
from asr_server.settings import Settings
from asr_server.version import code_version
from asr_server.watch.drift.reference import Origin
from asr_server.watching import Watching
from audio_norm import DataDefinition, Span, SpeechWindow, load_definition

logger = logging.getLogger(__name__)

SERVICE = pb.DESCRIPTOR.services_by_name["Speech"].full_name
ADMIN_SERVICE = pb.DESCRIPTOR.services_by_name["Admin"].full_name
SPARE_RPCS = 256
ENVELOPE_BYTES = 4 << 20
"""Room around the largest audio: an audio a little over its limit is told so, one far over it is refused by gRPC itself."""
FINISH_S = 2.0
"""Of the drain time, what is kept for streams that are still open to get their last finals."""

_LOADING = "load-engine"
_TIDY_EVERY_S, _TIDY_WITHIN_S, _TIDY_LOOK_S = 20.0, 20.0, 0.05
_RIPEN_MS = 64.0
"""Beside `speculate_after_ms` 32. Of 1,653 decodes of 162 clips, 338 became finals; half of all pauses end within this time."""


async def serve(settings: Settings, environ: Mapping[str, str], ready: Callable[[str, int], None]) -> None:
    """Serve until SIGTERM or SIGINT, then drain. `ready` is told the address once calls are let in. Raises `SetupError`."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    watching = Watching(settings.telemetry, environ)
    async with watching:
        definition = load_definition(settings.data_definition)
        interceptor = CallInterceptor(watching.observer, status_of)
        await _serve(settings, definition, interceptor=interceptor, watching=watching, stop=stop, ready=ready)
        await interceptor.all_closed()


async def _serve(
    settings: Settings,
    definition: DataDefinition,
    *,
    interceptor: CallInterceptor,
    watching: Watching,
    stop: asyncio.Event,
    ready: Callable[[str, int], None],
) -> None:
    admission = Admission(settings.limits)
    service = SpeechService(admission, lambda: watching.stalls.longest_ms)
    healths = health.aio.HealthServicer()
    admin = AdminService(watching.drift_status, watching.objectives, watching.status)
    server, port = await _listen(settings, service, admin, healths, interceptor)
    try:
        await _report_health(healths, serving=False)
        loading = _on_thread(lambda: _load_engines(settings, definition))
        stopping = asyncio.create_task(stop.wait())
        stopping.add_done_callback(lambda _: loading.cancel())
        await asyncio.wait({loading})
        if loading.cancelled():
            logger.info("stopped while loading")
            return
        engines = loading.result()
        async with Worker(engines.main, _worker_options(settings, engines.main), smaller=engines.smaller) as worker:
            second = watching.second_opinions(worker, settings.engine.beam_size, admission.number)
            host = replace(_host(settings, definition, engines, worker), feedback=watching.feedback, second=second)
            service.open(host)
            origin = Origin(definition.version, engines.main.release.model, engines.main.release.weights_sha256, "recognised by a server")
            # What has been loaded stays: the garbage collector need not look at it again, which would hold up the loop for tens of ms.
            gc.collect()
            gc.freeze()
            watching.begin(admission, host, origin)
            await _report_health(healths, serving=True)
            ready(settings.host, port)
            tidying = asyncio.create_task(_give_memory_back(worker), name="give-memory-back")
            await stopping
            tidying.cancel()
            logger.info("stopping; sessions still open: %d, waiting for them at most %g s", admission.active, settings.drain_s)
            admission.close("the server is stopping")
            await watching.stop_probing()
            await healths.enter_graceful_shutdown()
            await _drain(server, service, settings.drain_s)
    finally:
        await server.stop(None)
    logger.debug("longest event-loop stall: %.1f ms", watching.stalls.longest_ms)


async def _give_memory_back(worker: Worker) -> None:
    """What decodes of ever other sizes have freed lies in pieces in a heap that grows for an hour, under three streams by a fifth of the
    memory. Returned while no thread decodes, if there is such a moment, it stays as it was."""
    while True:
        await asyncio.sleep(_TIDY_EVERY_S)
        for _ in range(round(_TIDY_WITHIN_S / _TIDY_LOOK_S)):
            if not worker.running:
                await asyncio.to_thread(give_back_memory)
                break
            await asyncio.sleep(_TIDY_LOOK_S)


async def _drain(server: grpc.aio.Server, service: SpeechService, drain_s: float) -> None:
    """Nobody is let in; streams go on until they end, or are ended shortly before the time is up, with all their finals."""
    stopped = asyncio.create_task(server.stop(drain_s))
    done, _ = await asyncio.wait({stopped}, timeout=max(drain_s - FINISH_S, 0.0))
    if not done:
        service.end_streams(NotServing("the server is stopping; what it had heard has been answered"))
    await stopped


async def _listen(
    settings: Settings, service: SpeechService, admin: AdminService, healths: health.aio.HealthServicer, interceptor: CallInterceptor
) -> tuple[grpc.aio.Server, int]:
    server = grpc.aio.server(
        interceptors=[interceptor],
        # A bound on what is held before admission looks at it; health checks must still get through when all sessions are taken.
        maximum_concurrent_rpcs=settings.limits.max_sessions + settings.limits.max_files + SPARE_RPCS,
        options=[
            ("grpc.max_receive_message_length", settings.limits.max_unary_bytes + ENVELOPE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
            ("grpc.so_reuseport", 0),  # a second server on the port is an error, not a silent half of the traffic
        ],
    )
    asr_pb2_grpc.add_SpeechServicer_to_server(service, server)
    asr_pb2_grpc.add_AdminServicer_to_server(admin, server)
    health_pb2_grpc.add_HealthServicer_to_server(healths, server)
    reflection.enable_server_reflection((SERVICE, ADMIN_SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    address = f"{settings.host}:{settings.port}"
    try:
        port = server.add_insecure_port(address)
    except RuntimeError:
        raise BadSettings(f"cannot listen on {address}: the port is taken, or the host is not one of this machine's") from None
    await server.start()
    return server, port


async def _report_health(healths: health.aio.HealthServicer, *, serving: bool) -> None:
    status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
    for name in ("", SERVICE):
        await healths.set(name, status)


@dataclass(frozen=True, slots=True)
class _Engines:
    main: WhisperEngine
    smaller: WhisperEngine | None


def _on_thread(work: Callable[[], _Engines]) -> asyncio.Future[_Engines]:
    """On a thread that the process does not wait for when it is told to stop: a download or a lock may take long."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_Engines] = loop.create_future()

    def settle(engines: _Engines | None, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        elif engines is not None:
            future.set_result(engines)

    def run() -> None:
        engines, failure = None, None
        try:
            engines = work()
        except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, engines, failure)

    threading.Thread(target=run, name=_LOADING, daemon=True).start()
    return future


def is_loading() -> bool:
    """Whether an engine is being loaded still: also after `serve` was told to stop and has returned."""
    return any(thread.name == _LOADING for thread in threading.enumerate())


def _load_engines(settings: Settings, definition: DataDefinition) -> _Engines:
    _warm_up(definition)
    engine = settings.engine.on_device(usable_cores())
    options = EngineOptions(
        device=engine.device,
        compute_type=engine.compute_type,
        workers=engine.workers,
        max_batch=engine.max_batch,
        beam_size=max(engine.beam_size, settings.limits.max_alternatives),
    )
    # Found first, loaded then: that takes seconds, and whoever wrote a wrong name should not wait for it.
    files, smaller_files = resolve(settings.model, settings.cache_dir), _smaller_beside(settings)
    if smaller_files is not None:
        _must_be_smaller(smaller_files, files)
    main = WhisperEngine.load(files, options)
    if smaller_files is None:
        return _Engines(main, None)
    logger.info("loading %s beside %s", smaller_files.name, files.name)
    with _names_the_setting():
        return _Engines(main, WhisperEngine.load(smaller_files, options))


def _smaller_beside(settings: Settings) -> ModelFiles | None:
    name = smaller_beside(settings.model, settings.engine.smaller_model, settings.cache_dir)
    with _names_the_setting():
        return resolve(name, settings.cache_dir) if name else None


def _must_be_smaller(files: ModelFiles, main: ModelFiles) -> None:
    """What is meant to save time must not take more, and requests tell models apart by their names."""
    with _names_the_setting():
        if files.name == main.name:
            raise SetupError(f'"{files.name}" is what the main model is called, too')
        if files.size_bytes >= main.size_bytes:
            raise SetupError(f'"{files.name}" is no smaller than "{main.name}"')


@contextlib.contextmanager
def _names_the_setting() -> Iterator[None]:
    try:
        yield
    except SetupError as error:
        raise SetupError(f"engine.smaller_model: {error}") from error


def _warm_up(definition: DataDefinition) -> None:
    """Everything a first stream would make the event loop wait for: the VAD's model, the resampler, the filters."""
    noise = np.random.default_rng(0).standard_normal(2 * definition.audio.rate_hz).astype(np.float32) * np.float32(0.01)
    intake, conditioner = definition.intake(48_000, 1), definition.conditioner()
    taken = intake.feed(noise[:, np.newaxis])
    conditioner.feed(taken.samples)
    definition.finish(SpeechWindow(noise, 0, (Span(0, len(noise)),)))


def _worker_options(settings: Settings, engine: WhisperEngine) -> WorkerOptions:
    limits = settings.limits
    return WorkerOptions(
        threads=engine.options.workers,
        max_batch=engine.options.max_batch,
        ripen_ms=_RIPEN_MS,
        # Room for every final that admitted sessions can leave open, and a partial each: no final of theirs is ever refused.
        max_queued=(limits.max_sessions + limits.max_files) * (MAX_OPEN_FINALS + 1),
        margin_ms=engine.options.margin_ms,
        retry_after_s=limits.retry_after_s,
    )


def _host(settings: Settings, definition: DataDefinition, engines: _Engines, worker: Worker) -> Host:
    engine = engines.main
    if settings.default_language not in (*engine.languages, "auto"):
        raise BadSettings(
            f"default_language is {settings.default_language!r}, {engine.release.model} speaks: {', '.join(engine.languages)}, or auto"
        )
    served = Served(
        model=engine.release.model,
        languages=engine.languages,
        default_language=settings.default_language,
        limits=settings.limits,
        budget=settings.budget,
        presets=_presets(settings),
        max_beam_size=settings.engine.beam_size,
        smaller_model=engines.smaller.release.model if engines.smaller is not None else "",
        smaller_languages=engines.smaller.languages if engines.smaller is not None else (),
    )
    system = system_version(code_version(), (definition.version, definition.digest), engine.release)
    usual = served.presets[0]
    by = engines.smaller if engines.smaller is not None and served.model_of(usual) == served.smaller_model else engine
    caller = Caller(beam_size=min(usual.beam_size, served.max_beam_size), word_times=False)
    load = WorkerLoad(
        caller.busy_share(by.cost, engine.options.margin_ms),
        worker.threads,
        lambda: worker.busy_s,
        LoadOptions(retry_after_s=settings.limits.retry_after_s),
    )
    return Host(worker=worker, engine=engine, definition=definition, served=served, system=system, load=load, smaller=engines.smaller)


def _presets(settings: Settings) -> tuple[Preset, ...]:
    """All of them, the default one first, with what the settings overrule."""
    ordered = sorted(PRESETS.values(), key=lambda preset: preset.name != settings.preset)
    try:
        return tuple(replace(preset, session=settings.endpointing.applied_to(preset.session)) for preset in ordered)
    except ValueError as error:
        raise BadSettings(f"endpointing: {error}") from None
