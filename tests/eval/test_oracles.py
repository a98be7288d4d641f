"""Our figures against others': NIST's scorer, the engine without a server, and truth that was simulated."""

import asyncio
import random
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from asr_server.accuracy.manifest import Clip, read_manifest
from asr_server.accuracy.normalize import normalize
from asr_server.accuracy.wer import ErrorCounts, count_errors, total
from asr_server.api.client import Client
from eval.by_engine import EngineRecogniser, preparation
from eval.by_server import ServerRecogniser
from eval.intervals import Sampled, ci95
from eval.opening import load_engine
from eval.recognisers import Recogniser
from eval.tail import missing_at_end
from tests.recordings import recording

CASES = 500


@dataclass(frozen=True)
class Sclite:
    """What NIST's scorer says of some utterances."""

    utterances: Sequence[ErrorCounts]
    corpus: ErrorCounts


def sclite_command() -> list[str]:
    """As Debian's `sctk` has it, or NIST's own."""
    for command in (["sctk", "sclite"], ["sclite"]):
        if shutil.which(command[0]):
            return command
    pytest.skip("NIST's sclite is not installed (Debian: sctk)")


def sclite(pairs: Sequence[tuple[str, str]], folder: Path) -> Sclite:
    for name, side in (("ref", 0), ("hyp", 1)):
        lines = [f"{pair[side]} (a_{number})" for number, pair in enumerate(pairs)]
        (folder / f"{name}.trn").write_text("\n".join(lines) + "\n")
    command = [*sclite_command(), "-r", "ref.trn", "trn", "-h", "hyp.trn", "trn", "-i", "spu_id", "-o", "pra", "rsum", "stdout"]
    said = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    found = re.findall(r"id: \(a_(\d+)\)\s+Scores: \(#C #S #D #I\) (\d+) (\d+) (\d+) (\d+)", said)
    by_number = {int(number): [int(count) for count in counts] for number, *counts in found}
    utterances = [_counts(*by_number[number]) for number in range(len(pairs))]
    (corpus,) = re.findall(r"\| Sum +\| +\d+ +(\d+) \| +(\d+) +(\d+) +(\d+) +(\d+)", said)
    words, right, substituted, deleted, inserted = (int(count) for count in corpus)
    assert words == right + substituted + deleted
    return Sclite(utterances, _counts(right, substituted, deleted, inserted))


def _counts(right: int, substituted: int, deleted: int, inserted: int) -> ErrorCounts:
    return ErrorCounts(substituted, deleted, inserted, right + substituted + deleted)


def cheapest(reference: str, hypothesis: str, *, substitution: int, gap: int) -> int:
    """What the cheapest way from one to the other costs: the textbook recurrence, the independent answer to both."""
    said, heard = reference.split(), hypothesis.split()
    row = [gap * index for index in range(len(heard) + 1)]
    for one in said:
        before, row[0] = row[0], row[0] + gap
        for index, other in enumerate(heard, start=1):
            before, row[index] = row[index], min(row[index] + gap, row[index - 1] + gap, before + (one != other) * substitution)
    return row[-1]


def substitutions_in_shortest(reference: str, hypothesis: str) -> tuple[int, int]:
    """Fewest and most substitutions among all the shortest ways: a cost a little beside that of the others breaks ties."""
    fewest = cheapest(reference, hypothesis, substitution=1_001, gap=1_000) % 1_000
    most = -cheapest(reference, hypothesis, substitution=999, gap=1_000) % 1_000
    return fewest, most


def random_pairs() -> list[tuple[str, str]]:
    """Texts of few different words, so that there are many ways; half of the hypotheses are references with errors put in."""
    chance = random.Random(1)

    def text(longest: int) -> list[str]:
        return chance.choices("abcdef", k=chance.randint(0, longest))

    def worsened(words: list[str]) -> list[str]:
        kept = [chance.choice("abcdef") if chance.random() < 0.15 else word for word in words if chance.random() > 0.1]
        for _ in range(chance.randint(0, 3)):
            kept.insert(chance.randint(0, len(kept)), chance.choice("abcdef"))
        return kept

    references = [text(14) for _ in range(CASES)]
    hypotheses = [worsened(reference) if number % 2 else text(14) for number, reference in enumerate(references)]
    return [(" ".join(reference), " ".join(hypothesis)) for reference, hypothesis in zip(references, hypotheses, strict=True)]


