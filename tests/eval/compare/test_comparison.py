"""The verdict on made-up runs: what fails a candidate, what does not, and what cannot be compared at all."""

import json
import math
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_server.engine.engine import Release
from asr_server.errors import WrongCall
from eval.compare.changes import ClipChange
from eval.compare.comparison import Comparison, Tolerances, compare
from eval.compare.excerpt import excerpt
from eval.compare.report import as_json
from eval.recognisers import System
from eval.result import ClipResult
from tests.eval.made_results import SYSTEM, clip, measured, run

SAID = "the cat sat on the mat and looked at the dog"


def heard(errors: int) -> str:
    """SAID with this many words wrong."""
    return " ".join(["wrong"] * errors + SAID.split()[errors:])


def clips(errors: Sequence[int], *, set_name: str = "all") -> list[ClipResult]:
    """One clip of SAID for each number of errors, each by a speaker of its own."""
    return [clip(f"{set_name}-{index}", SAID, heard(wrong), set_name=set_name) for index, wrong in enumerate(errors)]


def failed(comparison: Comparison) -> list[str]:
    return [gate.gate for gate in comparison.failed_gates]


def test_a_run_is_as_good_as_itself() -> None:
    same = run(clips([0, 1, 2] * 10))
    comparison = compare(same, same)
    assert failed(comparison) == []
    assert comparison.wer is not None
    assert (comparison.wer.difference, comparison.wer.ci95, comparison.wer.p) == (0.0, (0.0, 0.0), 1.0)
    assert not comparison.clips
    assert not comparison.differences


def test_more_errors_than_tolerated_fail_and_fewer_do_not() -> None:
    before, after = run(clips([0] * 100)), run(clips([1] * 10 + [0] * 90))  # 10 of 1100 words: 0.9 points
    assert failed(compare(before, after)) == ["word error rate"]
    assert failed(compare(before, after, Tolerances(rate=0.01))) == []
    assert failed(compare(after, before)) == []


def test_the_difference_decides_and_significance_is_told_beside_it() -> None:
    """A real loss of one clip is beyond proof by a bootstrap, and a proven loss inside the tolerance is what the tolerance is for."""
    before = run(clips([0] * 100))
    one_clip = compare(before, run(clips([11] + [0] * 99)))
    assert failed(one_clip) == ["word error rate"]
    assert "not significant: it may be chance" in one_clip.failed_gates[0].message
    proven = compare(before, run(clips([1] * 20 + [0] * 80)), Tolerances(rate=0.05))
    assert failed(proven) == []
    assert proven.wer is not None
    assert proven.wer.p < 0.01
    assert proven.wer.ci95 is not None
    assert proven.wer.ci95[0] > 0


def test_a_single_clip_proves_nothing() -> None:
    comparison = compare(run(clips([0])), run(clips([11])))
    assert comparison.wer is not None
    assert (comparison.wer.difference, comparison.wer.ci95, comparison.wer.p) == (1.0, None, 1.0)
    assert "(+100.00 points, of a single clip); p 1.000, not significant: it may be chance" in comparison.failed_gates[0].message
    assert json.loads(json.dumps(as_json(comparison)))["wer"]["ci95"] is None


def test_three_clips_prove_nothing_either() -> None:
    comparison = compare(run(clips([0] * 3)), run(clips([11] * 3)))
    assert comparison.wer is not None
    assert (comparison.wer.ci95, comparison.wer.p) == ((1.0, 1.0), 0.25)
    assert "p 0.250, not significant: it may be chance" in comparison.failed_gates[0].message


def test_a_set_in_which_one_speaker_got_worse_does_not_fail_for_itself() -> None:
    """Twenty clips, but one voice."""
    before, after = (
        run([*(replace(one, speaker="anna") for one in clips([wrong] * 20, set_name="hers")), *clips([1] * 600, set_name="others")])
        for wrong in (0, 1)
    )
    comparison = compare(before, after)
    assert (failed(comparison), comparison.sets[0].set, comparison.sets[0].rate.p) == ([], "hers", 1.0)


@pytest.mark.parametrize("seed", range(8))
def test_noise_does_not_fail(seed: int) -> None:
    """A few doubtful words of a few thousand fall the other way, as often better as worse."""
    chance = random.Random(seed)
    errors = [chance.choice([1, 1, 1, 2]) for _ in range(400)]
    noisy = [max(wrong + chance.choice([-1, 1]) * (chance.random() < 0.03), 0) for wrong in errors]
    sets = [f"set {index % 8}" for index in range(400)]
    before, after = (
        run(clip(f"{index}", SAID, heard(wrong), set_name=name) for index, (wrong, name) in enumerate(zip(counts, sets, strict=True)))
        for counts in (errors, noisy)
    )
    assert failed(compare(before, after)) == []


