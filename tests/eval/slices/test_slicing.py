"""Slices of made-up runs: every clip in its place, sums that add up, and what pays most first."""

import json
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_server.accuracy.wer import ErrorCounts
from eval.result import ClipResult
from eval.slices.advice import advice
from eval.slices.bands import AUDIO, Bands, places
from eval.slices.kinds import WordKind
from eval.slices.report import analyse, as_json
from eval.slices.slicing import Slice, slices_of
from tests.eval.made_results import clip, measured, run

BANDS = {bands.dimension: bands for bands in AUDIO}


def find(slices: list[Slice], dimension: str, name: str) -> Slice:
    (found,) = (one for one in slices if (one.dimension, one.slice) == (dimension, name))
    return found


def measures(**extremes: float) -> st.SearchStrategy[dict[str, float | None]]:
    """Any measurement, also none and at an edge."""
    numbers = st.one_of(st.none(), st.sampled_from([0.0, 0.1, 0.5, 2.0, 10.0, 20.0, 28.0]), st.floats(-90.0, 500.0))
    shares = st.floats(0.0, 1.0)
    named = dict.fromkeys(("loudness_before_lufs", "snr_db", "leading_silence_s", "trailing_silence_s"), numbers)
    always = {"duration_s": st.floats(0.0, 500.0), "speech_ratio": shares, "clipped_ratio": shares}
    return st.fixed_dictionaries({**named, **always, "bandwidth_hz": st.one_of(st.none(), st.integers(0, 24_000))})


TEXTS = st.lists(st.sampled_from(["one", "two", "three"]), max_size=4).map(" ".join)


@st.composite
def any_clip(draw: st.DrawFn, name: str) -> ClipResult:
    audio = draw(st.one_of(st.none(), measures().map(lambda values: measured(**values))))
    return clip(
        name,
        draw(TEXTS.filter(bool)),
        draw(TEXTS),
        set_name=draw(st.sampled_from(["a", "b"])),
        language=draw(st.sampled_from(["en", "de"])),
        speaker=draw(st.sampled_from([None, "x", "y"])),
        conditions=draw(st.lists(st.sampled_from(["noisy", "8k"]), max_size=3)),
        audio=audio,
    )


@st.composite
def any_run(draw: st.DrawFn) -> list[ClipResult]:
    return [draw(any_clip(f"clip {number}")) for number in range(draw(st.integers(1, 8)))]


@given(any_run())
def test_of_every_dimension_but_conditions_the_slices_add_up_to_the_whole(clips: list[ClipResult]) -> None:
    slices = slices_of(run(clips))
    errors, words = sum(one.counts.errors for one in clips), sum(one.counts.words for one in clips)
    for dimension in {one.dimension for one in slices} - {"condition"}:
        parts = [one for one in slices if one.dimension == dimension]
        assert sorted(name for one in parts for name in one.clip_ids) == sorted(one.id for one in clips)
        assert (sum(one.errors for one in parts), sum(one.words for one in parts)) == (errors, words)
        assert sum(one.share_of_words for one in parts) == pytest.approx(1.0)
        assert sum(one.share_of_errors for one in parts) == pytest.approx(1.0 if errors else 0.0)


@given(any_clip("a"))
def test_a_clip_is_in_one_slice_of_each_dimension_and_in_one_of_each_of_its_conditions(one: ClipResult) -> None:
    found = [place.dimension for place in places(one)]
    for dimension in (*BANDS, "set", "language", "speaker"):
        assert found.count(dimension) == 1
    assert found.count("condition") == len(set(one.conditions))


@given(any_run())
def test_the_rest_is_everything_outside(clips: list[ClipResult]) -> None:
    for one in slices_of(run(clips)):
        outside = [other.counts for other in clips if other.id not in one.clip_ids]
        words = sum(counts.words for counts in outside)
        assert one.rest_wer == (sum(counts.errors for counts in outside) / words if words else None)
        if one.rest_wer is None:
            assert (one.excess_errors, one.clear) == (0.0, False)
        else:
            assert one.excess_errors == pytest.approx(one.errors - one.words * one.rest_wer)


