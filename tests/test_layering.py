"""The arrows between rooms, read from the import statements. A room may import itself, and what its row allows; nothing else of ours."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# A room is a package or a module; a file belongs to the longest row that fits its name. `asr_server.api.client` allows that module only,
# `asr_server.api` all of the room.
ROOMS: dict[str, tuple[str, ...]] = {
    "audio_norm": (),
    # Values everyone speaks in.
    "asr_server": (),
    "asr_server.errors": (),
    "asr_server.fading": (),
    "asr_server.budget": (),
    "asr_server.transcript": (),
    "asr_server.version": (),
    "asr_server.machine": (),
    "asr_server.quantiles": (),
    # Recordings with what is said in them, what counts as the same word, and errors as counts.
    "asr_server.accuracy": (),
    "asr_server.events": ("audio_norm", "asr_server.transcript"),
    # One stream, without I/O.
    "asr_server.session": (
        "audio_norm",
        "asr_server.budget",
        "asr_server.errors",
        "asr_server.events",
        "asr_server.transcript",
    ),
    # The recogniser and who may use it when.
    "asr_server.engine": (
        "audio_norm",
        "asr_server.budget",
        "asr_server.errors",
        "asr_server.events",
        "asr_server.fading",
        "asr_server.transcript",
        "asr_server.watch.observer",
    ),
    # Listeners: they know what is reported, not who reports it.
    "asr_server.watch": ("asr_server.accuracy", "asr_server.errors", "asr_server.quantiles"),
    # The gRPC edge.
    "asr_server.pb": (),
    "asr_server.api": (
        "audio_norm",
        "asr_server.accuracy",
        "asr_server.budget",
        "asr_server.engine.engine",
        "asr_server.engine.worker",
        "asr_server.errors",
        "asr_server.events",
        "asr_server.fading",
        "asr_server.pb",
        "asr_server.presets",
        "asr_server.session",
        "asr_server.transcript",
        "asr_server.watch.attributes",
        "asr_server.watch.observer",
        # Values that programs ask for.
        "asr_server.watch.journal.rows",
        "asr_server.watch.status",
    ),
    # Putting it together.
    "asr_server.presets": ("asr_server.events", "asr_server.session"),  # of the events only their values
    "asr_server.settings": ("asr_server.api.limits", "asr_server.budget", "asr_server.errors", "asr_server.presets", "asr_server.session"),
    "asr_server.app": ("audio_norm", "asr_server"),
    "asr_server.watching": (
        "asr_server.accuracy",
        "asr_server.api.admission",
        "asr_server.api.host",
        "asr_server.api.probing",
        "asr_server.api.second",
        "asr_server.engine.worker",
        "asr_server.errors",
        "asr_server.machine",
        "asr_server.settings",
        "asr_server.version",
        "asr_server.watch",
    ),
    # The command line: a server through `app`, everything else through the client.
    "asr_server.local_server": ("asr_server.errors",),
    "asr_server.transcribe": (
        "audio_norm",
        "asr_server.api.client",
        "asr_server.api.clip",
        "asr_server.api.options",
        "asr_server.api.results",
        "asr_server.errors",
        "asr_server.local_server",
        "asr_server.settings",  # says which model its own server will load
    ),
    "asr_server.cli": (
        "audio_norm",
        "asr_server.app",
        "asr_server.errors",
        "asr_server.machine",
        "asr_server.settings",
        "asr_server.transcribe",
        "asr_server.version",
        "asr_server.profile",
        "asr_server.live.command",
        "asr_server.report.command",
        "asr_server.watch.monitoring.command",
    ),
    "asr_server.profile": (
        "asr_server.accuracy",
        "asr_server.api.client",
        "asr_server.api.options",
        "asr_server.api.results",
        "asr_server.errors",
        "asr_server.local_server",
        "asr_server.watch.drift",
        "asr_server.watch.journal",
        "asr_server.watch.labels",
    ),
    "asr_server.live": ("asr_server.api.client", "asr_server.api.options", "asr_server.errors", "asr_server.watch.status"),
    # Reads journals, asks no server.
    "asr_server.report": (
        "asr_server.accuracy",
        "asr_server.errors",
        "asr_server.quantiles",
        "asr_server.watch.drift.features",
        "asr_server.watch.journal",
    ),
    "asr_server.__main__": ("asr_server.cli",),
    # Instruments: they know recognisers from outside, never a session's insides. A bench counts errors as the evaluation does.
    "eval": (
        "audio_norm",
        "asr_server.accuracy",
        "asr_server.api.client",
        "asr_server.api.options",
        "asr_server.api.results",
        "asr_server.engine",
        "asr_server.errors",
        "asr_server.local_server",
        "asr_server.machine",
        "asr_server.version",
    ),
    "bench": (
        "audio_norm",
        "asr_server.accuracy",
        "asr_server.api.client",
        "asr_server.api.clip",
        "asr_server.api.options",
        "asr_server.api.results",
        "asr_server.budget",
        "asr_server.engine",
        "asr_server.errors",
        "asr_server.events",  # a session in virtual time is one more pump around it
        "asr_server.local_server",
        "asr_server.machine",
        "asr_server.presets",
        "asr_server.quantiles",
        "asr_server.session",
        "asr_server.transcript",
        "asr_server.version",
        "asr_server.report",
        "asr_server.watch.drift",  # the detectors it measures
        "asr_server.watch.journal",
        "asr_server.watch.labels",
        "asr_server.watch.stall",
        "asr_server.watch.status",
        "eval",
    ),
}

# Libraries that only some files may import: everyone else would come to depend on them.
LIBRARIES: dict[str, tuple[str, ...]] = {
    "grpc": ("asr_server.api", "asr_server.pb", "asr_server.app"),
    "grpc_status": ("asr_server.api",),
    "grpc_health": ("asr_server.app",),
    "grpc_reflection": ("asr_server.app",),
    "google.protobuf": ("asr_server.api", "asr_server.pb"),
    "google.rpc": ("asr_server.api",),
    "opentelemetry": ("asr_server.watch.telemetry",),
    "ctranslate2": (
        "asr_server.engine.network",
        "asr_server.engine.whisper",
        "asr_server.engine.reordered",
        "eval.by_faster_whisper",
    ),  # the baseline seeds its sampling
    "faster_whisper": ("asr_server.engine.network", "asr_server.engine.weights", "eval.by_faster_whisper"),
    "datasketches": ("asr_server.watch.drift.reference",),
    "river": ("asr_server.watch.drift.detector", "asr_server.watch.concept"),
    "sqlite3": ("asr_server.watch.journal",),
    "prometheus_client": ("asr_server.watch.telemetry.scraped",),
    "typer": (
        "asr_server.cli",
        "asr_server.live.command",
        "asr_server.profile.command",
        "asr_server.report.command",
        "asr_server.watch.monitoring.command",
        "asr_server.transcribe",
        "audio_norm.cli",
        "eval.console",
        "eval.commands",
        "eval.__main__",
        "bench.commands",
        "bench.__main__",
    ),
    "jinja2": ("asr_server.report.page", "eval.page.page", "bench.page"),
    "matplotlib": ("bench.charts",),
    "psutil": ("bench.process",),
    "httpx2": ("eval.fetch.download",),
    "pydantic": ("asr_server.settings",),
    "pydantic_settings": ("asr_server.settings",),
    "jiwer": ("asr_server.accuracy.alignment",),
    "whisper_normalizer": ("asr_server.accuracy.normalize",),
}

OURS = ("audio_norm", "asr_server", "eval", "bench", "tests", "protos")


@dataclass(frozen=True)
class Import:
    """One name one file imports. `module` is where it comes from."""

    importer: str
    module: str
    name: str
    line: int

    def __str__(self) -> str:
        return f"{self.importer.replace('.', '/')}.py:{self.line}: {self.module}{f'.{self.name}' if self.name else ''}"


def inside(module: str, room: str) -> bool:
    return module == room or module.startswith(f"{room}.")


def room_of(module: str) -> str:
    """The longest row a module fits; "" when there is none. The row `asr_server` is for the package's own file, not for unlisted rooms."""
    fitting = [room for room in ROOMS if inside(module, room) and (room != "asr_server" or module == room)]
    return max(fitting, key=len, default="")


