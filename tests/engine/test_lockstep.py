"""Several decodes driven as one."""

import random
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_server.engine.context import Heard, Listener
from asr_server.engine.lockstep import Lockstep, Unwanted
from asr_server.engine.no_speech import NoSpeechRule
from asr_server.engine.placing import RATE_HZ, PlacedWord
from asr_server.engine.reading import Reader
from asr_server.engine.spans import SpanClock, spent_on
from asr_server.engine.steps import (
    Answer,
    Detect,
    Encode,
    Encoded,
    Generate,
    Place,
    Reading,
    Step,
    Steps,
    Task,
    detect,
    encode,
    find_words,
    generate,
    tell,
)
from asr_server.engine.tokens import TokenWord
from tests.engine.conftest import normalized

SOUND = np.full(RATE_HZ, 0.1, np.float32)
WORDS = ("we", "saw", "the", "blue", "sea.")
TASK = Task("en", beam_size=1)


@dataclass
class FakeNetwork:
    """Makes up each answer from the step alone, so that it does not depend on the company; remembers which were done together."""

    groups: list[list[Step]] = field(default_factory=list)
    fails_on: tuple[int, ...] = ()
    """Lengths of audio, in samples, whose steps of generating fail, with all that are done in one with them."""

    def shape(self, step: Step) -> Hashable:
        return (type(step), step.task.beam_size, len(step.task.begun)) if isinstance(step, Generate) else (type(step),)

    def answer(self, steps: Sequence[Step], clocks: Sequence[SpanClock]) -> Sequence[Answer]:
        assert len({self.shape(step) for step in steps}) == 1
        self.groups.append(list(steps))
        with spent_on(type(steps[0]).__name__, clocks):
            return [self._answer(step) for step in steps]

    def _answer(self, step: Step) -> Answer:
        match step:
            case Encode(samples=samples, margin_samples=margin_samples):
                return Encoded(None, (len(samples) + margin_samples) // 160, samples)
            case Detect():
                return [("en", 1.0)]
            case Generate(encoded=encoded, task=task, limit=limit):
                if len(encoded.samples) in self.fails_on:
                    raise RuntimeError(f"bad audio of {len(encoded.samples)}")
                chance = random.Random(f"{len(encoded.samples)} {encoded.frames} {task.begun}")
                new = [chance.randrange(len(WORDS)) for _ in range(chance.choice((0, 1, 3, 9, 300)))]
                return [_reading([*task.begun, *new][:limit], -chance.random(), len(task.begun))], chance.random()
            case Place(reading=reading, encoded=encoded):
                chance = random.Random(f"{reading.tokens}")
                starts_s = sorted(chance.uniform(0, encoded.audio_s) for _ in range(len(reading.words) + 1))
                return tuple(
                    PlacedWord(word, start_s, end_s, -0.2)
                    for word, start_s, end_s in zip(reading.words, starts_s, starts_s[1:], strict=False)
                )


def _reading(tokens: list[int], log_probability: float, told: int) -> Reading:
    return Reading(tokens, tuple(TokenWord(WORDS[token], i, i + 1) for i, token in enumerate(tokens)), log_probability, told=told)


def run(network: FakeNetwork, *decodes: Steps[object]) -> dict[int, object]:
    """By number, in the order in which they ended."""
    ended: dict[int, object] = {}
    Lockstep[object](network, ended.__setitem__).run([(steps, SpanClock()) for steps in decodes])
    return ended


def encoded_after(*, steps: int) -> Steps[int]:
    for _ in range(steps):
        yield from encode(SOUND, 0)
    return steps


def generated(samples: int) -> Steps[str]:
    encoded = yield from encode(SOUND[:samples], 0)
    yield from generate(encoded, TASK, 20)
    return f"of {samples}"


def test_equal_steps_of_a_round_are_done_in_one() -> None:
    network = FakeNetwork()

    assert run(network, generated(160), generated(320), generated(480)) == {0: "of 160", 1: "of 320", 2: "of 480"}
    assert [(type(group[0]), len(group)) for group in network.groups] == [(Encode, 3), (Generate, 3)]


def test_who_needs_fewer_steps_is_done_earlier() -> None:
    assert list(run(FakeNetwork(), encoded_after(steps=3), encoded_after(steps=1), encoded_after(steps=0))) == [2, 1, 0]


def test_who_only_has_words_to_place_does_not_wait_for_others_to_be_generated() -> None:
    def placed() -> Steps[str]:
        encoded = yield from encode(SOUND, 0)
        yield from find_words(encoded, _reading([0, 1], -0.1, 0), "en")
        return "placed"

    assert list(run(FakeNetwork(), generated(160), placed())) == [1, 0]


def placed_after_telling() -> Steps[str]:
    encoded = yield from encode(SOUND, 0)
    yield from tell("text")
    yield from find_words(encoded, _reading([0, 1], -0.1, 0), "en")
    return "placed"


def test_what_is_known_is_told_at_once() -> None:
    heard: list[object] = []
    network = FakeNetwork()
    results: dict[int, object] = {}

    def told(number: int, so_far: object) -> None:
        heard.append((number, so_far, len(network.groups)))

    Lockstep[object](network, results.__setitem__, told).run([(placed_after_telling(), SpanClock())])
    assert heard == [(0, "text", 1)]
    assert results == {0: "placed"}


def test_what_nobody_wants_any_more_is_broken_off_before_its_next_step() -> None:
    network = FakeNetwork()
    results: dict[int, object] = {}

    def wanted(number: int) -> bool:
        return number == 1 or not network.groups

    Lockstep[object](network, results.__setitem__, wanted=wanted).run([(generated(160), SpanClock()), (generated(320), SpanClock())])
    assert isinstance(results[0], Unwanted)
    assert results[1] == "of 320"
    assert [len(group) for group in network.groups] == [2, 1]


def test_words_of_a_text_that_was_told_wait_for_others() -> None:
    assert list(run(FakeNetwork(), placed_after_telling(), generated(160))) == [1, 0]


def test_what_a_listener_raises_in_between_ends_it_all_too() -> None:
    def refuse(_number: int, _so_far: object) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        Lockstep[object](FakeNetwork(), lambda _number, _result: None, refuse).run([(placed_after_telling(), SpanClock())])


def test_a_decode_that_fails_has_failed_alone_and_the_others_of_its_step_are_done_again() -> None:
    network = FakeNetwork(fails_on=(320,))

    ended = run(network, generated(160), generated(320), generated(480))

    assert (ended[0], ended[2]) == ("of 160", "of 480")
    assert isinstance(ended[1], RuntimeError)
    assert [len(group) for group in network.groups] == [3, 3, 1, 1, 1]


def test_a_failure_of_a_decode_itself_is_its_own() -> None:
    def broken() -> Steps[None]:
        yield from detect(Encoded(None, 0, SOUND))
        raise ZeroDivisionError

    ended = run(FakeNetwork(), broken(), encoded_after(steps=2))
    assert isinstance(ended[0], ZeroDivisionError)
    assert ended[1] == 2


def test_what_a_listener_raises_ends_it_all() -> None:
    def refuse(_number: int, _result: object) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        Lockstep[object](FakeNetwork(), refuse).run([(encoded_after(steps=1), SpanClock())])


def test_a_step_done_for_several_counts_for_each_and_one_that_failed_does_not() -> None:
    clocks = [SpanClock() for _ in range(3)]
    network = FakeNetwork(fails_on=(320,))
    Lockstep[object](network, lambda _number, _result: None).run(zip(map(generated, (160, 320, 480)), clocks, strict=True))

    assert [[span.name for span in clock.spans] for clock in clocks] == [["Encode", "Generate"], ["Encode"], ["Encode", "Generate"]]
    assert len({clock.spans[0] for clock in clocks}) == 1


@dataclass(frozen=True)
class Job:
    """What to hear: audio of so many tenths of a second, of which some have been told in so many words."""

    tenths: int
    told: int
    told_tenths: int
    beam_size: int

    def steps(self) -> Steps[object]:
        """As a decode hears, and with the places of new words if there are some."""
        listener = Listener(Reader(NoSpeechRule()), margin_samples=1_600)
        audio = normalized(np.full(self.tenths * RATE_HZ // 10, 0.1, np.float32))
        encoded = yield from listener.encode(audio)
        begun_s = min(self.told_tenths, self.tenths - 1) / 10
        task = Task("en", self.beam_size, begun=tuple(number % len(WORDS) for number in range(self.told)), begun_s=begun_s)
        heard: Heard = yield from (listener.hear_new(audio, encoded, task) if self.told else listener.hear(audio, encoded, TASK))
        best = heard.best
        placed = (yield from find_words(heard.encoded, best, "en")) if best.new_words else None
        return best, heard.no_speech, heard.read.guard, heard.audio.kept, placed


jobs = st.lists(st.builds(Job, st.integers(1, 40), st.integers(0, 6), st.integers(0, 30), st.integers(1, 2)), min_size=1, max_size=8)


@settings(deadline=None)
@given(jobs)
def test_together_all_hear_what_each_hears_alone(jobs: list[Job]) -> None:
    together = run(FakeNetwork(), *(job.steps() for job in jobs))

    assert sorted(together) == list(range(len(jobs)))
    for number, job in enumerate(jobs):
        assert together[number] == run(FakeNetwork(), job.steps())[0]
