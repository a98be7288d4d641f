"""Long speech without pauses: what is sure of it is told, and its window stays short."""

from asr_server.events import Purpose
from asr_server.session.commit import sure_part
from asr_server.session.stability import StablePrefix
from asr_server.transcript import Alternative, Hypothesis, Word
from tests.session.script import MS, RATE_HZ, Script, silence, speech

OPTIONS = {"vad_stop_ms": 600, "sure_stop_ms": 200, "speculate_after_ms": 100, "soft_segment_ms": 3_000, "context_ms": 4_000}


def words(text: str, every_ms: int = 400) -> tuple[Word, ...]:
    """One after the other from the start, each with a pause of 100 ms after it."""
    return tuple(Word(word, number * every_ms * MS, ((number + 1) * every_ms - 100) * MS, 1.0) for number, word in enumerate(text.split()))


def spoken(text: str) -> Hypothesis:
    return Hypothesis((Alternative(text, 0.9),), words(text))


def committable(text: str, end_ms: int, prefix: StablePrefix | None = None) -> int:
    part = sure_part(spoken(text), end_ms * MS, prefix or StablePrefix(), RATE_HZ)
    return len(part.told.words) if part is not None else 0


def test_words_at_the_end_may_still_be_heard_otherwise() -> None:
    # Of seven words in 2.8 s those that end before 1.6 s.
    assert committable("one two three four five six seven", 2_800) == 4


def test_the_cut_is_behind_punctuation_where_there_is_some() -> None:
    assert committable("one two three, four five six seven", 2_800) == 3


def test_punctuation_at_the_beginning_makes_no_cut() -> None:
    assert committable("Yes, two three four five six seven eight nine ten", 4_000) == 7


def test_few_words_are_not_worth_it() -> None:
    assert committable("one two three four", 2_000) == 0


def test_words_shown_as_stable_go_with_those_told() -> None:
    prefix = StablePrefix(hold_back=2)
    for _ in range(2):
        prefix.show("one two three four five six seven", "en")
    assert prefix.text == "one two three four five"
    assert committable("one two three four five six seven", 2_800, prefix) == 5


def test_words_other_than_those_shown_as_stable_are_not_told() -> None:
    prefix = StablePrefix(hold_back=2)
    for _ in range(2):
        prefix.show("one two three four five six seven", "en")
    assert committable("one two three, four five six seven", 2_800, prefix) == 0


def test_a_script_without_spaces_is_cut_in_text_and_audio_alike() -> None:
    heard = Hypothesis(
        (Alternative("\u4eca\u65e5\u306f\u3001\u5929\u6c17\u304c\u3044\u3044\u3002", 0.9),),
        words("\u4eca \u65e5 \u306f\u3001 \u5929 \u6c17 \u304c \u3044 \u3044\u3002"),
        language="ja",
    )
    part = sure_part(heard, 3_200 * MS, StablePrefix(), RATE_HZ)
    assert part is not None
    told = part.told
    assert told.text == "\u4eca\u65e5\u306f\u3001"
    assert "".join(word.text for word in told.words) == told.text


def test_words_that_are_not_those_of_the_text_are_not_told() -> None:
    heard = Hypothesis((Alternative("another text it is", 0.9),), words("one two three four five six seven"))
    assert sure_part(heard, 2_800 * MS, StablePrefix(), RATE_HZ) is None


def test_what_is_told_is_the_beginning_of_text_and_words() -> None:
    part = sure_part(spoken("one two three, four five six seven"), 2_800 * MS, StablePrefix(), RATE_HZ)
    assert part is not None
    assert (part.told.text, [word.text for word in part.told.words]) == ("one two three,", ["one", "two", "three,"])


def test_the_cut_is_in_the_middle_of_the_gap_behind_what_is_told() -> None:
    part = sure_part(spoken("one two three, four five six seven"), 2_800 * MS, StablePrefix(), RATE_HZ)
    assert part is not None
    assert part.cut_sample == 1_150 * MS


