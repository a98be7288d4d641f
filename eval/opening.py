"""A recogniser made ready: weights loaded, or a server reached or started."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from asr_server.api.client import Client
from asr_server.engine.weights import resolve
from asr_server.engine.whisper import EngineOptions, WhisperEngine
from asr_server.local_server import local_server, serve_command
from eval.by_engine import EngineRecogniser, preparation
from eval.by_faster_whisper import FasterWhisper
from eval.by_server import ServerRecogniser, preset_of
from eval.recognisers import Recogniser
from eval.via import Via, ViaOptions


@dataclass(frozen=True, slots=True)
class Opened:
    recogniser: Recogniser
    options: ViaOptions
    """With the names of what was left to the server."""


@asynccontextmanager
async def open_recogniser(options: ViaOptions) -> AsyncIterator[Opened]:
    """Raises AsrError or AudioError when it cannot be made ready."""
    match options.via:
        case Via.ENGINE:
            prepared = preparation(options.definition)
            engine = await asyncio.to_thread(load_engine, options.model, options.jobs, beam_size=options.beam_size)
            yield Opened(EngineRecogniser(engine, prepared, beam_size=options.beam_size), options)
        case Via.FASTER_WHISPER:
            yield Opened(FasterWhisper(await asyncio.to_thread(resolve, options.model), threads=options.threads), options)
        case Via.SERVER if options.server is None:
            async with local_server(serve_command(options.model)) as server, Client(server.address) as client:
                yield await _over(client, options)
        case Via.SERVER:
            async with Client(options.server) as client:
                yield await _over(client, options)


async def _over(client: Client, options: ViaOptions) -> Opened:
    info = await client.server_info()
    options = replace(options, preset=preset_of(info, options.preset).name)
    recogniser = ServerRecogniser(client, info, realtime=options.realtime, budget_ms=options.budget_ms, preset=options.preset)
    return Opened(recogniser, options)


def load_engine(model: str, workers: int, *, beam_size: int = 5, full_context: bool = False) -> WhisperEngine:
    """Our engine as the server has it, for `workers` decodes at a time; with `full_context` encoding 30 s always. `beam_size` is the most
    that a decode may ask for, and what its release says. Raises SetupError."""
    return WhisperEngine.load(resolve(model), EngineOptions(workers=workers, beam_size=beam_size, full_context=full_context))