def test_errors_are_counted_as_nist_does_where_there_is_one_right_count(tmp_path: Path) -> None:
    """sclite looks for the cheapest way with 4 for a substitution and 3 for the others, we for the fewest errors: each is held against the
    textbook. Where the fewest errors can be had in one division only, and sclite has as few, both have to say the same."""
    pairs, same = random_pairs(), 0
    theirs = sclite(pairs, tmp_path)
    for (reference, hypothesis), nist in zip(pairs, theirs.utterances, strict=True):
        ours = count_errors(reference, hypothesis)
        assert ours.words == nist.words
        assert ours.errors == cheapest(reference, hypothesis, substitution=1, gap=1) <= nist.errors
        nists_cost = 4 * nist.substitutions + 3 * (nist.deletions + nist.insertions)
        assert nists_cost == cheapest(reference, hypothesis, substitution=4, gap=3)
        fewest, most = substitutions_in_shortest(reference, hypothesis)
        assert fewest <= ours.substitutions <= most
        if fewest == most and ours.errors == nist.errors:
            same += 1
            assert ours == nist
    assert same > CASES // 3


def test_a_corpus_is_summed_as_nist_does(tmp_path: Path) -> None:
    pairs = random_pairs()
    theirs = sclite(pairs, tmp_path)
    ours = total(count_errors(*pair) for pair in pairs)
    assert total(theirs.utterances) == theirs.corpus
    assert ours.words == theirs.corpus.words
    assert 0.97 * theirs.corpus.errors <= ours.errors <= theirs.corpus.errors


def heard(recogniser: Recogniser, clips: Sequence[Clip]) -> list[str]:
    """Normalised texts, one clip after another."""

    async def all_of_them() -> list[str]:
        return [normalize((await recogniser.hear(clip)).text) for clip in clips]

    return asyncio.run(all_of_them())


def heard_by_server(address: str, clips: Sequence[Clip]) -> list[str]:
    """With ten times the usual budget and the full search, so that nothing is given up to save time."""

    async def all_of_them() -> list[str]:
        async with Client(address) as client:
            recogniser = ServerRecogniser(client, await client.server_info(), realtime=False, budget_ms=5_000, preset="accurate")
            return [normalize((await recogniser.hear(clip)).text) for clip in clips]

    return asyncio.run(all_of_them())


def heard_by_engine(clips: Sequence[Clip]) -> list[str]:
    return heard(EngineRecogniser(load_engine("tiny.en", 1), preparation("v1")), clips)


def test_a_stream_is_heard_as_the_engine_hears_the_whole_recording(server_address: str) -> None:
    """Short recordings are one segment each, so words must be the same, to the last one."""
    clips = [Clip(name, recording(name), "") for name in ("hello_world", "quick_brown_fox", "counting")]
    assert heard_by_server(server_address, clips) == heard_by_engine(clips)


@pytest.mark.shared_data
def test_streams_of_longer_recordings_lose_no_tails_and_differ_from_the_engine_in_few_words(shared_data: Path, server_address: str) -> None:
    """Cutting at pauses takes context away: of the engine's words up to 5 % may come out otherwise. Ends may not be missing."""
    clips = [clip for clip in read_manifest(shared_data / "dev" / "all.jsonl") if clip.set == "librispeech_dev_clean_84"][:10]
    streamed, whole = heard_by_server(server_address, clips), heard_by_engine(clips)
    counts = total(count_errors(engine, server) for engine, server in zip(whole, streamed, strict=True))
    assert counts.rate is not None
    assert counts.rate < 0.05
    assert [missing_at_end(engine, server) for engine, server in zip(whole, streamed, strict=True)] == [0] * len(clips)


SPEAKERS, CLIPS_EACH, WORDS_EACH, COLLECTIONS, TRUE_RATE = 40, 4, 20, 120, 0.1


def collection(generator: np.random.Generator) -> list[tuple[str, ErrorCounts]]:
    """Clips of speakers drawn at random, of whom each is understood well or badly: rates of a beta distribution of mean TRUE_RATE."""
    clips: list[tuple[str, ErrorCounts]] = []
    for speaker, rate in enumerate(generator.beta(1.0, 9.0, SPEAKERS)):
        errors: NDArray[np.int64] = generator.binomial(WORDS_EACH, rate, CLIPS_EACH)
        clips += [(str(speaker), ErrorCounts(substitutions=int(count), words=WORDS_EACH)) for count in errors]
    return clips


def test_an_interval_by_speaker_holds_the_true_rate_nearly_as_often_as_it_says_and_one_by_clip_does_not() -> None:
    """120 collections of 40 speakers are simulated. 95 % are claimed; with so few speakers a bootstrap reaches a little less. As if the
    clips of a speaker had nothing to do with each other, it holds the true rate far too seldom."""
    generator = np.random.default_rng(7)
    by_speaker = by_clip = 0
    for _ in range(COLLECTIONS):
        clips = collection(generator)
        by_speaker += holds(ci95([Sampled(counts, speaker) for speaker, counts in clips]))
        by_clip += holds(ci95([Sampled(counts) for _, counts in clips]))
    assert by_speaker / COLLECTIONS >= 0.9
    assert by_clip / COLLECTIONS < 0.8


def holds(interval: tuple[float, float] | None) -> bool:
    assert interval is not None
    return interval[0] <= TRUE_RATE <= interval[1]
