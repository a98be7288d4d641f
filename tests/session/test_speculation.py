"""Decodes begun inside the silence: what becomes of them, and how long the silence lasts."""

from asr_server.events import WordPlaces
from asr_server.transcript import Word
from tests.session.script import MS, Script, silence, speech

FIXED = {"vad_stop_ms": 300, "speculate_after_ms": 100, "end_of_utterance_ms": 2_000}
ADAPTIVE = {**FIXED, "vad_stop_ms": 600, "sure_stop_ms": 200}


def test_a_speculative_hypothesis_is_the_final_the_moment_the_segment_is_closed() -> None:
    script = Script(**FIXED)
    assert script.hear(speech(1_000), silence(200)) == ["speech from 0", "want speculative 1 of segment 0: 0..1100"]
    assert script.answer(1, "hello") == []
    assert script.hear(silence(100)) == ["speech to 1000", "promote 1 after 300 ms", "final 0 0..1000: hello"]


def test_a_hypothesis_that_comes_after_the_closing_is_the_final_all_the_same() -> None:
    script = Script(**FIXED)
    script.hear(speech(1_000), silence(200))
    assert script.hear(silence(200)) == ["speech to 1000", "promote 1 after 300 ms"]
    assert script.answer(1, "hello") == ["final 0 0..1000: hello"]


def test_speech_that_goes_on_makes_the_decode_useless_and_the_next_silence_begins_another() -> None:
    script = Script(**FIXED)
    script.hear(speech(1_000), silence(200))
    assert script.hear(speech(500)) == ["forget 1"]
    assert script.answer(1, "too early") == []
    assert script.hear(silence(320)) == [
        "want speculative 2 of segment 0: 0..1800",
        "speech to 1700",
        "promote 2 after 300 ms",
    ]


def test_a_hypothesis_known_before_speech_goes_on_is_no_final() -> None:
    script = Script(**FIXED)
    script.hear(speech(1_000), silence(200))
    script.answer(1, "too early")
    assert script.hear(speech(500)) == []
    assert script.hear(silence(320))[0] == "want speculative 2 of segment 0: 0..1800"


def test_with_partials_a_decode_in_vain_serves_as_one() -> None:
    script = Script(**FIXED, interim_results=True, first_partial_ms=5_000)
    script.hear(speech(1_000), silence(200))
    assert script.hear(speech(300)) == []
    assert script.answer(1, "hello") == ["partial 0: []hello"]


def test_with_partials_the_text_in_the_silence_is_shown() -> None:
    script = Script(**FIXED, interim_results=True, first_partial_ms=5_000)
    script.hear(speech(1_000), silence(200))
    assert script.answer(1, "hello") == ["partial 0: []hello"]


def test_a_decode_that_was_given_up_is_asked_for_again_as_a_final() -> None:
    script = Script(**FIXED)
    script.hear(speech(1_000), silence(200))
    script.session.give_up(1)
    assert script.hear(silence(200)) == ["speech to 1000", "want final 2 of segment 0: 0..1250"]


def test_finalize_in_the_silence_takes_what_was_begun() -> None:
    script = Script(**FIXED)
    script.hear(speech(1_000), silence(200))
    script.answer(1, "hello")
    assert script.finalize() == [
        "speech to 1000",
        "promote 1 after 200 ms",
        "final 0 0..1000: hello",
        "utterance over at 1200",
        "finalized",
    ]


def test_half_close_in_mid_speech_asks_for_a_final() -> None:
    script = Script(**FIXED)
    script.hear(speech(1_000))
    assert script.close() == ["speech to 1000", "want final 1 of segment 0: 0..1000"]


def test_what_follows_finalize_in_mid_speech_goes_on_from_the_words_before_it() -> None:
    script = Script(**FIXED, context_ms=4_000)
    script.hear(speech(1_000))
    script.finalize()
    (before,) = script.windows()
    assert before.word_places is WordPlaces.AFTER
    script.answer(before.job, "one two")
    script.session.place(before.job, (Word("one", 100 * MS, 400 * MS, 1.0), Word("two", 500 * MS, 900 * MS, 1.0)))
    script.hear(speech(1_000), silence(320))
    said = script.windows()[-1].said
    assert said is not None
    assert said.words == ("one", "two")


def test_nobody_wants_to_know_where_the_last_words_are() -> None:
    script = Script(**FIXED, context_ms=4_000)
    script.hear(speech(1_000))
    script.close()
    assert [window.word_places for window in script.windows()] == [WordPlaces.UNWANTED]


def test_sure_text_closes_as_soon_as_it_is_known_after_the_shortest_wait() -> None:
    script = Script(**ADAPTIVE)
    script.hear(speech(1_000), silence(240))
    assert script.answer(1, "That is all.", sure=True) == [
        "speech to 1000",
        "promote 1 after 240 ms",
        "final 0 0..1000: That is all.",
    ]