def imports(importer: str, source: str, *, is_package: bool = False) -> Iterator[Import]:
    """Every import, also those inside functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(importer, alias.name, "", node.lineno)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                here = importer.split(".") if is_package else importer.split(".")[:-1]
                base = here[: len(here) - node.level + 1]
                module = ".".join([*base, module] if module else base)
            for alias in node.names:
                yield Import(importer, module, alias.name, node.lineno)


def all_imports() -> list[Import]:
    found: list[Import] = []
    for package in ("audio_norm", "asr_server", "eval", "bench"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            is_package = parts[-1] == "__init__"
            module = ".".join(parts[:-1] if is_package else parts)
            found += imports(module, path.read_text(encoding="utf-8"), is_package=is_package)
    return found


IMPORTS = all_imports()


def crosses(one: Import) -> bool:
    """Comes from another room of ours."""
    return any(inside(one.module, package) for package in OURS) and target_room(one) != room_of(one.importer)


def target_room(one: Import) -> str:
    return room_of(target(one))


def target(one: Import) -> str:
    """The module that is imported: of `from asr_server import app` that is `asr_server.app`."""
    full = f"{one.module}.{one.name}"
    return full if one.name and exists(full) else one.module


def exists(module: str) -> bool:
    path = ROOT / module.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").exists()


def may_import(one: Import) -> bool:
    return any(inside(target(one), allowed) for allowed in ROOMS[room_of(one.importer)])


def test_every_file_belongs_to_a_room() -> None:
    """A new room gets a row above, and thought about what it may know, before its first file."""
    assert not sorted({one.importer for one in IMPORTS if not room_of(one.importer)})


def test_rooms_import_only_what_their_row_allows() -> None:
    assert not [str(one) for one in IMPORTS if room_of(one.importer) and crosses(one) and not may_import(one)]


def test_every_row_is_of_a_room_that_exists_and_allows_only_such() -> None:
    known = {*ROOMS, *(allowed for row in ROOMS.values() for allowed in row)}
    missing = [room for room in sorted(known) if not exists(room)]
    assert not missing


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_is_imported_only_where_it_belongs(library: str) -> None:
    strays = [one for one in IMPORTS if inside(one.module, library) and not any(inside(one.importer, home) for home in LIBRARIES[library])]
    assert not [str(one) for one in strays]


def test_no_room_imports_another_rooms_private_names() -> None:
    def private(one: Import) -> bool:
        return any(part.startswith("_") and not part.endswith("__") for part in (*one.module.split("."), one.name))

    assert not [str(one) for one in IMPORTS if crosses(one) and private(one)]


def test_nobody_imports_tests() -> None:
    assert not [str(one) for one in IMPORTS if inside(one.module, "tests")]


def test_imports_are_found_wherever_they_stand() -> None:
    """The reader this file rests on: plain, from, inside a function, relative."""
    source = "import a.b\nfrom c import d\ndef f():\n    from .e import g\nfrom .. import h\n"
    found = [(one.module, one.name) for one in imports("asr_server.api.wire", source)]
    assert sorted(found) == [("a.b", ""), ("asr_server", "h"), ("asr_server.api.e", "g"), ("c", "d")]