@pytest.mark.parametrize(
    ("dimension", "measure", "name"),
    [
        ("loudness", {"loudness_before_lufs": -50.0}, "loudness up to -40 LUFS"),
        ("loudness", {"loudness_before_lufs": -23.0}, "loudness -30 to -20 LUFS"),
        ("loudness", {"loudness_before_lufs": None}, "loudness unknown"),
        ("snr", {"snr_db": 10.0}, "SNR 0 to 10 dB"),
        ("snr", {"snr_db": 10.1}, "SNR 10 to 20 dB"),
        ("snr", {"snr_db": 60.0}, "SNR above 30 dB"),
        ("bandwidth", {"bandwidth_hz": 4_000}, "bandwidth up to 4 kHz"),
        ("bandwidth", {"bandwidth_hz": 8_000}, "bandwidth above 7 kHz"),
        ("speech_rate", {"duration_s": 4.0, "speech_ratio": 0.75}, "speech rate up to 2 words/s"),
        ("speech_rate", {"duration_s": 1.0, "speech_ratio": 0.75}, "speech rate 3 to 4 words/s"),
        ("speech_rate", {"speech_ratio": 0.0}, "speech rate unknown"),
        ("duration", {"duration_s": 0.4}, "duration up to 1 s"),
        ("duration", {"duration_s": 400.0}, "duration above 28 s"),
        ("clipping", {"clipped_ratio": 0.0}, "clipped samples up to 0.01 %"),
        ("clipping", {"clipped_ratio": 0.5}, "clipped samples above 1 %"),
        ("leading_silence", {"leading_silence_s": 0.0}, "leading silence up to 0.1 s"),
        ("trailing_silence", {"trailing_silence_s": 1.0}, "trailing silence 0.5 to 2 s"),
        ("trailing_silence", {"trailing_silence_s": None}, "trailing silence unknown"),
    ],
)
def test_bands_are_named_with_their_unit_and_hold_their_upper_edge(dimension: str, measure: dict[str, float], name: str) -> None:
    assert BANDS[dimension].place(clip("a", "red green blue", audio=measured(**measure))) == name


@pytest.mark.parametrize("bands", AUDIO, ids=lambda bands: bands.dimension)
def test_of_a_clip_that_failed_nothing_is_known_and_the_edges_rise(bands: Bands) -> None:
    assert bands.place(clip("a", "one", audio=None)) == f"{bands.label} unknown"
    assert list(bands.edges) == sorted(set(bands.edges))
    assert len(bands.names) == len(bands.edges) + 1


def noisy_and_quiet(noisy: int = 6) -> list[ClipResult]:
    """Noisy clips with every second word wrong, and twenty quiet ones with one word wrong in each fourth."""
    bad = [clip(f"noisy {n}", "a b c d", "a x c x", speaker=f"n{n}", audio=measured(snr_db=5.0)) for n in range(noisy)]
    good = [clip(f"quiet {n}", "a b c d", "a b c x" if n % 4 == 0 else "a b c d", speaker=f"q{n}") for n in range(20)]
    return bad + good


def test_what_costs_most_comes_first_and_is_clear() -> None:
    slices = list(slices_of(run(noisy_and_quiet())))
    worst = find(slices, "snr", "SNR 0 to 10 dB")
    assert slices[0] is worst
    assert (worst.clips, worst.speakers, worst.words, worst.errors, worst.wer) == (6, 6, 24, 12, 0.5)
    assert (worst.rest_wer, worst.clear) == (5 / 80, True)
    assert worst.excess_errors == pytest.approx(10.5)
    assert (worst.share_of_errors, worst.share_of_words) == (12 / 17, 24 / 104)
    best = find(slices, "snr", "SNR 20 to 30 dB")
    assert (best.clear, best.excess_errors < 0, best.rest_wer) == (False, True, 0.5)


