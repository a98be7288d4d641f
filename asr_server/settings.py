"""Everything that can be set from outside, read once: defaults, then the config file, then the environment, then the command line.

The file is YAML with the same names, sections nested. Environment: `ASR_` and the name, sections joined by two underscores, e.g.
`ASR_BUDGET__ASR_MS=250`. This file only builds the options that other files define.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from asr_server.api.limits import Limits
from asr_server.budget import LatencyBudget
from asr_server.errors import BadSettings
from asr_server.presets import PresetName, with_longest_segment, with_stop
from asr_server.session import SessionOptions

ENV_PREFIX = "ASR_"


@dataclass(frozen=True, slots=True)
class EngineSettings:
    device: Literal["cpu", "cuda"] = "cpu"
    compute_type: str = ""
    """Empty: int8 on a processor, float16 on a GPU."""
    workers: Annotated[int, Field(ge=0, le=64)] = 0
    """Decodes, or batches of them, at a time, one thread each; 0: as many as the cores this process has, and one for a GPU."""
    max_batch: Annotated[int, Field(ge=0, le=64)] = 0
    """Decodes done together when all workers are busy; 1: none are, 0: 4 on a processor, 16 on a GPU."""
    beam_size: Annotated[int, Field(ge=1, le=10)] = 5
    """Largest beam, whatever the preset."""
    smaller_model: str = "auto"
    """For the languages it speaks: decodes partials, all of the preset `fast`, and a final that would be late even with the narrowest
    search, which says so. "auto": tiny.en beside base, if it is installed; empty: none."""

    def on_device(self, cores: int) -> "EngineSettings":
        """With what was left to the device filled in."""
        on_gpu = self.device == "cuda"
        return replace(
            self,
            compute_type=self.compute_type or ("float16" if on_gpu else "int8"),
            workers=self.workers or (1 if on_gpu else cores),
            max_batch=self.max_batch or (16 if on_gpu else 4),
        )


@dataclass(frozen=True, slots=True)
class EndpointingSettings:
    """What overrules every preset. Raises ValueError, naming the field, when a value is out of its range."""

    vad_stop_ms: int | None = None
    """One wait for all, whatever the text."""
    end_of_utterance_ms: int | None = None
    start_timeout_ms: int | None = None
    max_segment_ms: int | None = None

    def __post_init__(self) -> None:
        self.applied_to(SessionOptions())

    def applied_to(self, session: SessionOptions) -> SessionOptions:
        if self.max_segment_ms is not None:
            session = with_longest_segment(session, self.max_segment_ms)
        if self.vad_stop_ms is not None:
            session = with_stop(session, self.vad_stop_ms)
        if self.end_of_utterance_ms is not None:
            # A preset that waits longer for the end of a segment ends the utterance with it.
            at_least_ms = session.vad_stop_ms if self.vad_stop_ms is None else 0
            session = replace(session, end_of_utterance_ms=max(self.end_of_utterance_ms, at_least_ms))
        if self.start_timeout_ms is not None:
            session = replace(session, start_timeout_ms=self.start_timeout_ms)
        return session


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    transcripts: bool = False
    """Write transcripts to traces. They are personal data."""
    prometheus: str = ""
    """host:port that answers a Prometheus; empty: none, unless OTEL_METRICS_EXPORTER asks for it."""
    keep_share: float = 1.0
    """Of the traces in which nothing is late, degraded or failed."""
    reference: Path | None = None
    """Profile of what is normal (`asr-server profile build`): what differs from it is told in the log and as a metric."""
    gather: Path | None = None
    """Where a profile of all that is recognised goes when the server stops."""
    journal: Path | None = None
    """File in which a row is kept for each segment, and what users say of it. Without it nothing can be said (`SubmitFeedback`)."""
    journal_days: Annotated[float, Field(gt=0)] = 30.0
    """Older rows are let go of."""
    second_opinions: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the segments of streams that are decoded once more by the widest search, when nobody waits, to see how often the texts
    differ. Wants `journal`."""
    probes: Path | None = None
    """Manifest of golden clips, which the server speaks to itself while nobody else speaks: their error rate and time are metrics."""
    probe_every_s: Annotated[float, Field(ge=1)] = 60.0
    """Between two of them."""


