"""Two results held against each other: what must be caught is, and what is the same passes."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asr_server.errors import WrongCall
from bench.__main__ import main
from bench.compare import Comparison, compare
from bench.compare_capacity import UNARY_TOLERATED, compare_capacity
from bench.result import CapacityResult, LatencyResult, result_of
from bench.slower import Tolerance
from tests.bench.made_results import MACHINE, SYSTEM, Said, capacity, latency, soak
from tests.bench.timing_simulation import MACHINE as MOOD
from tests.bench.timing_simulation import STAGES, failed, pair

CLIPS = [Said(slices_ms={"queue": 5.0, "asr": 100.0 + 5 * number}) for number in range(24)]


def of_latency(fields: dict[str, Any], name: str = "made.json") -> LatencyResult:
    result = result_of(fields, name)
    assert isinstance(result, LatencyResult)
    return result


def of_capacity(fields: dict[str, Any]) -> CapacityResult:
    result = result_of(fields, "made.json")
    assert isinstance(result, CapacityResult)
    return result


def compared(after: list[Said], before: list[Said] = CLIPS, **changed: Any) -> Comparison:
    return compare(of_latency(latency(before), "a.json"), of_latency(latency(after, **changed), "b.json"), Tolerance())


def gates(comparison: Comparison) -> set[str]:
    return {one.gate for one in comparison.failed_gates}


def all_but(number: int, said: Said) -> list[Said]:
    """The clips, the first `number` of them like `said`."""
    return [said] * number + CLIPS[number:]


def test_a_run_against_itself_passes() -> None:
    comparison = compared(CLIPS)
    assert (comparison.failed_gates, comparison.notes, comparison.machine) == ((), (), 1.0)


@pytest.mark.parametrize("stage", STAGES)
def test_100_ms_more_in_a_stage_are_caught_and_named(stage: str) -> None:
    """Beyond the stage only the times that contain it fail."""
    _, after = pair(4, clips=40, slow=stage)
    before, _ = pair(4, clips=40)
    comparison = compare(before, after, Tolerance())
    assert stage in gates(comparison)
    assert gates(comparison) <= {stage, "response", "ttfs", "late"}


def test_the_same_twice_fails_at_most_two_times_in_a_hundred() -> None:
    """As the longer simulation says, of which these are the first pairs."""
    assert sum(bool(failed(seed)) for seed in range(60)) <= 2


def test_what_might_have_gone_unseen_is_said() -> None:
    """Of pairs in which 100 ms more went unseen, nine of ten were called blind in that stage."""
    missed = [compare(*pair(seed, clips=10, slow="asr"), Tolerance()) for seed in range(60)]
    missed = [comparison for comparison in missed if "asr" not in gates(comparison)]
    told = [comparison for comparison in missed if "asr" in {stage.stage for stage in comparison.blind}]
    assert len(told) >= 0.9 * len(missed) > 0


def test_a_slower_machine_is_no_slower_candidate() -> None:
    twice = [
        replace(said, slices_ms={name: 2 * ms for name, ms in said.slices_ms.items()}, outside_ms=40, baseline_ms=1800) for said in CLIPS
    ]
    comparison = compared(twice)
    assert (gates(comparison), comparison.machine) == (set(), 2.0)
    assert "the machine took 2.00 times as long for the same work in B, by the baselines" in comparison.notes


@pytest.mark.parametrize("machine", [1.5, 0.6])
def test_an_end_of_speech_that_was_taken_too_early_is_the_same_on_any_machine(machine: float) -> None:
    """What is outside of the ledger, here 80 ms less than nothing, does not become more or less with the work."""
    early = [replace(said, outside_ms=-80.0) for said in CLIPS]
    other = [
        replace(said, slices_ms={name: ms * machine for name, ms in said.slices_ms.items()}, baseline_ms=900 * machine) for said in early
    ]
    comparison = compared(other, early)
    assert gates(comparison) == set()
    lost_ms = {stage.stage: stage.typical.scaled.ms for stage in comparison.stages}
    assert lost_ms["outside"] == 0
    assert lost_ms["ttfs"] == pytest.approx(lost_ms["response"])


def test_a_slower_candidate_is_not_hidden_by_a_quicker_machine() -> None:
    half = [replace(said, slices_ms={"queue": 2.5, "asr": said.slices_ms["asr"] / 2 + 80}, baseline_ms=450) for said in CLIPS]
    assert "asr" in gates(compared(half))


def test_our_own_engine_excuses_nothing() -> None:
    """An engine that takes 100 ms more takes them in the floor too."""
    slow = [replace(said, slices_ms={**said.slices_ms, "asr": said.slices_ms["asr"] + 100}, floor_ms=220) for said in CLIPS]
    assert gates(compared(slow)) == {"asr", "response", "ttfs"}


@pytest.mark.parametrize(
    "other", [{"machine": {**MACHINE, "ctranslate2": "5.0"}}, {"setup": {**latency(CLIPS)["setup"], "model_alone": "other"}}]
)
def test_baselines_of_other_models_or_libraries_do_not_tell_the_machine(other: dict[str, Any]) -> None:
    comparison = compared([replace(said, baseline_ms=1800) for said in CLIPS], **other)
    assert comparison.machine is None
    assert any("how fast the machine was is not known" in note for note in comparison.notes)


def test_without_a_baseline_times_are_compared_as_measured() -> None:
    bare = [replace(said, baseline_ms=None) for said in CLIPS]
    slow = [replace(said, slices_ms={**said.slices_ms, "asr": said.slices_ms["asr"] + 100}) for said in bare]
    assert gates(compared(bare, bare)) == set()
    assert gates(compared(slow, bare)) == {"asr", "response", "ttfs"}


def test_a_few_clips_that_became_much_slower_fail_by_the_tail() -> None:
    slow = all_but(6, Said(slices_ms={"queue": 400.0, "asr": 150.0}))
    comparison = compared(slow)
    assert "queue" in gates(comparison)
    assert all("the 95th percentile" in one.message for one in comparison.failed_gates if one.gate == "queue")


def test_one_unlucky_clip_passes() -> None:
    assert gates(compared(all_but(1, Said(slices_ms={"queue": 900.0, "asr": 150.0})))) == set()


def test_words_that_are_no_longer_heard_fail() -> None:
    assert gates(compared(all_but(8, replace(CLIPS[0], wrong_words=2)))) == {"wer"}
    assert gates(compared(all_but(8, replace(CLIPS[0], lost_words=2)))) == {"lost_words"}
    assert gates(compared(all_but(1, replace(CLIPS[0], wrong_words=1)))) == set()


def test_a_clip_that_is_newly_lost_early_or_failed_fails() -> None:
    assert gates(compared(all_but(1, replace(CLIPS[0], lost=True)))) == {"lost"}
    assert gates(compared(all_but(1, replace(CLIPS[0], error="UNAVAILABLE")))) == {"failed"}
    assert gates(compared(all_but(1, replace(CLIPS[0], early=True)))) == {"early"}
    lost = all_but(1, replace(CLIPS[0], lost=True))
    assert gates(compared(lost, lost)) == set()


def test_so_few_clips_that_words_cannot_be_told_to_be_worse_are_noted() -> None:
    few = [replace(CLIPS[0], wrong_words=wrong) for wrong in (0, 2)]
    comparison = compared([few[1]] * 5, [few[0]] * 5)
    assert gates(comparison) == set()
    assert "5 clips cannot tell whether words got worse: 6 or more can" in comparison.notes


def test_more_late_finals_fail_unless_the_slower_machine_explains_them() -> None:
    slow = Said(slices_ms={"queue": 5.0, "asr": 560.0})
    assert "late" in gates(compared(all_but(10, slow)))
    assert "late" not in gates(compared([replace(said, baseline_ms=1800) for said in all_but(10, slow)]))


def test_a_run_that_is_not_valid_fails() -> None:
    comparison = compared(CLIPS, valid=False, invalid_because=["this process woke late: 200 ms"])
    assert [one.message for one in comparison.failed_gates] == ["valid: B is not: this process woke late: 200 ms"]


def test_what_differs_is_said() -> None:
    release = {**SYSTEM["release"], "options": {"compute_type": "float32"}}
    other_machine = {**MACHINE, "cpu": "Other CPU", "python": "3.12"}
    comparison = compared(CLIPS, machine=other_machine, system={**SYSTEM, "code": "1.1", "release": release})
    assert [(one.what, one.before, one.after) for one in comparison.differences] == [
        ("code", "1.0", "1.1"),
        ("release.options.compute_type", "int8", "float32"),
        ("cpu", "Made CPU", "Other CPU"),
        ("python", "3.11", "3.12"),
    ]
    assert "another machine: cpu Made CPU, then Other CPU" in comparison.notes


def test_another_manifest_with_the_same_ids_and_texts_is_said() -> None:
    comparison = compared(CLIPS, setup={**latency(CLIPS)["setup"], "manifest_sha256": "2" * 64})
    assert comparison.notes == (
        "another manifest: the clips have the same ids and texts; whether they are the same recordings is not known",
    )


@pytest.mark.parametrize(
    ("tolerance", "before_ms", "tolerated_ms"),
    [
        (Tolerance(), 100, 30),
        (Tolerance(), 400, 40),
        (Tolerance(), 2000, 60),
        (Tolerance(ms=0), 400, 40),
        (Tolerance(ms=0, ratio=0), 400, 0),
        (Tolerance(ms=120), 2000, 120),
    ],
)
def test_of_the_two_tolerances_the_larger_counts(tolerance: Tolerance, before_ms: float, tolerated_ms: float) -> None:
    """A share gives 60 ms at most, whatever is tolerated in ms."""
    assert tolerance.of(before_ms) == tolerated_ms


def test_that_one_run_asked_for_eager_results_is_noted() -> None:
    asked = compared(CLIPS, setup={**latency(CLIPS)["setup"], "eager_results": True})
    assert asked.notes == ("eager results: off, then on",)


def test_that_the_servers_had_other_settings_is_noted() -> None:
    asked = compared(CLIPS, setup={**latency(CLIPS)["setup"], "config": {"name": "s.yaml", "sha256": "0f"}})
    assert asked.notes == ("settings of the server: none, then name s.yaml sha256 0f",)


def test_ratios_to_what_the_same_run_measured_alone_are_told() -> None:
    fields = compared(CLIPS).as_json()
    assert fields["ratios"] == {
        "response_to_floor": {"before": 1.333, "after": 1.333},
        "ttfs_to_baseline": {"before": 0.756, "after": 0.756},
    }


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"streams": 2}, "1 streams in a.json, 2 in b.json"),
        ({"setup": {**latency(CLIPS)["setup"], "preset": "fast"}}, "preset balanced, then fast"),
        ({"setup": {**latency(CLIPS)["setup"], "vad_stop_ms": 200}}, "VAD stop 500, then 200"),
        ({"setup": {**latency(CLIPS)["setup"], "interim_results": False}}, "partials on, then off"),
        ({"setup": {**latency(CLIPS)["setup"], "end": "finalize"}}, "end of a call by silence, then finalize"),
        ({"text_rules": "others"}, "texts by the rules whisper-normalizer 0.1.15, then others"),
        ({"runs": latency(CLIPS[:-1])["runs"]}, "1 clips are in one of the two only, such as clip 23"),
        ({"runs": latency([replace(said, text="other words") for said in CLIPS])["runs"]}, "another reference for the clip clip 0"),
    ],
)
def test_runs_that_are_not_of_the_same_thing_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(WrongCall) as caught:
        compared(CLIPS, **changed)
    assert str(caught.value) == f"not comparable: {message}"


@pytest.mark.parametrize(
    ("before", "after", "failed_gates"),
    [
        ([(1, "pp"), (2, "pp"), (4, "ff")], [(1, "pp"), (2, "pp"), (4, "ff")], []),
        ([(1, "pp"), (2, "pp"), (4, "ff")], [(1, "pp"), (2, "ff")], ["max_streams"]),
        ([(1, "pp"), (2, "pp"), (4, "ff")], [(1, "pp"), (2, "fpf"), (4, "ff")], []),
        ([(1, "pp"), (2, "pp"), (4, "pp"), (8, "ff")], [(1, "pp"), (2, "ff")], ["max_streams"]),
        ([(1, "pp"), (2, "ff")], [(1, "pp"), (2, "pp"), (4, "ff")], []),
        ([(1, "pp"), (2, "pp"), (4, "ff")], [(1, "pp"), (2, "ii")], ["valid"]),
        ([(1, "pp"), (2, "pp"), (4, "ff")], [(1, "pp")], ["max_streams"]),
        ([(1, "pp"), (2, "pp"), (4, "pp"), (8, "pp"), (16, "ff")], [(1, "pp"), (2, "fpf")], ["max_streams"]),
        ([(4, "pp"), (8, "pp"), (16, "ff")], [(4, "pp"), (6, "pp"), (7, "pp"), (8, "fpf")], []),
    ],
)
def test_fewer_streams_fail_unless_some_repeat_still_made_the_last_step(
    before: list[tuple[int, str]], after: list[tuple[int, str]], failed_gates: list[str]
) -> None:
    comparison = compare_capacity(of_capacity(capacity(*before)), of_capacity(capacity(*after)))
    assert [one.gate for one in comparison.failed_gates] == failed_gates
    assert comparison.as_json()["failed_gates"] == [{"gate": one.gate, "message": one.message} for one in comparison.failed_gates]


def of_whole_files(requests_per_s: float | None, **changed: Any) -> CapacityResult:
    fields = capacity((1, "pp"), **changed)
    return of_capacity({**fields, "unary": None if requests_per_s is None else {**fields["unary"], "requests_per_s": requests_per_s}})


def test_clearly_fewer_whole_files_a_second_fail_on_the_same_machine() -> None:
    before = of_whole_files(6.0)
    (gate,) = compare_capacity(before, of_whole_files(3.9)).failed_gates
    assert (gate.gate, gate.message) == ("unary", "unary: 3.90 whole files a second, 6.00 before; 33% fewer are tolerated")
    assert compare_capacity(before, of_whole_files(4.1)).failed_gates == ()
    elsewhere = compare_capacity(before, of_whole_files(3.9, machine={**MACHINE, "cores": 1}))
    assert elsewhere.failed_gates == ()
    assert elsewhere.notes == ("another machine: cores 2, then 1", "whole files a second are not judged: another machine")
    assert compare_capacity(before, of_whole_files(None)).notes == ("whole files a second are not judged: not measured in B",)
    unknown = compare_capacity(of_whole_files(None), of_whole_files(None))
    assert (unknown.failed_gates, unknown.notes) == ((), ())


def test_of_whole_files_no_more_is_tolerated_than_the_machine_does_alone() -> None:
    """Of pairs of the same thing on machines as the simulation has them, 2 to 4 of 100 differ by more."""
    machines = np.random.default_rng(0).lognormal(0.0, MOOD, (20_000, 2))
    assert 0.02 < (machines[:, 1] / machines[:, 0] < 1 - UNARY_TOLERATED).mean() < 0.04


def test_what_differs_between_two_capacities_is_said() -> None:
    other = of_capacity(capacity((1, "pp"), machine={**MACHINE, "cpu": "Other CPU"}, system={**SYSTEM, "code": "1.1"}))
    comparison = compare_capacity(of_capacity(capacity((1, "pp"))), other)
    assert [(one.what, one.before, one.after) for one in comparison.differences] == [
        ("code", "1.0", "1.1"),
        ("cpu", "Made CPU", "Other CPU"),
    ]
    assert comparison.as_json()["notes"] == list(comparison.notes)
    assert "another machine: cpu Made CPU, then Other CPU" in comparison.notes


def test_another_promise_cannot_be_compared() -> None:
    with pytest.raises(WrongCall, match="95 of 100 clips within 500 ms, then 95 of 100 clips within 300 ms"):
        compare_capacity(of_capacity(capacity((1, "pp"))), of_capacity(capacity((1, "pp"), slo_ms=300)))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("manifest_sha256", "2" * 64, "manifest "),
        ("vad_stop_ms", 500, "VAD stop 200, then 500"),
        ("preset", "accurate", "preset fast, then accurate"),
    ],
)
def test_another_load_cannot_be_compared(name: str, value: object, message: str) -> None:
    one = capacity((1, "pp"))
    with pytest.raises(WrongCall, match=f"not comparable: {message}"):
        compare_capacity(of_capacity(one), of_capacity({**one, "setup": {**one["setup"], name: value}}))


def test_the_command_writes_what_it_shows_and_fails_when_b_is_worse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slow = [replace(said, slices_ms={**said.slices_ms, "queue": 105.0}) for said in CLIPS]
    paths = [tmp_path / name for name in ("a.json", "b.json", "o.json")]
    paths[0].write_text(json.dumps(latency(CLIPS)))
    paths[1].write_text(json.dumps(latency(slow)))
    a, b, out = map(str, paths)
    assert main(["compare", a, a, "--json", out]) == 0
    assert json.loads(paths[2].read_text())["failed_gates"] == []
    assert "B is not worse than A" in capsys.readouterr().out
    assert main(["compare", a, b, "--json", out]) == 1
    written = json.loads(paths[2].read_text())
    assert [one["gate"] for one in written["failed_gates"]] == ["ttfs", "ttfs", "response", "response", "queue", "queue"]
    assert "FAILED queue: the typical clip is 100 ms slower" in capsys.readouterr().out
    assert main(["compare", a, b, "--tolerance-ms", "120"]) == 0


def test_the_command_compares_capacities(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = tmp_path / "a.json", tmp_path / "b.json"
    a.write_text(json.dumps(capacity((1, "pp"), (2, "pp"), (4, "ff"))))
    b.write_text(json.dumps(capacity((1, "pp"), (2, "ff"))))
    assert main(["compare", str(a), str(b)]) == 1
    assert "FAILED max_streams: 1, 2 before; with 2: time to final text" in capsys.readouterr().out
    assert main(["compare", str(b), str(a)]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("a.json", "Missing argument"),
        ("a.json none.json", "cannot read none.json: No such file"),
        ("a.json text.json", "text.json is not JSON"),
        ("a.json list.json", "list.json is not a result of this version's `python -m bench`"),
        ("a.json old.json", "old.json is not a result of this version's `python -m bench`: it has no runs"),
        ("a.json c.json", "wanted two results of `bench latency`, or two of `bench capacity`"),
        ("s.json s.json", "wanted two results of `bench latency`, or two of `bench capacity`"),
        ("a.json two.json", "not comparable: 1 streams in a.json, 2 in two.json"),
        ("a.json a.json --tolerance-ms -1", "--tolerance-ms -1: wanted 0 or more"),
        ("a.json a.json --tolerance-ratio nan", "--tolerance-ratio nan: wanted 0 or more"),
        ("a.json a.json --json no/where.json", "no such folder: no"),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_code_2(
    arguments: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    files = {
        "a.json": latency(CLIPS),
        "two.json": latency(CLIPS, streams=2),
        "c.json": capacity((1, "pp")),
        "s.json": soak(),
        "list.json": [1, 2],
        "old.json": {"streams": 1},
    }
    for name, fields in files.items():
        Path(name).write_text(json.dumps(fields))
    Path("text.json").write_text("not JSON")
    assert main(["compare", *arguments.split()]) == 2
    said = capsys.readouterr()
    assert (said.err.count("\n"), said.out) == (1, "")
    assert message in said.err


def test_order_of_clips_does_not_matter() -> None:
    """Streams end in another order each time."""
    fields = latency(CLIPS)
    shuffled = [fields["runs"][index] for index in np.random.default_rng(0).permutation(len(CLIPS))]
    assert gates(compared(CLIPS, runs=shuffled)) == set()