def test_what_surely_costs_comes_before_what_only_may() -> None:
    """Half of the collection, a little worse and not sure of it, has more excess errors than six clips that are surely bad."""
    long = [clip(f"long {n}", "a b c d", "x x x x" if n < 9 else "a b c d", audio=measured(duration_s=20.0)) for n in range(40)]
    slices = list(slices_of(run([*noisy_and_quiet(), *long])))
    noisy, by_length = find(slices, "snr", "SNR 0 to 10 dB"), find(slices, "duration", "duration 10 to 28 s")
    assert by_length.excess_errors > noisy.excess_errors
    assert noisy.sure_excess_errors > by_length.sure_excess_errors == 0.0
    assert slices.index(noisy) < slices.index(by_length)


def errors_by_chance(seed: int) -> list[ClipResult]:
    """Clips of which nothing that is known of them makes errors likelier. Most have none, some have many."""
    chance = random.Random(seed)
    said = "abcdefghijkl"
    return [
        clip(
            f"{number}",
            " ".join(said),
            " ".join(said[int(chance.expovariate(1.0)) :]),
            set_name=chance.choice("pqrst"),
            speaker=f"speaker {chance.randrange(15)}",
            conditions=[chance.choice("uvwxyz")],
            audio=measured(
                snr_db=chance.uniform(-5.0, 40.0),
                duration_s=chance.uniform(0.5, 12.0),
                loudness_before_lufs=chance.uniform(-45.0, -10.0),
                leading_silence_s=chance.uniform(0.0, 3.0),
            ),
        )
        for number in range(120)
    ]


def test_chance_alone_makes_hardly_any_slice_clear() -> None:
    """Though in nearly every collection some slice's whole interval lies above the rate of the rest."""
    slices = [slices_of(run(errors_by_chance(seed))) for seed in range(12)]
    above = [any(one.ci95 and one.rest_wer is not None and one.ci95[0] > one.rest_wer for one in of_run) for of_run in slices]
    clear = [any(one.clear for one in of_run) for of_run in slices]
    assert sum(above) >= 6
    assert sum(clear) <= 1


def test_one_slice_that_is_worse_is_found_among_all_that_are_not() -> None:
    clips = errors_by_chance(0)
    street = [replace(one, conditions=("street",), counts=ErrorCounts(deletions=8, words=12)) for one in clips[:12]]
    slices = slices_of(run([*street, *clips[12:]]))
    assert [one.slice for one in slices if one.clear] == ["street"]
    assert 0.0 < slices[0].sure_excess_errors < slices[0].excess_errors


def test_a_slice_of_nearly_everything_is_not_clear() -> None:
    """One clip outside, which happens to be right."""
    clips = [clip("alone", "a b c", "a b c", set_name="one"), *(clip(f"{n}", "a b c", "a x c") for n in range(20))]
    assert not [one for one in slices_of(run(clips)) if one.clear]


def test_a_few_clips_are_never_clear() -> None:
    """All four are equally bad, so an interval from draws of them is a point."""
    worst = find(list(slices_of(run(noisy_and_quiet(4)))), "snr", "SNR 0 to 10 dB")
    assert (worst.ci95, worst.clear) == ((0.5, 0.5), False)


def test_what_one_voice_has_in_common_is_told_of_the_voice_alone() -> None:
    """Twelve bad clips of a street, all of one speaker: it may be the speaker, so only the slice by speaker is clear."""
    good = [clip(f"good {n}", "a b c d", "a b c x" if n % 4 == 0 else "a b c d", speaker=f"q{n}") for n in range(40)]
    bad = [clip(f"bad {n}", "a b c d", "a x x x" if n % 3 else "x x x x", speaker="anna") for n in range(12)]
    street = [replace(one, conditions=("street",)) for one in bad]
    assert [one.dimension for one in slices_of(run([*street, *good])) if one.clear] == ["speaker"]


def test_characters_and_silence_are_not_in_the_slices() -> None:
    spoken = clip("a", "red green", "red")
    others = [clip("zh", "今天", "今", language="zh"), clip("fan", "", "you")]
    assert slices_of(run([spoken, *others])) == slices_of(run([spoken]))
    analysis = analyse(run([spoken, *others]))
    assert (analysis.clips, analysis.other_clips, analysis.counts.words) == (1, 2, 2)


