"""What of the words said last a new segment is heard with."""

from asr_server.session.context import MAX_PAUSE_MS, SpokenContext
from asr_server.transcript import Word
from audio_norm import Span

RATE_HZ = 16_000
MS = RATE_HZ // 1000
BEFORE_WORD_MS = 60


def word(text: str, start_ms: int, end_ms: int) -> Word:
    return Word(text, start_ms * MS, end_ms * MS, 1.0)


def after_two_words(context_ms: int = 4_000) -> SpokenContext:
    """A segment that ended at 2 s, with "one" at 0.5 s and "two." at 1.5 s."""
    spoken = SpokenContext(context_ms, RATE_HZ)
    spoken.close(2_000 * MS)
    spoken.add((word("one", 500, 900), word("two.", 1_500, 1_900)))
    return spoken


def words_before(spoken: SpokenContext, start_ms: int, oldest_ms: int = 0) -> tuple[str, ...]:
    context = spoken.before(start_ms * MS, (start_ms - 250) * MS, oldest_ms * MS)
    return () if context is None else context.said.words


def test_a_window_begins_a_little_before_the_first_word_and_what_follows_at_its_own_audio() -> None:
    context = after_two_words().before(2_500 * MS, 2_250 * MS, 0)
    assert context is not None
    assert context.start_sample == (500 - BEFORE_WORD_MS) * MS
    assert (context.said.words, context.said.until_sample) == (("one", "two."), 2_250 * MS)
    assert context.speech == Span((500 - BEFORE_WORD_MS) * MS, 1_900 * MS)


def test_words_that_began_longer_ago_than_the_context_are_left_out() -> None:
    assert words_before(after_two_words(1_000), 2_500) == ("two.",)
    assert words_before(after_two_words(999), 2_500) == ()


def test_words_whose_audio_is_gone_are_left_out() -> None:
    assert words_before(after_two_words(), 2_500, oldest_ms=500 - BEFORE_WORD_MS) == ("one", "two.")
    assert words_before(after_two_words(), 2_500, oldest_ms=500) == ("two.",)
    assert words_before(after_two_words(), 2_500, oldest_ms=1_500) == ()


def test_after_a_long_pause_nothing_is_gone_on_from() -> None:
    assert words_before(after_two_words(), 2_000 + MAX_PAUSE_MS) == ("one", "two.")
    assert words_before(after_two_words(), 2_000 + MAX_PAUSE_MS + 1) == ()


def test_before_the_first_segment_there_is_nothing() -> None:
    assert words_before(SpokenContext(4_000, RATE_HZ), 500) == ()


def test_a_context_of_nothing_is_none() -> None:
    assert words_before(after_two_words(0), 2_500) == ()


def test_a_segment_without_word_times_ends_what_can_be_gone_on_from() -> None:
    spoken = after_two_words()
    spoken.close(2_400 * MS)
    spoken.add(())
    assert words_before(spoken, 2_500) == ()


def test_words_of_several_segments_are_gone_on_from_together() -> None:
    spoken = after_two_words()
    spoken.close(2_800 * MS)
    spoken.add((word("Three", 2_400, 2_700),))
    assert words_before(spoken, 3_000) == ("one", "two.", "Three")


def test_a_word_that_seems_to_last_into_the_segments_own_audio_ends_before_it() -> None:
    spoken = SpokenContext(4_000, RATE_HZ)
    spoken.close(2_000 * MS)
    spoken.add((word("one", 1_500, 2_400),))
    context = spoken.before(2_250 * MS, 2_000 * MS, 0)
    assert context is not None
    assert context.speech == Span((1_500 - BEFORE_WORD_MS) * MS, 2_000 * MS)


def test_audio_is_held_as_long_as_a_segment_could_go_on_from_it() -> None:
    spoken = after_two_words(1_000)
    assert spoken.held_from_sample(2_500 * MS) == (2_000 - 1_000 - BEFORE_WORD_MS) * MS
    assert spoken.held_from_sample((2_000 + MAX_PAUSE_MS) * MS) == (2_000 - 1_000 - BEFORE_WORD_MS) * MS
    assert spoken.held_from_sample((2_000 + MAX_PAUSE_MS) * MS + 1) == (2_000 + MAX_PAUSE_MS) * MS + 1


def test_audio_is_not_held_for_a_context_of_nothing() -> None:
    assert after_two_words(0).held_from_sample(2_500 * MS) == 2_500 * MS


def test_audio_before_the_stream_is_never_asked_for() -> None:
    assert after_two_words(9_000).held_from_sample(2_500 * MS) == 0