def test_a_set_that_is_lost_is_not_hidden_by_another_that_improves() -> None:
    before = run([*clips([0] * 20, set_name="telephone"), *clips([1] * 40, set_name="read")])
    after = run([*clips([1] * 20, set_name="telephone"), *clips([0] * 40, set_name="read")])
    comparison = compare(before, after)
    assert failed(comparison) == ["set"]
    assert "set telephone: word error rate" in comparison.failed_gates[0].message
    assert [(one.set, one.rate.errors_before, one.rate.errors_after) for one in comparison.sets] == [("telephone", 0, 20), ("read", 40, 0)]


def test_sets_that_cannot_fail_by_themselves_are_named() -> None:
    """Six speakers, all of them worse: one of 32 ways to deal the signs, which is not significant of two sets."""

    def of_six(name: str) -> list[ClipResult]:
        return [clip(f"{name} {n}", SAID, SAID, set_name=name, speaker=f"{name} {n}") for n in range(6)]

    both = run([*of_six("read"), *of_six("telephone")])
    assert "2 of 2 sets have too few speakers to fail by themselves: read, telephone" in compare(both, both).notes


def test_a_small_set_a_little_worse_does_not_fail_for_itself() -> None:
    """Four clips, all worse: the bootstrap would be certain, flipped signs are not."""
    before = run([*clips([0] * 4, set_name="few"), *clips([1] * 100, set_name="many")])
    after = run([*clips([1] * 4, set_name="few"), *clips([1] * 100, set_name="many")])
    comparison = compare(before, after)
    assert failed(comparison) == []
    few = comparison.sets[0]
    assert (few.set, few.rate.ci95, few.rate.p, few.p_holm) == ("few", (1 / 11, 1 / 11), 0.125, 0.25)


def test_characters_are_held_to_the_same_tolerance_apart_from_words() -> None:
    before = run([*clips([0] * 100), clip("zh", "今天天气很好", "今天天气很好", language="zh")])
    after = run([*clips([0] * 100), clip("zh", "今天天气很好", "今天天气很坏", language="zh")])
    comparison = compare(before, after)
    assert failed(comparison) == ["character error rate"]
    assert comparison.characters is not None
    assert (comparison.characters.words, comparison.characters.errors_after) == (6, 1)
    assert comparison.wer is not None
    assert comparison.wer.words == 1100


def test_a_collection_too_small_for_the_tolerance_is_told_to_be() -> None:
    (note,) = compare(run(clips([0])), run(clips([0]))).notes
    assert note == "11 words are few for a tolerance of 0.5 points: a single error more fails already"
    assert compare(run(clips([0])), run(clips([0])), Tolerances(rate=0.1)).notes == []


@pytest.mark.parametrize(("words", "fails"), [("", False), ("you", False), ("thank you for watching", True)])
def test_words_in_silence_are_held_against_those_before(words: str, fails: bool) -> None:
    minute = measured(duration_s=60.0)
    before = run([clip("talk", SAID, SAID), clip("fan", "", "", audio=minute)])
    after = run([clip("talk", SAID, SAID), clip("fan", "", words, audio=minute)])
    comparison = compare(before, after)
    assert failed(comparison) == (["words in silence"] if fails else [])
    assert comparison.silence is not None
    assert (comparison.silence.before, comparison.silence.after) == (0.0, len(words.split()))


def test_a_candidate_does_not_get_better_by_leaving_out() -> None:
    before, after = run(clips([0, 0, 5])), run(clips([0, 0]))
    comparison = compare(before, after)
    assert failed(comparison) == ["missing clips"]
    assert comparison.only_before == ["all-2"]
    assert "1 in the run before and not in the run after: all-2" in comparison.failed_gates[0].message
    assert (compare(after, before).only_after, failed(compare(after, before))) == (["all-2"], [])


def test_a_candidate_does_not_get_better_by_failing() -> None:
    """In silence every failure would be a word less."""
    before = run([*clips([0] * 9), clip("fan", "", "thank you")])
    after = run([*clips([0] * 9), clip("fan", "", audio=None, given_s=None, given_lufs=None, error="out of memory")])
    assert failed(compare(before, after)) == ["failed clips"]
    assert failed(compare(after, after)) == []
    assert failed(compare(after, before)) == []