def test_advice_is_made_of_the_numbers_of_the_slices() -> None:
    first, *_ = advice(slices_of(run(noisy_and_quiet())))
    assert first == (
        "Collect speech with SNR 0 to 10 dB: 6 clips of 6 speakers, 70.6 % of the errors in 23.1 % of the words, "
        "WER 50.0 % (50.0 % to 50.0 %) against 6.2 %: 10 errors more than at the rate of the rest, 9 of them sure."
    )


def test_nobody_is_told_to_collect_a_speaker() -> None:
    """A voice is listened to."""
    said = "red green blue"
    bad = [clip(f"anna {n}", said, "x y z", speaker="anna") for n in range(9)]
    good = [clip(f"other {n}", said, said if n % 4 else "red green x", speaker=f"s{n // 3}") for n in range(30)]
    (clear,) = (sentence for sentence in advice(slices_of(run([*bad, *good]))) if "sure" in sentence)
    assert clear.startswith("Listen to speaker anna: 9 clips of 1 speaker, ")
    assert clear.endswith(" of them sure; find what in the voice or the microphone makes it hard, and collect more of that.")


def test_what_is_not_clear_is_collected_to_find_out() -> None:
    first, *_ = advice(slices_of(run(noisy_and_quiet(4))))
    assert first == (
        "Collect speech with SNR 0 to 10 dB to find out: 4 clips of 4 speakers, WER 50.0 % (50.0 % to 50.0 %) against 6.2 %, "
        "which is not clear yet (fewer than 5 clips)."
    )


def test_two_names_of_the_same_clips_are_one_advice() -> None:
    clips = [replace(one, set="street", conditions=("noisy",)) if one.id.startswith("noisy") else one for one in noisy_and_quiet()]
    assert len(advice(slices_of(run(clips)))) == 1


def test_there_is_no_advice_without_errors_or_for_what_cannot_be_measured() -> None:
    assert advice(slices_of(run([clip("a", "one", "one"), clip("b", "two", "two")]))) == []
    unmeasured = [replace(one, audio=None) if one.id.startswith("noisy") else one for one in noisy_and_quiet()]
    assert not [sentence for sentence in advice(slices_of(run(unmeasured))) if "unknown" in sentence]


def test_kinds_of_words_that_are_clear_are_advice_too() -> None:
    numbers = WordKind("numbers", 9, 100, 30, 0.3, (0.2, 0.4), 0.05, 25.0, clear=True)
    names = WordKind("names", 9, 10, 3, 0.3, (0.0, 0.4), 0.05, 2.5, clear=False)
    assert advice([], [numbers, names]) == [
        "Collect speech with numbers: 30.0 % of 100 are wrong, of the other words 5.0 %, 25 errors more than at the rate of the rest."
    ]


def test_the_result_is_json_with_every_part_in_it() -> None:
    found = json.loads(json.dumps(as_json(analyse(run(noisy_and_quiet()))), allow_nan=False))
    assert {name: found[name] for name in ("wer", "words", "errors", "clips", "other_clips")} == {
        "wer": 0.16346,
        "words": 104,
        "errors": 17,
        "clips": 26,
        "other_clips": 0,
    }
    assert found["audio"][0] == {
        "dimension": "snr",
        "slice": "SNR 0 to 10 dB",
        "clips": 6,
        "speakers": 6,
        "words": 24,
        "errors": 12,
        "wer": 0.5,
        "ci95": [0.5, 0.5],
        "share_of_errors": 0.70588,
        "share_of_words": 0.23077,
        "rest_wer": 0.0625,
        "excess_errors": 10.5,
        "sure_excess_errors": pytest.approx(8.8, abs=0.2),
        "clear": True,
    }
    assert found["word_errors"]["substitutions"][0] == {"said": "d", "heard": "x", "count": 11}
    assert found["collect"][0].startswith("Collect speech with SNR 0 to 10 dB: ")