def test_sure_text_that_is_known_early_closes_after_the_shortest_wait() -> None:
    script = Script(**ADAPTIVE)
    script.hear(speech(1_000), silence(120))
    assert script.answer(1, "That is all.", sure=True) == []
    assert script.hear(silence(60)) == []
    assert script.hear(silence(20))[1] == "promote 1 after 200 ms"


def test_unsure_text_waits_longest() -> None:
    script = Script(**ADAPTIVE)
    script.hear(speech(1_000), silence(120))
    script.answer(1, "and then")
    assert script.hear(silence(460)) == []
    assert script.hear(silence(20))[1] == "promote 1 after 600 ms"


def test_unknown_text_waits_longest() -> None:
    script = Script(**ADAPTIVE)
    assert "promote 1 after 600 ms" in script.hear(speech(1_000), silence(620))


def test_noise_without_words_is_closed_after_the_shortest_wait() -> None:
    script = Script(**ADAPTIVE)
    script.hear(speech(1_000), silence(240))
    assert script.answer(1, "") == ["speech to 1000", "promote 1 after 240 ms", "final 0 0..1000: "]


def test_a_long_segment_is_closed_at_the_next_short_pause() -> None:
    script = Script(**ADAPTIVE, soft_segment_ms=3_000)
    assert "promote 2 after 200 ms" in script.hear(speech(3_200), silence(220))


