"""The three ways to have a recording recognised: our engine, our server, plain faster-whisper."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from faster_whisper import WhisperModel, decode_audio
from faster_whisper import __version__ as faster_whisper_version

from asr_server.api.client import Client
from asr_server.api.options import StreamOptions
from asr_server.api.results import Result, ServerInfo
from asr_server.engine.engine import DecodeOptions, Engine, Release
from asr_server.engine.weights import ModelFiles, resolve
from asr_server.engine.whisper import EngineOptions, WhisperEngine
from asr_server.errors import AsrError
from asr_server.local_server import local_server, serve_command
from asr_server.version import code_version
from audio_norm import AudioError, DataDefinition, Samples, decode_file, load_definition
from eval.manifest import Clip
from eval.recognisers import Failed, Recogniser, Skipped, System

ENGINE_MAX_S = 28.0
"""Longest clip the engine takes as one window: its 30 s less the silence it wants after the speech."""


class Via(StrEnum):
    """Who recognises."""

    ENGINE = "engine"
    SERVER = "server"
    FASTER_WHISPER = "faster-whisper"


@dataclass(frozen=True, slots=True)
class ViaOptions:
    via: Via
    model: str = "base"
    server: str | None = None
    """host:port of a running server; None: one is started for the run."""
    realtime: bool = False
    jobs: int = 1
    """Clips at a time."""
    threads: int = 1
    """Of faster-whisper."""


@asynccontextmanager
async def open_recogniser(options: ViaOptions) -> AsyncIterator[Recogniser]:
    """Ready to hear: weights loaded, or server reached. Raises AsrError when it cannot be."""
    match options.via:
        case Via.ENGINE:
            yield EngineRecogniser(await asyncio.to_thread(load_engine, options.model, options.jobs), load_definition("v1"))
        case Via.FASTER_WHISPER:
            yield FasterWhisper(await asyncio.to_thread(resolve, options.model), threads=options.threads)
        case Via.SERVER if options.server is None:
            async with local_server(serve_command(options.model)) as address, Client(address) as client:
                yield ServerRecogniser(client, await client.server_info(), realtime=options.realtime)
        case Via.SERVER:
            async with Client(options.server) as client:
                yield ServerRecogniser(client, await client.server_info(), realtime=options.realtime)


def load_engine(model: str, workers: int) -> WhisperEngine:
    """Our engine as the server has it, for `workers` decodes at a time. Raises SetupError."""
    return WhisperEngine.load(resolve(model), EngineOptions(workers=workers))


def server_system(info: ServerInfo) -> System:
    """What a server's results are made by."""
    made_by = info.system()
    definition = f"{made_by.data_definition} {made_by.data_definition_digest}"
    return System(made_by.code, definition, Release(made_by.model, made_by.weights_sha256, made_by.options))


def primary_tag(language: str) -> str:
    """Of a BCP-47 tag: "en" of "en-US"."""
    return language.partition("-")[0].lower()


class EngineRecogniser:
    """The engine on the whole clip as one window: no endpointing, no budget, nothing given up."""

    def __init__(self, engine: Engine, definition: DataDefinition) -> None:
        self._engine = engine
        self._definition = definition

    @property
    def system(self) -> System:
        return System(code_version(), f"{self._definition.version} {self._definition.digest}", self._engine.release)

    async def hear(self, clip: Clip) -> str:
        return await asyncio.to_thread(self._hear, clip)

    def _hear(self, clip: Clip) -> str:
        language = primary_tag(clip.language)
        if language not in self._engine.languages:
            raise Skipped(f"the model does not speak {language!r}")
        try:
            frames, rate_hz = decode_file(clip.audio.read_bytes())
            duration_s = len(frames) / rate_hz
            if duration_s > ENGINE_MAX_S:
                raise Skipped(f"{duration_s:.1f} s long, one window holds {ENGINE_MAX_S:g} s: use --via server")
            normalized = self._definition.normalize(frames, rate_hz)
            if normalized.rejected:
                return ""
            return self._engine.decode(normalized, DecodeOptions(language=language)).hypothesis.text
        except (AsrError, AudioError, OSError) as error:
            raise Failed(str(error)) from error


class ServerRecogniser:
    """A running server, over gRPC, endpointing, budget and all. The finals' texts in order are what it heard."""

    def __init__(self, client: Client, info: ServerInfo, *, realtime: bool) -> None:
        self._client = client
        self._realtime = realtime
        self._languages = next((model.languages for model in info.models if model.is_default), ())
        self._system = server_system(info)

    @property
    def system(self) -> System:
        return self._system

    async def hear(self, clip: Clip) -> str:
        language = primary_tag(clip.language)
        if language not in self._languages:
            raise Skipped(f"the server's model does not speak {language!r}")
        options = StreamOptions(language_code=language, interim_results=False)
        try:
            stream = self._client.stream_file(clip.audio, options, realtime=self._realtime)
            texts = [heard.text.strip() async for heard in stream if isinstance(heard, Result) and heard.is_final]
        except (AsrError, AudioError, OSError) as error:
            raise Failed(str(error)) from error
        return " ".join(texts)


class FasterWhisper:
    """The baseline: faster-whisper as its users call it, int8 on the CPU, beam of 5, everything else its default. Any length of clip."""

    def __init__(self, files: ModelFiles, *, threads: int) -> None:
        self._files = files
        self._threads = threads
        self._model = WhisperModel(str(files.path), device="cpu", compute_type="int8", cpu_threads=threads)

    @property
    def system(self) -> System:
        options = {"compute_type": "int8", "beam_size": "5", "cpu_threads": str(self._threads)}
        return System(f"faster-whisper {faster_whisper_version}", "none", Release(self._files.name, self._files.sha256, options))

    async def hear(self, clip: Clip) -> str:
        language = primary_tag(clip.language)
        if language not in self._model.supported_languages:
            raise Skipped(f"the model does not speak {language!r}")
        try:
            return await asyncio.to_thread(self.transcribe, clip.audio, language)
        except Exception as error:  # whatever a foreign library raises on one clip is a finding, not the end of the run
            raise Failed(f"{type(error).__name__}: {error}") from error

    def transcribe(self, audio: Path | Samples, language: str) -> str:
        """The whole text of a file, or of 16 kHz samples (`samples_of`). Blocks."""
        source = str(audio) if isinstance(audio, Path) else audio
        segments, _ = self._model.transcribe(source, beam_size=5, language=language)
        return " ".join(segment.text.strip() for segment in segments)

    @staticmethod
    def samples_of(path: Path) -> Samples:
        """A file as `transcribe` would read it."""
        return decode_audio(str(path))  # type: ignore[no-any-return]
