"""One stream in virtual time, with a recogniser that says what the test wants."""

from collections.abc import Callable

import numpy as np
import pytest

from asr_server.events import DecodeWanted, Purpose
from asr_server.session import SessionOptions
from asr_server.transcript import Hypothesis
from audio_norm import Samples
from bench.pace import CHUNK_MS
from bench.simulate import SILENCE_S, Answer, Recognise, Simulated, Told, microphone, simulate
from tests.session.script import MS, RATE_HZ, heard, plain_definition, silence, speech

EARLY = SessionOptions(vad_stop_ms=300, speculate_after_ms=100)
LATE = SessionOptions(vad_stop_ms=300)


def run(options: SessionOptions, recognise: Recognise, *audio: Samples) -> Simulated:
    definition = plain_definition()
    return simulate(microphone(np.concatenate(audio)[:, None], RATE_HZ, definition), options, definition, recognise)


def taking(took_ms: float, text: str = "ok", *, sure: bool = False) -> Recognise:
    """Every decode takes so long and hears the same."""
    return lambda _wanted: Answer(took_ms, lambda: heard(text, sure=sure))


def one_by_one(took_ms: float, *answers: Callable[[], Hypothesis]) -> Recognise:
    coming = iter(answers)
    return lambda _wanted: Answer(took_ms, next(coming))


def never() -> Hypothesis:
    raise AssertionError("nobody wants to know")


@pytest.mark.parametrize(("took_ms", "ttfs_ms"), [(0, 300), (50, 300), (199, 300), (210, 310), (400, 500)])
def test_a_text_begun_early_is_there_when_it_is_known_or_the_wait_is_over_whichever_is_later(took_ms: float, ttfs_ms: float) -> None:
    assert run(EARLY, taking(took_ms), speech(1_000)).ttfs_ms(1.0) == pytest.approx(ttfs_ms)


def test_a_text_begun_when_the_wait_is_over_comes_as_much_later_as_it_takes() -> None:
    assert run(LATE, taking(250), speech(1_000)).ttfs_ms(1.0) == pytest.approx(550)


def test_sure_text_is_there_after_the_shortest_wait_and_unsure_text_after_the_longest() -> None:
    adaptive = SessionOptions(vad_stop_ms=600, sure_stop_ms=200, speculate_after_ms=100)
    assert run(adaptive, taking(50, sure=True), speech(1_000)).ttfs_ms(1.0) == pytest.approx(200)
    assert run(adaptive, taking(150, sure=True), speech(1_000)).ttfs_ms(1.0) == pytest.approx(250)
    assert run(adaptive, taking(50), speech(1_000)).ttfs_ms(1.0) == pytest.approx(600)


def test_what_a_decode_hears_that_nobody_wants_any_more_is_not_found_out_but_its_time_counts() -> None:
    recognise = one_by_one(1_000, never, lambda: heard("all of it"))
    done = run(EARLY, recognise, speech(1_000), silence(200), speech(500))
    assert (done.text, done.decodes, done.busy_ms) == ("all of it", 2, 2_000)


def test_finals_are_told_in_order_with_where_they_began() -> None:
    recognise = one_by_one(0, lambda: heard("one"), lambda: heard("two"))
    done = run(EARLY, recognise, speech(1_000), silence(600), speech(500))
    assert [(final.text, final.segment, final.start_s) for final in done.finals] == [("one", 0, 0.0), ("two", 1, 1.6)]
    assert done.text == "one two"


def test_what_is_still_being_recognised_when_the_microphone_closes_is_heard_out() -> None:
    done = run(EARLY, taking(60_000), speech(1_000))
    assert done.ttfs_ms(1.0) == pytest.approx(60_100)


def test_a_segment_without_words_is_no_final() -> None:
    done = run(EARLY, taking(50, ""), speech(1_000))
    assert (done.finals, done.ttfs_ms(1.0), done.eager_ms(1.0)) == ((), None, None)


def test_a_final_that_began_after_the_end_of_speech_is_not_its_last() -> None:
    done = run(EARLY, taking(0), speech(1_000), silence(600), speech(500))
    assert done.ttfs_ms(1.0) == pytest.approx(300)
    assert done.ttfs_ms(2.1) == pytest.approx(300)


EAGER = SessionOptions(vad_stop_ms=600, speculate_after_ms=100, eager_results=True)


def test_an_eager_text_that_stands_is_counted_and_timed() -> None:
    done = run(EAGER, taking(50, "That is all.", sure=True), speech(1_000))
    assert ([told.text for told in done.eager], done.eager_stood) == (["That is all."], 1)
    assert done.eager_ms(1.0) == pytest.approx(150)
    assert done.ttfs_ms(1.0) == pytest.approx(600)


def test_an_eager_text_that_is_withdrawn_is_told_and_has_not_stood() -> None:
    texts = (lambda: heard("That is all.", sure=True), lambda: heard("That is it, all right.", sure=True))
    done = run(EAGER, one_by_one(50, *texts), speech(1_000), silence(300), speech(500))
    assert (len(done.eager), done.eager_stood) == (2, 1)
    assert done.eager_ms(1.8) == pytest.approx(150)


def test_where_nothing_was_told_early_the_final_is_what_is_waited_for() -> None:
    done = run(EAGER, taking(50, "and then"), speech(1_000))
    assert (done.eager, done.eager_ms(1.0)) == ((), done.ttfs_ms(1.0))


def test_an_eager_text_of_another_reading_is_not_what_was_waited_for() -> None:
    told, final = Told("one", 0, 0.0, 1.1), Told("one two", 0, 0.0, 1.6)
    assert Simulated((final,), (told,), 1, 1, 0.0).eager_ms(1.0) == pytest.approx(600)


def test_partials_are_decodes_too() -> None:
    purposes: list[Purpose] = []

    def recognise(wanted: DecodeWanted) -> Answer:
        purposes.append(wanted.purpose)
        return Answer(10, lambda: heard("ok"))

    done = run(SessionOptions(interim_results=True), recognise, speech(2_000))
    assert set(purposes) == {Purpose.PARTIAL, Purpose.FINAL}
    assert done.decodes == len(purposes)


def test_the_same_clip_gives_the_same_result() -> None:
    audio = (speech(1_000), silence(400), speech(300))
    assert run(EARLY, taking(123), *audio) == run(EARLY, taking(123), *audio)


def test_a_microphone_stays_open_after_the_clip_and_is_never_digitally_silent() -> None:
    pieces = microphone(speech(1_010)[:, None], RATE_HZ, plain_definition())
    assert len(pieces) == -(-(1_010 + SILENCE_S * 1_000) // CHUNK_MS)
    whole = np.concatenate([piece.samples for piece in pieces])
    after = whole[1_010 * MS :]
    assert len(whole) == (1_010 + round(SILENCE_S * 1_000)) * MS
    assert 0 < np.abs(after).max() < 1e-3
