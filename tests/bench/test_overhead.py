"""What it costs to see everything: its arithmetic, who takes what is told, and a run that is very short."""

import json
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

from asr_server.accuracy.manifest import Clip
from asr_server.api.clip import Clip as Audio
from asr_server.api.results import LedgerView
from bench.__main__ import main
from bench.collector import Taken, collector, scraping
from bench.overhead import Pair, Side, summary
from bench.speech_end import SpeechEnd
from bench.streams import FinalSeen, Part, Spoken
from tests.recordings import recording
from tests.waiting import until

PART = Part(Clip("a", Path("a.wav"), "hello", "en"), Audio(b"", 16_000, 1), SpeechEnd(1.0, "words"))
LEDGER = LedgerView(500, 2.0, endpoint_wait_ms=300)


def side(cpu_s: float, *, finals: int = 2, response_ms: float = 2.0, error: str = "") -> Side:
    seen = FinalSeen("hello", 0.0, 1.0, 320.0, replace(LEDGER, response_ms=response_ms))
    return Side(cpu_s, Spoken(PART, (seen,) * finals, (), error))


def test_the_difference_is_of_the_same_clips_and_by_the_segment() -> None:
    found = summary([Pair(side(1.0), side(1.002), 4.0), Pair(side(2.0), side(2.002, response_ms=3.0), 6.0)])
    assert found["cpu"] == {
        "off_s": 3.0,
        "on_s": 3.0,
        "ratio": 1.0013,
        "more_percent_of_a_core": 0.04,
        "more_ms_a_segment": 1.0,
        "ci95_ms_a_segment": [pytest.approx(1.0), pytest.approx(1.0)],
    }
    assert (found["segments"], found["counted"], found["pairs"]) == (4, 2, 2)
    assert found["response_ms"]["on"]["max"] == 3.0
    assert found["ttfs_ms"]["typically_more"]["ms"] == 0.0


@pytest.mark.parametrize("other", [side(9.0, finals=3), side(9.0, finals=0), side(9.0, error="refused")])
def test_clips_that_were_heard_otherwise_do_not_count(other: Side) -> None:
    found = summary([Pair(side(1.0), side(1.0), 4.0), Pair(side(1.0), other, 4.0), Pair(other, side(1.0), 4.0)])
    assert (found["counted"], found["pairs"], found["cpu"]["on_s"]) == (1, 3, 1.0)
    with pytest.raises(ValueError, match="no clip was heard by both"):
        summary([Pair(side(1.0), other, 4.0)])


def test_what_is_told_is_counted_by_what_it_is() -> None:
    taken = Taken()
    with collector(taken) as address:
        for path, length in (("/v1/traces", 7), ("/v1/metrics", 11), ("/v1/logs", 13)):
            with urllib.request.urlopen(urllib.request.Request(address + path, b"x" * length), timeout=5) as answer:
                assert answer.status == 200
    assert (taken.traces, taken.metrics) == (7, 11)


async def test_scrapes_that_fail_are_counted() -> None:
    taken = Taken()
    async with scraping("127.0.0.1:1", taken, every_s=0.01):
        await until(lambda: taken.scrapes_failed > 1)
    assert taken.scraped == 0


def test_a_short_run_hears_the_same_on_both_sides_and_everything_is_told(tmp_path: Path) -> None:
    manifest, out = tmp_path / "m.jsonl", tmp_path / "o.json"
    lines = [{"audio": str(recording(name)), "text": text} for name, text in (("hello_world", "Hello world."), ("counting", "One two."))]
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert main(["overhead", "--manifest", str(manifest), "--json", str(out), "--model", "tiny.en", "--require", "segments>0"]) == 0
    told = json.loads(out.read_text())
    assert told["counted"] == told["pairs"] == 2
    assert told["cpu"]["off_s"] > 0
    assert told["cpu"]["on_s"] > 0
    assert told["taken"]["traces"] > 0
    assert told["taken"]["scraped"] > 0
    assert told["taken"]["scrapes_failed"] == 0
