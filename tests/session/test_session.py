"""The session as lists of inputs and expected events. Times in ms of audio."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asr_server.events import DecodeWanted, Final, Purpose
from asr_server.session import SessionOptions
from asr_server.session.session import Session
from audio_norm import Taken
from tests.session.script import MS, Script, heard, plain_definition, silence, speech


def test_a_segment_is_closed_when_the_vad_stop_is_reached() -> None:
    script = Script()
    assert script.hear(silence(400), speech(1000), silence(480)) == ["speech from 400"]
    assert script.hear(silence(40)) == ["speech to 1400", "want final 1 of segment 0: 150..1650"]
    assert script.answer(1, "Hello.") == ["final 0 400..1400: Hello."]


def test_the_utterance_is_over_after_the_longer_silence_and_after_its_final() -> None:
    script = Script()
    script.hear(silence(400), speech(1000), silence(900))
    assert script.hear(silence(200)) == [], "the final has not left yet"
    assert script.answer(1, "Hello.") == ["final 0 400..1400: Hello.", "utterance over at 2400"]


def test_speech_after_a_segment_was_closed_is_a_new_segment_of_the_same_utterance() -> None:
    script = Script()
    said = script.hear(speech(1000), silence(600), speech(600), silence(1100))
    assert said == [
        "speech from 0",
        "speech to 1000",
        "want final 1 of segment 0: 0..1250",
        "speech from 1600",
        "speech to 2200",
        "want final 2 of segment 1: 1350..2450",
    ]
    assert script.answer(2, "two") == [], "finals leave in the order of their segments"
    assert script.answer(1, "one") == ["final 0 0..1000: one", "final 1 1600..2200: two", "utterance over at 3200"]


def test_a_pause_shorter_than_the_vad_stop_stays_inside_the_segment() -> None:
    script = Script()
    script.hear(speech(600), silence(400), speech(600), silence(600))
    (window,) = script.windows()
    assert [(span.start_sample // MS, span.end_sample // MS) for span in window.window.speech] == [(0, 600), (1000, 1600)]


def test_finalize_closes_in_mid_speech_and_speech_goes_on_in_a_new_segment() -> None:
    script = Script()
    script.hear(speech(800))
    assert script.finalize() == ["speech to 800", "want final 1 of segment 0: 0..800"]
    assert script.answer(1, "first half") == ["final 0 0..800: first half", "utterance over at 800", "finalized"]
    assert script.hear(speech(500), silence(520)) == ["speech from 800", "speech to 1300", "want final 2 of segment 1: 800..1550"]


def test_finalize_without_speech_is_answered_at_once() -> None:
    script = Script()
    script.hear(silence(700))
    assert script.finalize() == ["finalized"]


def test_finalize_waits_for_finals_asked_for_earlier() -> None:
    script = Script()
    script.hear(speech(800), silence(520))
    assert script.finalize() == []
    assert script.answer(1, "said") == ["final 0 0..800: said", "utterance over at 1320", "finalized"]


def test_half_close_says_everything_that_was_heard() -> None:
    script = Script()
    script.hear(speech(800), silence(100))
    assert script.close() == ["speech to 800", "want final 1 of segment 0: 0..900"]
    assert not script.session.finished
    assert script.answer(1, "said") == ["final 0 0..800: said", "utterance over at 900"]
    assert script.session.finished


def test_speech_too_young_to_be_sure_of_is_not_lost_at_half_close() -> None:
    script = Script()
    assert script.hear(silence(400), speech(40)) == []
    assert script.close()[-1] == "want final 1 of segment 0: 90..440"


def test_samples_of_an_incomplete_last_frame_belong_to_the_segment() -> None:
    script = Script()
    script.hear(speech(815))
    script.close()
    assert script.windows()[0].window.end_sample == 815 * MS


def test_an_empty_stream_ends_without_a_word() -> None:
    script = Script()
    assert script.close() == []
    assert script.session.finished
    assert script.close() == [], "closing twice changes nothing"


def test_a_segment_in_which_nothing_was_recognised_leaves_an_empty_final() -> None:
    script = Script()
    script.hear(speech(300))
    script.close()
    assert script.answer(1, "") == ["final 0 0..300: ", "utterance over at 300"]


def test_no_speech_within_the_start_timeout_is_said_once() -> None:
    script = Script(start_timeout_ms=1000)
    assert script.hear(silence(1500)) == ["no speech by 1000"]
    assert script.session.timed_out


@pytest.mark.parametrize("chunk_ms", [1, 20, 33, 100, 999, 1000, 1010, 2500, 10_000])
def test_nothing_is_heard_after_the_start_timeout_whatever_the_size_of_chunks(chunk_ms: int) -> None:
    script = Script(chunk_ms, start_timeout_ms=1000, interim_results=True)
    assert script.hear(silence(2000), speech(1000), silence(2000)) == ["no speech by 1000"]
    assert script.hear(speech(500)) == []
    assert script.finalize() == ["finalized"]
    assert script.close() == []
    assert script.session.finished


@settings(deadline=None, max_examples=40)
@example(pieces=[(False, 538), (True, 43)], chunk_ms=1)  # audio before the segment was held by whole chunks
@given(pieces=st.lists(st.tuples(st.booleans(), st.integers(20, 1500)), min_size=1, max_size=8), chunk_ms=st.integers(5, 9000))
def test_the_start_timeout_does_not_depend_on_the_size_of_chunks(pieces: list[tuple[bool, int]], chunk_ms: int) -> None:
    audio = [speech(ms) if spoken else silence(ms) for spoken, ms in pieces]
    said = []
    for size in (20, chunk_ms):
        script = Script(size, start_timeout_ms=1000)
        said.append([*script.hear(*audio), *script.close()])
    assert said[0] == said[1]


def test_speech_cut_off_by_finalize_stops_the_start_timeout_too() -> None:
    script = Script(start_timeout_ms=1000)
    script.hear(silence(300), speech(40))
    assert "speech to 340" in script.finalize()
    assert script.hear(silence(3000)) == []


def test_answers_that_wait_for_a_final_are_counted() -> None:
    """Every finalize is answered; while the final before them is being decoded the answers wait."""
    script = Script()
    assert script.finalize() == ["finalized"]
    assert script.session.open_answers == 0
    script.hear(speech(800))
    for _ in range(10):
        script.finalize()
    assert script.session.open_answers == 1 + 1 + 10, "the final, the end of the utterance, ten answers"
    assert script.answer(1, "said") == ["final 0 0..800: said", "utterance over at 800", *["finalized"] * 10]
    assert script.session.open_answers == 0


def test_speech_before_the_start_timeout_stops_its_clock() -> None:
    script = Script(start_timeout_ms=1000)
    assert "no speech by" not in " ".join(script.hear(silence(500), speech(500), silence(3000)))


def test_long_speech_is_cut_at_its_longest_late_pause() -> None:
    script = Script(max_segment_ms=4000)
    said = script.hear(speech(2500), silence(260), speech(500), silence(300), speech(1000), silence(600))
    assert said == [
        "speech from 0",
        "want final 1 of segment 0: 0..3410",
        "speech to 4560",
        "want final 2 of segment 1: 3410..4810",
    ]


def test_long_speech_without_a_pause_is_cut_where_it_is_quietest() -> None:
    script = Script(max_segment_ms=4000)
    dip = speech(300) * np.float32(0.4)
    script.hear(speech(3000), dip, speech(2000), silence(600))
    first, second = script.windows()
    assert 3000 <= first.window.end_sample // MS <= 3300
    assert second.window.start_sample == first.window.end_sample, "nothing is lost, nothing is heard twice"


def test_ten_minutes_of_speech_never_make_a_window_longer_than_the_limit() -> None:
    script = Script(chunk_ms=100, max_segment_ms=5000)
    for _ in range(60):
        script.hear(speech(10_000))
    script.close()
    windows = script.windows()
    assert max(len(wanted.window.samples) for wanted in windows) <= 5000 * MS
    borders = [wanted.window.start_sample for wanted in windows[1:]]
    assert borders == [wanted.window.end_sample for wanted in windows[:-1]]
    assert windows[-1].window.end_sample == 600_000 * MS


def test_partials_are_asked_for_as_speech_grows_one_at_a_time() -> None:
    script = Script(interim_results=True)
    assert script.hear(speech(700)) == ["speech from 0", "want partial 1 of segment 0: 0..500"]
    assert script.hear(speech(300)) == [], "one is out already"
    assert script.answer(1, "the quick brown fox jumps over the") == ["partial 0: []the quick brown fox jumps over the"]
    assert script.hear(speech(20)) == ["want partial 2 of segment 0: 0..1020"]
    assert script.answer(2, "the quick brown fox jumps over the lazy") == ["partial 0: [the quick] brown fox jumps over the lazy"]


def test_a_partial_still_out_when_its_segment_closes_is_forgotten() -> None:
    script = Script(interim_results=True)
    script.hear(speech(520))
    assert script.hear(silence(600)) == ["speech to 520", "forget 1", "want final 2 of segment 0: 0..770"]
    assert script.answer(1, "too late") == []


def test_a_final_keeps_what_was_shown_as_stable() -> None:
    script = Script(interim_results=True)
    script.hear(speech(520))
    script.answer(1, "the quick brown fox jumps over the")
    script.hear(speech(400))
    assert script.answer(2, "the quick brown fox jumps over the lazy") == ["partial 0: [the quick] brown fox jumps over the lazy"]
    script.hear(speech(80), silence(600))
    job = script.windows()[-1].job
    assert script.answer(job, "The quiet brown fox jumps.")[0] == "final 0 0..1000: the quick brown fox jumps."
    final = next(event for event in script.events if isinstance(event, Final))
    assert final.stable_overruled


def test_partials_are_not_asked_for_in_silence() -> None:
    script = Script(interim_results=True, vad_stop_ms=2000, end_of_utterance_ms=2000)
    script.hear(speech(520))
    script.answer(1, "hello")
    assert script.hear(silence(1500)) == []


def test_without_interim_results_only_finals_are_decoded() -> None:
    script = Script()
    script.hear(speech(5000), silence(600))
    assert [wanted.purpose for wanted in script.windows()] == [Purpose.FINAL]


def test_a_given_up_partial_makes_room_for_the_next() -> None:
    script = Script(interim_results=True)
    script.hear(speech(520))
    script.session.give_up(1)
    assert script.hear(speech(400)) == ["want partial 2 of segment 0: 0..800"]


def test_clipping_is_reported_with_the_window() -> None:
    session = Session(SessionOptions(), plain_definition())
    session.feed(Taken(speech(500), np.arange(2000, 6000)))
    wanted = next(event for event in session.close() if isinstance(event, DecodeWanted))
    assert wanted.window.clipped_ratio == pytest.approx(0.5)


@settings(deadline=None, max_examples=40)
@given(
    pieces=st.lists(st.tuples(st.booleans(), st.integers(20, 1500)), min_size=1, max_size=12),
    chunk_ms=st.sampled_from([1, 7, 20, 33, 100, 1000]),
)
def test_segments_do_not_depend_on_the_size_of_chunks(pieces: list[tuple[bool, int]], chunk_ms: int) -> None:
    audio = [speech(ms) if loud else silence(ms) for loud, ms in pieces]
    whole, chunked = Script(chunk_ms=60_000), Script(chunk_ms=chunk_ms)
    for script in (whole, chunked):
        script.hear(*audio)
        script.close()
    for one, other in zip(whole.windows(), chunked.windows(), strict=True):
        assert one.window.start_sample == other.window.start_sample
        assert one.window.speech == other.window.speech
        np.testing.assert_array_equal(one.window.samples, other.window.samples)


@settings(deadline=None, max_examples=40)
@given(pieces=st.lists(st.tuples(st.booleans(), st.integers(20, 2500)), min_size=1, max_size=10), order=st.randoms())
def test_every_final_leaves_in_order_whatever_order_the_answers_come_in(pieces: list[tuple[bool, int]], order: object) -> None:
    script = Script()
    script.hear(*[speech(ms) if loud else silence(ms) for loud, ms in pieces])
    script.close()
    jobs = [wanted.job for wanted in script.windows()]
    order.shuffle(jobs)  # type: ignore[attr-defined]
    for job in jobs:
        script.answer(job, f"text {job}")
    assert script.session.finished
    segments = [event.segment for event in script.events if isinstance(event, Final)]
    assert segments == list(range(len(jobs)))


@settings(deadline=None, max_examples=40)
@given(pieces=st.lists(st.tuples(st.booleans(), st.integers(20, 2500)), min_size=1, max_size=10))
def test_windows_never_overlap_and_cover_all_confirmed_speech(pieces: list[tuple[bool, int]]) -> None:
    script = Script(max_segment_ms=3000)
    audio = [speech(ms) if loud else silence(ms) for loud, ms in pieces]
    script.hear(*audio)
    script.close()
    windows = [wanted.window for wanted in script.windows()]
    for before, after in pairwise(windows):
        assert before.end_sample <= after.start_sample
    covered = np.zeros(sum(map(len, audio)), bool)
    for window in windows:
        covered[window.start_sample : window.end_sample] = True
    position = 0
    for (loud, ms), part in zip(pieces, audio, strict=True):
        if loud and ms >= 100:
            assert covered[position : position + len(part)].all()
        position += len(part)


def test_answers_nobody_asked_for_are_ignored() -> None:
    session = Session(SessionOptions(), plain_definition())
    assert session.accept(99, heard("what")) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vad_stop_ms": 50}, "vad_stop_ms is 50, accepted: 100 to 5000 ms"),
        ({"vad_stop_ms": 2000, "end_of_utterance_ms": 1500}, "end_of_utterance_ms is 1500"),
        ({"start_timeout_ms": 100}, "start_timeout_ms is 100, accepted: 0"),
        ({"max_segment_ms": 60_000}, "max_segment_ms is 60000"),
    ],
)
def test_options_out_of_range_are_refused_by_name(options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SessionOptions(**options)  # type: ignore[arg-type]