@pytest.mark.parametrize(
    ("given_s", "given_lufs", "gates", "message"),
    [
        (4.0, -23.9, [], ""),
        (4.0, -43.0, ["loudness given"], "20.0 LU quieter"),
        (4.0, -20.0, ["loudness given"], "3.0 LU louder"),
        (4.0, None, ["loudness given"], "47.0 LU quieter"),
        (3.7, -23.0, [], ""),
        (3.0, -23.0, ["length given"], "25 % shorter"),
        (8.0, -23.0, ["length given"], "100 % longer"),
        (0.0, None, ["loudness given", "length given"], "100 % shorter"),
    ],
)
def test_audio_given_otherwise_than_before_fails_though_the_words_are_the_same(
    given_s: float, given_lufs: float | None, gates: list[str], message: str
) -> None:
    before = run(clip(f"{index}", SAID, SAID) for index in range(5))
    after = run(clip(f"{index}", SAID, SAID, given_s=given_s, given_lufs=given_lufs) for index in range(5))
    comparison = compare(before, after)
    assert failed(comparison) == gates
    assert message in " ".join(gate.message for gate in comparison.failed_gates)


def test_audio_that_differs_both_ways_is_not_called_louder_or_longer() -> None:
    """Half of the clips 3 LU louder and twice as long, the others 3 LU quieter and half as long: the median hides it."""
    halves = [(-20.0, 8.0), (-26.0, 2.0)] * 4
    before = run(clip(f"{index}", SAID, SAID) for index in range(8))
    after = run(clip(f"{index}", SAID, SAID, given_lufs=lufs, given_s=length_s) for index, (lufs, length_s) in enumerate(halves))
    comparison = compare(before, after)
    assert [gate.message for gate in comparison.failed_gates] == [
        "the recogniser was given audio that differs by 3.0 LU, in both directions (median of 8 clips, 8 beyond the tolerance)",
        "the recogniser was given audio that differs by 75 %, in both directions (median of 8 clips, 8 beyond the tolerance)",
    ]


def test_one_clip_given_otherwise_is_counted_and_does_not_fail() -> None:
    before = run(clip(f"{index}", SAID, SAID) for index in range(5))
    after = run(clip(f"{index}", SAID, SAID, given_lufs=-43.0 if index == 0 else -23.0) for index in range(5))
    comparison = compare(before, after)
    assert failed(comparison) == []
    assert comparison.given is not None
    assert comparison.given.loudness_lu is not None
    assert (comparison.given.loudness_lu.clips_beyond, comparison.given.loudness_lu.clips) == (1, 5)


def test_of_what_a_server_was_given_the_length_alone_is_known_and_compared() -> None:
    served = run([clip("a", SAID, SAID, given_s=2.0, given_lufs=None)], via="server")
    for before, after in ((run([clip("a", SAID, SAID)]), served), (served, run([clip("a", SAID, SAID)])), (served, served)):
        given = compare(before, after).given
        assert given is not None
        assert given.loudness_lu is None
    comparison = compare(run([clip("a", SAID, SAID)]), served)
    assert [gate.gate for gate in comparison.failed_gates] == ["length given"]
    assert json.loads(json.dumps(as_json(comparison)))["given"]["loudness_lu"] is None


def test_what_a_server_was_given_is_not_known_and_not_compared() -> None:
    long = " ".join([SAID] * 20)
    known = run([clip("a", long, long)])
    unknown = run([clip("a", long, long, given_s=None, given_lufs=None)], path="served.json")
    length_only = run([clip("a", long, long, given_lufs=None)], path="served.json", via="server")
    comparison = compare(known, unknown)
    assert comparison.given is None
    assert comparison.notes == [
        "loudness given is not known of served.json: not compared",
        "length given is not known of served.json: not compared",
    ]
    assert compare(length_only, known).notes == ["loudness given is not known of served.json: not compared"]
    assert compare(unknown, unknown).notes == compare(known, known).notes == []


def test_other_text_rules_other_references_and_no_common_clip_are_wrong_calls() -> None:
    one = run([clip("a", SAID, SAID)], path="a.json")
    with pytest.raises(WrongCall, match=r"other text rules: a\.json has 'whisper"):
        compare(one, replace(one, text_rules="sclite"))
    with pytest.raises(WrongCall, match=r"other text or language under the same id .*: a"):
        compare(one, run([clip("a", "something else", SAID)]))
    with pytest.raises(WrongCall, match="other text or language"):
        compare(one, run([clip("a", SAID, SAID, language="de")]))
    with pytest.raises(WrongCall, match="no clip in common"):
        compare(one, run([clip("b", SAID, SAID)]))


