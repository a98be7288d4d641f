"""A running server, over gRPC, endpointing, budget and all."""

from collections.abc import Sequence

from asr_server.accuracy.language import primary_tag
from asr_server.accuracy.manifest import Clip
from asr_server.api.client import Client
from asr_server.api.options import StreamOptions
from asr_server.api.results import PresetView, Result, ServerInfo
from asr_server.engine.engine import Release
from asr_server.errors import AsrError, WrongCall
from audio_norm import AudioError
from eval.recognisers import Failed, Heard, HeardSegment, Skipped, System


def server_system(info: ServerInfo, preset: str = "") -> System:
    """What a server's results with a preset are made by, as long as they are in time; "beside" among the options: other models that may
    have made some. Raises WrongCall as `preset_of`."""
    made_by = info.system(preset_of(info, preset).model)
    definition = f"{made_by.data_definition} {made_by.data_definition_digest}"
    beside = " ".join(f"{model.name} {model.weights_sha256[:12]}" for model in info.models if model.name != made_by.model)
    options = {**made_by.options, **({"beside": beside} if beside else {})}
    return System(made_by.code, definition, Release(made_by.model, made_by.weights_sha256, options))


def preset_of(info: ServerInfo, name: str) -> PresetView:
    """The preset of that name; "": the server's own choice, where it has none at all one without a name. Raises WrongCall for one that it
    does not have."""
    if not name:
        stop_ms = info.endpointing_ms["vad_stop_ms"]
        return next(iter(info.presets), PresetView("", stop_ms, stop_ms, beam_size=0, context_ms=0))
    chosen = next((preset for preset in info.presets if preset.name == name), None)
    if chosen is None:
        raise WrongCall(f"--preset {name}: the server has {', '.join(preset.name for preset in info.presets) or 'none'}")
    return chosen


class ServerRecogniser:
    """The finals of a stream in order are what it heard."""

    def __init__(self, client: Client, info: ServerInfo, *, realtime: bool, budget_ms: int = 0, preset: str = "") -> None:
        self._client = client
        self._realtime = realtime
        self._budget_ms = budget_ms
        self._preset = preset
        self._languages = next((model.languages for model in info.models if model.is_default), ())
        self._system = server_system(info, preset)

    @property
    def system(self) -> System:
        return self._system

    async def hear(self, clip: Clip) -> Heard:
        language = primary_tag(clip.language)
        if language not in self._languages:
            raise Skipped(f"the server's model does not speak {language!r}")
        options = StreamOptions(language_code=language, interim_results=False, latency_budget_ms=self._budget_ms, preset=self._preset)
        try:
            stream = self._client.stream_file(clip.audio, options, realtime=self._realtime)
            finals = [heard async for heard in stream if isinstance(heard, Result) and heard.is_final]
        except (AsrError, AudioError, OSError) as error:
            raise Failed(str(error)) from error
        segments = tuple(HeardSegment(final.text, final.start_s, final.end_s, final.confidence) for final in finals)
        return Heard(segments, _given_s(finals))


def _given_s(finals: Sequence[Result]) -> float | None:
    """By their ledgers. None without any: what was kept from the recogniser has no final."""
    given_ms = [final.ledger.audio_ms for final in finals if final.ledger is not None]
    return sum(given_ms) / 1000 if given_ms else None
