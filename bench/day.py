"""A day at a speech server, in minutes: what happens, and when it is seen. Traffic of two apps, sent as fast as it is taken.

Morning: as the reference. Then a microphone loses 12 dB in one app. Then users say new words, which the audio does not tell: their
corrected texts have names in place of every fifth word. Then the server is started again with a slow release: the widest search on one
thread, in single precision.
"""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from asr_server.accuracy.manifest import Clip
from asr_server.api.client import Client
from asr_server.api.results import Result
from asr_server.local_server import LocalServer
from asr_server.watch.status import DriftStatus
from bench.sending import clip_of, send
from eval.audio import read_frames
from eval.robustness.distort import change_level

APPS = ("phone", "kiosk")
BROKEN = "kiosk"
"""Whose microphone it is."""
QUIETER_DB = -12.0
NEW_NAMES = ("Zyphera", "Quorvane", "Lumetrix", "Brantoll")
NEW_EVERY = 5
"""One word in so many is a new name."""
SEED = 7
"""Of the orders in which clips are spoken."""
SLOW: Mapping[str, Any] = {"engine": {"workers": 1, "smaller_model": "", "compute_type": "float32"}, "preset": "accurate"}
PhaseName = Literal["morning", "microphone", "noon", "new words", "slow release"]
Light = Literal["data", "concept", "system"]
LIGHTS: tuple[Light, ...] = ("data", "concept", "system")
Serve = Callable[[Path], AbstractAsyncContextManager[LocalServer]]
"""A server with the settings in that file."""


@dataclass(slots=True)
class Phase:
    """A part of the day, and after how many of its clips each light went on, with what was drifting then."""

    name: PhaseName
    clips: int = 0
    on_before: list[str] = field(default_factory=list)
    """Lights that were on when it began."""
    lit_after: dict[str, int] = field(default_factory=dict)
    seen: dict[str, list[str]] = field(default_factory=dict)

    def look(self, status: DriftStatus) -> None:
        """After a clip."""
        self.clips += 1
        for light in LIGHTS:
            if getattr(status, light) and light not in self.lit_after and light not in self.on_before:
                self.lit_after[light] = self.clips
                self.seen[light] = sorted(
                    {f"{one.feature} of {f'{one.label} {one.value}'.strip()}" for one in status.drifting if kind_of(one.kind) == light}
                )

    def begin(self, status: DriftStatus) -> None:
        self.on_before = [light for light in LIGHTS if getattr(status, light)]

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "clips": self.clips, "on_before": self.on_before, "lit_after_clips": self.lit_after, "seen": self.seen}


def kind_of(kind: str) -> Light:
    """The light that features of a kind belong to."""
    return {"audio": "data", "text": "concept", "system": "system"}[kind]  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Day:
    """What it is made of. `told` hears of each clip."""

    clips: Sequence[Clip]
    folder: Path
    serve: Serve
    told: Callable[[str], None]

    @property
    def journal(self) -> Path:
        return self.folder / "journal.db"

    async def live(self) -> list[Phase]:
        # A manifest has its sets and speakers one after another, callers come as they like: every other clip, in another order each time.
        draw = random.Random(SEED)  # noqa: S311 - no secret
        usual, todays = list(self.clips[::2]), list(self.clips[1::2])
        reference = self.folder / "reference.json"
        async with self.serve(self._settings("gather", {"gather": str(reference)})) as server:
            for number, clip in enumerate(draw.sample(usual, len(usual))):
                await speak(server.address, clip, APPS[number % 2])
                self.told("reference")
        watched = {"journal": str(self.journal), "reference": str(reference)}
        morning, microphone, noon, words, slow = (Phase(name) for name in get_args(PhaseName))

        def order() -> list[Clip]:
            return draw.sample(todays, len(todays))

        async with self.serve(self._settings("day", watched)) as server, Client(server.address) as client:
            await self._spend(morning, order(), client, server.address, say=lambda clip: clip.text)
            await self._spend(microphone, order(), client, server.address, say=lambda clip: clip.text, is_broken=True)
        async with self.serve(self._settings("afternoon", watched)) as server, Client(server.address) as client:
            # Started again, so that the microphone's drift is none of it; labels first as they were, for the others to differ from.
            await self._spend(noon, order(), client, server.address, say=lambda clip: clip.text)
            await self._spend(words, order(), client, server.address, say=lambda clip: with_new_names(clip.text))
        async with self.serve(self._settings("release", watched, SLOW)) as server, Client(server.address) as client:
            await self._spend(slow, order(), client, server.address, say=lambda clip: clip.text)
        return [morning, microphone, noon, words, slow]

    async def _spend(
        self,
        phase: Phase,
        clips: Iterable[Clip],
        client: Client,
        address: str,
        *,
        say: Callable[[Clip], str],
        is_broken: bool = False,
    ) -> None:
        phase.begin(await client.drift_status())
        for number, clip in enumerate(clips):
            app = APPS[number % 2]
            finals = await speak(address, clip, app, QUIETER_DB if is_broken and app == BROKEN else 0.0)
            if len(finals) == 1:  # the text of a clip is that of its segment
                await client.feedback(finals[0].segment_id, corrected=say(clip))
            phase.look(await client.drift_status())
            self.told(phase.name)

    def _settings(self, name: str, telemetry: Mapping[str, str], more: Mapping[str, Any] | None = None) -> Path:
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump({"telemetry": dict(telemetry), **(more or {})}), encoding="utf-8")
        return path


async def speak(address: str, clip: Clip, app: str, gain_db: float = 0.0) -> list[Result]:
    """Its finals."""
    frames, rate_hz = read_frames(clip)
    return await send(address, clip_of(change_level(frames, gain_db) if gain_db else frames, rate_hz), app, clip.language)


def with_new_names(text: str) -> str:
    """One word in `NEW_EVERY` is a name that the recogniser has never heard."""
    words = text.split()
    for number in range(NEW_EVERY - 1, len(words), NEW_EVERY):
        words[number] = NEW_NAMES[number // NEW_EVERY % len(NEW_NAMES)]
    return " ".join(words)