def test_a_segment_is_heard_with_the_words_before_it() -> None:
    script = Script(**FIXED, context_ms=1_000)
    script.hear(speech(2_000), silence(320))
    words = (Word("one", 100 * MS, 500 * MS, 1.0), Word("two", 1_200 * MS, 1_600 * MS, 1.0), Word("three.", 1_700 * MS, 2_000 * MS, 1.0))
    script.answer(1, "one two three.", words=words)
    script.hear(silence(200), speech(1_000), silence(120))
    wanted = script.windows()[-1]
    assert wanted.said is not None
    # Speech begins at 2520, its window 250 ms before; of the last second before it one word begins in time.
    assert wanted.said.words == ("three.",)
    assert wanted.said.until_sample == 2_270 * MS
    assert wanted.window.start_sample == (1_700 - 60) * MS
    assert [(span.start_sample // MS, span.end_sample // MS) for span in wanted.window.speech] == [(1_640, 2_000), (2_520, 3_520)]
    assert wanted.word_places is WordPlaces.AFTER


WORDS = (Word("one", 100 * MS, 500 * MS, 1.0), Word("two.", 1_700 * MS, 2_000 * MS, 1.0))


def said_before_what_follows(script: Script, *, pause_ms: int = 200) -> tuple[str, ...]:
    """The words that the next segment is heard with."""
    script.hear(silence(pause_ms), speech(1_000), silence(120))
    wanted = script.windows()[-1]
    return () if wanted.said is None else wanted.said.words


def test_words_placed_while_the_silence_lasts_are_gone_on_from() -> None:
    script = Script(**FIXED, context_ms=1_000)
    script.hear(speech(2_000), silence(200))
    script.answer(1, "one two.")
    script.place(1, *WORDS)
    assert script.hear(silence(120))[-1] == "final 0 0..2000: one two."
    assert said_before_what_follows(script) == ("two.",)


def test_words_placed_after_the_final_has_left_are_gone_on_from() -> None:
    script = Script(**FIXED, context_ms=1_000)
    script.hear(speech(2_000), silence(320))
    assert script.answer(1, "one two.") == ["final 0 0..2000: one two."]
    script.place(1, *WORDS)
    assert said_before_what_follows(script) == ("two.",)


def test_words_placed_while_the_final_waits_for_others_are_gone_on_from() -> None:
    script = Script(**FIXED, context_ms=4_000)
    script.hear(speech(1_000), silence(320), speech(1_000), silence(320))
    script.answer(2, "two.")
    script.place(2, Word("two.", 1_700 * MS, 2_000 * MS, 1.0))
    assert script.answer(1, "one", words=WORDS[:1])[0] == "final 0 0..1000: one"
    assert said_before_what_follows(script) == ("one", "two.")


def test_until_words_are_placed_nothing_is_gone_on_from() -> None:
    script = Script(**FIXED, context_ms=4_000)
    script.hear(speech(2_000), silence(320))
    script.answer(1, "one two.")
    assert said_before_what_follows(script) == ()


def test_words_that_were_not_found_are_not_gone_on_from() -> None:
    script = Script(**FIXED, context_ms=4_000)
    script.hear(speech(2_000), silence(320))
    script.answer(1, "one two.")
    script.place(1)
    assert said_before_what_follows(script) == ()


def test_words_that_come_after_the_next_final_are_not_gone_on_from() -> None:
    script = Script(**FIXED, context_ms=4_000)
    script.hear(speech(1_000), silence(320), speech(1_000), silence(320))
    script.answer(1, "one")
    script.answer(2, "two.")
    script.place(1, WORDS[0])
    assert said_before_what_follows(script) == ()
    script.place(2, Word("two.", 1_700 * MS, 2_000 * MS, 1.0))
    script.hear(speech(1_000), silence(120))
    said = script.windows()[-1].said
    assert said is not None
    assert said.words == ("two.",)


def test_words_of_a_decode_in_vain_are_of_no_use() -> None:
    script = Script(**FIXED, context_ms=4_000)
    script.hear(speech(1_000), silence(200))
    script.answer(1, "one")
    script.hear(speech(500))
    script.place(1, WORDS[0])
    assert said_before_what_follows(script, pause_ms=320) == ()


def test_words_that_were_shown_otherwise_are_gone_on_from_as_they_were_shown() -> None:
    script = Script(**FIXED, interim_results=True, context_ms=4_000)
    script.hear(speech(600))
    script.answer(1, "one two three four five six seven")
    script.hear(speech(400))
    assert script.answer(2, "one two three four five six seven") == ["partial 0: [one two] three four five six seven"]
    script.hear(speech(1_000), silence(120))
    job = script.windows()[-1].job
    script.answer(job, "won two")
    script.place(job, Word("won", 100 * MS, 500 * MS, 1.0), Word("two", 1_700 * MS, 2_000 * MS, 1.0))
    assert script.hear(silence(200))[-1] == "final 0 0..2000: one two"
    assert said_before_what_follows(script) == ("one", "two")


def test_words_said_long_before_are_not_heard_again() -> None:
    script = Script(**FIXED, context_ms=4_000)
    script.hear(speech(2_000), silence(320))
    script.answer(1, "one", words=(Word("one", 100 * MS, 500 * MS, 1.0),))
    script.hear(silence(1_500), speech(1_000), silence(120))
    assert script.windows()[-1].said is None


def test_without_the_answer_to_the_segment_before_there_is_nothing_to_go_on_from() -> None:
    script = Script(**FIXED, context_ms=4_000)
    script.hear(speech(2_000), silence(320))
    script.hear(silence(200), speech(1_000), silence(120))
    assert script.windows()[-1].said is None


def test_an_eager_text_stands_when_the_final_begins_with_it() -> None:
    script = Script(**ADAPTIVE, eager_results=True)
    script.hear(speech(1_000), silence(120))
    assert script.answer(1, "That is all.", sure=True) == ["eager 0: That is all."]
    assert script.hear(silence(100))[-2:] == ["final 0 0..1000: That is all.", "eager 0 stood"]


def test_an_eager_text_is_withdrawn_when_later_text_begins_otherwise() -> None:
    script = Script(**ADAPTIVE, eager_results=True)
    script.hear(speech(1_000), silence(120))
    script.answer(1, "That is all.", sure=True)
    script.hear(speech(500), silence(120))
    assert script.answer(2, "That is all right.", sure=True) == ["eager 0 withdrawn", "eager 0: That is all right."]
    assert script.hear(silence(100))[-1] == "eager 0 stood"


def test_an_eager_text_is_settled_by_the_next_one() -> None:
    script = Script(**ADAPTIVE, eager_results=True)
    script.hear(speech(1_000), silence(120))
    script.answer(1, "I am", sure=True)
    script.hear(speech(500), silence(120))
    assert script.answer(2, "I am here", sure=True) == ["eager 0 stood", "eager 0: I am here"]
    script.hear(speech(500), silence(120))
    assert script.answer(3, "I am glad", sure=True) == ["eager 0 withdrawn", "eager 0: I am glad"]


def test_the_beginning_of_a_word_did_not_stand() -> None:
    script = Script(**ADAPTIVE, eager_results=True)
    script.hear(speech(1_000), silence(120))
    script.answer(1, "I can", sure=True)
    script.hear(speech(500), silence(120))
    assert script.answer(2, "I cannot go", sure=True)[0] == "eager 0 withdrawn"


def test_unsure_text_is_not_told_early() -> None:
    script = Script(**ADAPTIVE, eager_results=True)
    script.hear(speech(1_000), silence(120))
    assert script.answer(1, "and then") == []


def test_what_was_begun_is_dropped_when_the_segment_is_closed_for_its_length() -> None:
    script = Script(vad_stop_ms=1_000, speculate_after_ms=100, max_segment_ms=2_000)
    lines = script.hear(speech(1_850), silence(320))
    assert lines[1] == "want speculative 1 of segment 0: 0..1960"
    assert lines[2] == "forget 1"
    assert lines[3].startswith("want final 2 of segment 0")