def test_long_speech_is_told_in_parts_and_goes_on_with_the_rest() -> None:
    script = Script(**OPTIONS)
    text = "one two three four five six seven"
    assert script.hear(speech(3_000)) == ["speech from 0", "want speculative 1 of segment 0: 0..3000"]
    assert script.answer(1, text, words=words(text)) == ["promote 1 after 0 ms", "final 0 0..1550: one two three four"]
    script.hear(speech(500), silence(120))
    wanted = script.windows()[-1]
    assert wanted.segment == 1
    assert wanted.said is not None
    # "one" begins with the stream: there is no audio before it that a cut could err by.
    assert wanted.said.words == ("two", "three", "four")
    assert wanted.said.until_sample == 1_550 * MS
    assert script.answer(2, "five six seven eight.", sure=True) == []
    assert script.hear(silence(100))[-1] == "final 1 1550..3500: five six seven eight."


def test_nothing_is_told_while_the_speaker_may_have_finished() -> None:
    script = Script(**OPTIONS)
    text = "one two three four five six seven"
    script.hear(speech(3_000), silence(120))
    assert script.answer(1, text, words=words(text)) == []


def test_a_part_heard_in_a_silence_is_told_when_the_speaker_goes_on() -> None:
    script = Script(**OPTIONS)
    text = "one two three four five six seven"
    script.hear(speech(3_000), silence(120))
    script.answer(1, text, words=words(text))
    assert script.hear(speech(100)) == ["promote 1 after 0 ms", "final 0 0..1550: one two three four", "forget 2"]


def test_an_eager_text_that_is_told_in_parts_is_settled_by_the_last() -> None:
    script = Script(**OPTIONS, eager_results=True)
    text = "one two three four five six seven"
    script.hear(speech(3_000), silence(120))
    script.answer(1, text, words=words(text))
    assert script.answer(2, text, sure=True) == [f"eager 0: {text}"]
    assert script.hear(speech(100)) == ["promote 1 after 0 ms", "final 0 0..1550: one two three four"]
    script.hear(silence(120))
    script.answer(3, "five six seven eight.", sure=True)
    assert script.hear(silence(100))[-1] == "eager 1 stood"


def test_an_eager_text_whose_part_was_told_otherwise_is_withdrawn_with_it() -> None:
    script = Script(**OPTIONS, eager_results=True)
    text = "one two three four five six seven"
    script.hear(speech(3_000), silence(120))
    script.answer(1, text, words=words(text))
    script.answer(2, "won too three four five six seven", sure=True)
    assert script.hear(speech(100))[-1] == "eager 0 withdrawn"


def test_a_part_heard_in_the_last_silence_is_not_told_twice() -> None:
    script = Script(**OPTIONS)
    text = "one two three four five six seven"
    script.hear(speech(3_000), silence(120))
    script.answer(1, text, words=words(text))
    assert script.hear(silence(100)) == ["speech to 3000", "promote 2 after 200 ms"]
    assert script.answer(2, text) == [f"final 0 0..3000: {text}"]


def test_a_part_that_was_shown_otherwise_is_told_as_it_was_shown() -> None:
    script = Script(**OPTIONS, interim_results=True, first_partial_ms=300)
    text = "one two three four five six seven"
    script.hear(speech(1_500))
    script.answer(1, "One, two three four five six seven")
    script.hear(speech(600))
    assert script.answer(2, "One, two three four five six seven") == ["partial 0: [One, two] three four five six seven"]
    script.hear(speech(900))
    (commit,) = [wanted.job for wanted in script.windows() if wanted.purpose is Purpose.SPECULATIVE]
    assert script.answer(commit, text, words=words(text))[-1] == "final 0 0..1550: One, two three four"


def test_when_nothing_is_sure_it_is_tried_again() -> None:
    script = Script(**OPTIONS)
    script.hear(speech(3_000))
    assert script.answer(1, "one two") == []
    assert script.hear(speech(980)) == []
    assert script.hear(speech(20)) == ["want speculative 2 of segment 0: 0..4000"]


def test_a_part_that_was_not_recognised_is_tried_again() -> None:
    script = Script(**OPTIONS)
    script.hear(speech(3_000))
    script.session.give_up(1)
    assert script.hear(speech(1_000)) == ["want speculative 2 of segment 0: 0..4000"]


def test_closing_forgets_the_part_that_was_not_told() -> None:
    script = Script(**OPTIONS)
    script.hear(speech(3_000))
    assert "forget 1" in script.close()
