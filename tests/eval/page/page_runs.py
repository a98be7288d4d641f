"""Results of made-up runs as files, as `python -m eval run` writes them, and HTML taken apart: for tests of the page."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from asr_server.accuracy.manifest import Clip
from audio_norm import Inspection
from eval.journal import Entry
from eval.recognisers import Heard, HeardSegment, System
from eval.report import report
from eval.result import RunResult, read_run
from eval.run import Outcome, Unscored, score
from tests.eval.made_results import AUDIO, SYSTEM
from tests.recordings import recording

VOID = frozenset({"meta", "link", "input", "br", "img"})
RECORDING = recording("hello_world")


def outcome(
    name: str,
    said: str,
    heard: str,
    *,
    set_name: str = "read",
    language: str = "en",
    speaker: str | None = None,
    conditions: Sequence[str] = (),
    audio: Inspection = AUDIO,
    confidence: float = 0.75,
    given_lufs: float = -23.0,
) -> Outcome:
    clip = Clip(name, RECORDING, said, set=set_name, language=language, speaker=speaker, conditions=tuple(conditions))
    segments = (HeardSegment(heard, 0.0, 1.0, confidence),) if heard else ()
    return score(clip, Entry(Heard(segments, 4.0, given_lufs), audio))


def failed(name: str, said: str, error: str) -> Outcome:
    return score(Clip(name, RECORDING, said, set="read"), None, error)


def skipped(name: str, reason: str) -> Outcome:
    return Unscored(Clip(name, RECORDING, "", set="read"), reason)


def write(path: Path, *outcomes: Outcome, system: System = SYSTEM, manifest: Path = Path("m.jsonl"), sha256: str = "0") -> RunResult:
    """The result at `path`, read back."""
    data = {"manifest": str(manifest), "sha256": sha256}
    path.write_text(json.dumps(report(outcomes, system, via={"via": "engine"}, data=data)), encoding="utf-8")
    return read_run(path)


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    children: list["Element | str"] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All of it, one space where there was any."""
        joined = "".join(child if isinstance(child, str) else f"\n{child.text}\n" for child in self.children)
        return " ".join(joined.split())

    @property
    def classes(self) -> list[str]:
        return self.attributes.get("class", "").split()

    def all(self, tag: str = "", css_class: str = "") -> Iterator["Element"]:
        """This and all below it, in order."""
        if tag in {"", self.tag} and (not css_class or css_class in self.classes):
            yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child.all(tag, css_class)

    def with_id(self, name: str) -> "Element":
        (found,) = (one for one in self.all() if one.attributes.get("id") == name)
        return found


class _Reader(HTMLParser):
    """Refuses what is not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("document", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            last = self.open[-1].children[-1]
            assert isinstance(last, Element)
            self.open.append(last)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"an attribute twice: <{tag} {attrs}>"
        self.open[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag, f"</{tag}> closes something else, at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parse(html: str) -> Element:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    (document,) = reader.open
    return document