@pytest.mark.parametrize("bad", [-0.1, math.nan, math.inf])
def test_tolerances_are_checked(bad: float) -> None:
    with pytest.raises(WrongCall, match="0 or more: loudness_lu"):
        Tolerances(loudness_lu=bad)


def test_what_differs_between_the_systems_is_told() -> None:
    other = System("1.1", "v2", Release("fake", "1" * 64, {"beam_size": "1", "new": "yes"}))
    comparison = compare(run(clips([0])), run(clips([0]), other, via="server", data={"manifest": "n.jsonl", "sha256": "1"}))
    found = {one.what: (one.before, one.after) for one in comparison.differences}
    assert found == {
        "code": ("1.0", "1.1"),
        "data definition": ("v1", "v2"),
        "weights": ("0" * 64, "1" * 64),
        "beam_size": ("5", "1"),
        "new": ("", "yes"),
        "via": ("engine", "server"),
    }
    assert comparison.notes[0] == "other manifests: m.jsonl (0), m.jsonl (1)"


def test_changed_clips_come_with_both_texts_the_worst_first() -> None:
    before = run([clip("same", SAID, SAID), clip("better", "a b", "x y"), clip("worse", "a b", "a b"), clip("other", "a b", "a x")])
    after = run([clip("same", SAID, SAID), clip("better", "a b", "a b"), clip("worse", "a b", ""), clip("other", "a b", "a y")])
    changed = compare(before, after).clips
    assert [(one.id, one.change) for one in changed] == [("worse", 2), ("other", 0), ("better", -2)]
    assert (changed[0].reference, changed[0].before, changed[0].after) == ("a b", "a b", "")


WORDS = st.lists(st.sampled_from("abc"), max_size=30).map(" ".join)


def change(reference: str, before: str, after: str) -> ClipChange:
    return ClipChange("a", "all", "words", 0, 0, 0, reference, before, after, None, None)


@given(WORDS, WORDS, WORDS)
def test_an_excerpt_holds_all_that_differs(reference: str, before: str, after: str) -> None:
    found = excerpt(change(reference, before, after))
    whole, wanted = before.split(), after.split()
    old, new = ([word for word in text.split() if word != "..."] for text in (found.before, found.after))
    assert any(
        [*whole[:start], *new, *whole[start + len(old) :]] == wanted
        for start in range(len(whole) + 1)
        if whole[start : start + len(old)] == old
    )
    assert found.said.removeprefix("...").removesuffix("...").strip() in reference


def test_an_excerpt_leaves_out_what_is_far_from_the_difference() -> None:
    words = [f"w{number}" for number in range(40)]
    found = excerpt(change(" ".join(words), " ".join(words), " ".join([*words[:20], "x", *words[21:]])))
    assert found.said == found.before == "... w14 w15 w16 w17 w18 w19 w20 w21 w22 w23 w24 w25 w26 ..."
    assert found.after == "... w14 w15 w16 w17 w18 w19 x w21 w22 w23 w24 w25 w26 ..."


def test_the_result_is_json_with_every_part_in_it() -> None:
    before = run([*clips([0] * 3), clip("zh", "今天", "今天", language="zh"), clip("fan", "", "")])
    after = run([*clips([1] * 3), clip("zh", "今天", "今", language="zh"), clip("fan", "", "you")])
    found = json.loads(json.dumps(as_json(compare(before, after)), allow_nan=False))
    assert [gate["gate"] for gate in found["failed_gates"]] == ["word error rate", "character error rate", "words in silence"]
    assert {name: found["wer"][name] for name in ("before", "after", "difference")} == {
        "before": 0,
        "after": 0.09091,
        "difference": 0.09091,
    }
    assert set(found["wer"]) >= {"ci95", "p"}
    assert {"before", "after", "difference", "minutes"} <= set(found["silence"])
    assert [(one["set"], one["of"]) for one in found["sets"]] == [("all", "characters"), ("all", "words")]
    assert {one["id"] for one in found["clips"]} == {"all-0", "all-1", "all-2", "zh", "fan"}
    assert found["only_before"] == found["only_after"] == found["newly_failed"] == []
    assert found["systems"] == {"before": SYSTEM.as_json(), "after": SYSTEM.as_json(), "differences": []}
    assert found["given"]["loudness_lu"] == {"clips": 5, "median": 0.0, "median_absolute": 0.0, "clips_beyond": 0}