def _known_keys(kind: type) -> BeforeValidator:
    """A misspelt setting must not silently be the default."""
    accepted = sorted(field.name for field in fields(kind))

    def check(value: object) -> object:
        if value is None:
            return {}  # a section of which all keys are comments
        if not isinstance(value, dict | kind):
            raise ValueError(f"{value!r} is not accepted: a section of {', '.join(accepted)}")  # noqa: TRY004 - what pydantic makes one of its errors
        unknown = sorted(set(value) - set(accepted)) if isinstance(value, dict) else []
        if unknown:
            raise ValueError(f"unknown: {', '.join(unknown)}; accepted: {', '.join(accepted)}")
        return value

    return BeforeValidator(check)


class Settings(BaseSettings):
    """One server's settings. Made by `read_settings`."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(50_051, ge=0, le=65_535)
    model: str = Field("base", min_length=1)
    data_definition: str = "v1"
    default_language: str = "en"
    cache_dir: Path | None = None
    drain_s: float = Field(30.0, ge=0)
    """How long running streams may go on after SIGTERM."""
    engine: Annotated[EngineSettings, _known_keys(EngineSettings)] = EngineSettings()
    budget: Annotated[LatencyBudget, _known_keys(LatencyBudget)] = LatencyBudget()
    preset: PresetName = "balanced"
    """How accuracy is weighed against time where a caller does not say."""
    endpointing: Annotated[EndpointingSettings, _known_keys(EndpointingSettings)] = EndpointingSettings()
    limits: Annotated[Limits, _known_keys(Limits)] = Limits()
    telemetry: Annotated[TelemetrySettings, _known_keys(TelemetrySettings)] = TelemetrySettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The file comes in as init arguments, and the environment outranks it. Secrets and dotenv files are not read."""
        return env_settings, init_settings


def read_settings(config: Path | None = None, **given: object) -> Settings:
    """`given` are values of the command line; None means not given. Raises `BadSettings`, one line, naming what is wrong."""
    try:
        _check_environment(os.environ)
        settings = Settings(**_read_file(config))
        chosen = {name: value for name, value in given.items() if value is not None}
        # Validated like the rest, but not through the sources: the command line outranks the environment.
        Settings.__pydantic_validator__.validate_python({**{name: getattr(settings, name) for name in Settings.model_fields}, **chosen})
    except ValidationError as error:
        raise BadSettings("; ".join(_describe(dict(problem)) for problem in error.errors())) from None
    total_ms, limits = settings.budget.total_ms, settings.limits
    if not limits.latency_budget_min_ms <= total_ms <= limits.latency_budget_max_ms:
        accepted = f"{limits.latency_budget_min_ms} to {limits.latency_budget_max_ms} ms"
        raise BadSettings(
            f"budget: total_ms is {total_ms:g}, accepted: {accepted}, by limits.latency_budget_min_ms and latency_budget_max_ms"
        )
    return settings.model_copy(update=chosen)


def _check_environment(environ: Mapping[str, str]) -> None:
    """A misspelt variable must not silently be the default."""
    for name in environ:
        if name.startswith(ENV_PREFIX) and name.removeprefix(ENV_PREFIX).split("__")[0].lower() not in Settings.model_fields:
            accepted = ", ".join(f"{ENV_PREFIX}{field.upper()}" for field in sorted(Settings.model_fields))
            raise BadSettings(f"{name}: no such setting; accepted: {accepted} (parts of a section after two underscores)")


def _read_file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"cannot read the config file {path}: {error}") from None
    except yaml.YAMLError as error:
        raise BadSettings(f"the config file {path} is not YAML: {' '.join(str(error).split())}") from None
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise BadSettings(f"the config file {path} is not a mapping of settings to values")
    return content


def _describe(problem: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in problem["loc"]) or "settings"
    message = problem["msg"].removeprefix("Value error, ")
    if message.startswith("Input should be"):
        message = f"{problem['input']!r} is not accepted: {message.removeprefix('Input should be').split(', unable to')[0].strip()}"
    elif problem["type"] == "string_too_short":
        message = "is empty"
    elif problem["type"] == "extra_forbidden":
        message = f"unknown; accepted: {', '.join(sorted(Settings.model_fields))}"
    return f"{where}: {message}"
