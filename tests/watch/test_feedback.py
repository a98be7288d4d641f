"""What users say of segments: counted, kept, watched, and forgotten."""

from collections.abc import Sequence

import numpy as np
import pytest

from asr_server.accuracy.wer import ErrorCounts
from asr_server.api.feedback import Said
from asr_server.errors import NotKept, Unknown, WrongOrder
from asr_server.watch import attributes as names
from asr_server.watch.concept import ALL, MAX_WORDS, ConceptWatch, RateChange
from asr_server.watch.feedback import MAX_REMEMBERED, REMEMBERED_S, FeedbackDesk
from asr_server.watch.journal.rows import FeedbackRow, Row, SegmentRow
from asr_server.watch.labels import CLIENT
from asr_server.watch.observer import SegmentRecord
from tests.fake_clock import FakeClock
from tests.watch.journal.made import segment

METHOD = "/asr.v1.Speech/StreamingRecognize"


class Desk:
    """One, with what it kept."""

    def __init__(self, *, stored: Sequence[SegmentRow] = (), full: bool = False) -> None:
        self.clock = FakeClock()
        self.rows: list[Row] = []
        by_id = {row.id: row for row in stored}

        async def keep(row: Row) -> None:
            if full:
                raise NotKept("the disk is full")
            self.rows.append(row)

        self.desk = FeedbackDesk(keep, by_id.get, now=self.clock, unix=lambda: 7.0)

    def hear(self, segment_id: str, text: str, client: str = "kiosk", failed: str = "") -> None:
        call = self.desk.call(METHOD, {CLIENT: client}, 0.0)
        call.segment(SegmentRecord(0, 0.0, 1.0, (), {names.LANGUAGE: "en"}, text=text, failed=failed, id=segment_id))


async def test_a_corrected_text_is_counted_against_what_was_heard_and_neither_is_kept() -> None:
    one = Desk()
    one.hear("a-1-0", "The quick brown fox jumps.")
    errors = await one.desk.take(Said("a-1-0", "corrected", "the quick red fox jumps over"))
    assert errors == ErrorCounts(1, 1, 0, 6)
    assert one.rows == [FeedbackRow("a-1-0", "corrected", 7.0, 6, 1, 1, 0)]
    assert (one.desk.counts[("corrected",)], one.desk.errors) == (1, errors)


async def test_a_verdict_is_kept_without_a_text() -> None:
    one = Desk()
    one.hear("a-1-0", "Hello.")
    assert await one.desk.take(Said("a-1-0", "switched_to_typing")) is None
    assert one.rows == [FeedbackRow("a-1-0", "switched_to_typing", 7.0)]


async def test_a_segment_that_nobody_knows_is_refused() -> None:
    one = Desk()
    one.hear("a-1-0", "Hello.", failed="broken")
    for segment_id in ("a-1-0", "a-1-1"):
        with pytest.raises(Unknown, match=f"segment_id '{segment_id}': this server knows of no such segment"):
            await one.desk.take(Said(segment_id, "accepted"))
    assert not one.rows


async def test_texts_are_forgotten_and_then_what_the_user_saw_is_needed() -> None:
    stored = segment(4)
    one = Desk(stored=[stored])
    one.hear(stored.id, "Hello there.")
    one.clock.advance_ms(1000 * (REMEMBERED_S + 1))
    with pytest.raises(WrongOrder, match="shown_transcript: is needed"):
        await one.desk.take(Said(stored.id, "corrected", "Hello here."))
    assert await one.desk.take(Said(stored.id, "accepted")) is None
    assert await one.desk.take(Said(stored.id, "corrected", "Hello here.", "Hello there.")) == ErrorCounts(1, 0, 0, 2)
    assert not one.desk._texts


async def test_no_more_texts_are_remembered_than_there_is_room_for() -> None:
    one = Desk()
    for number in range(MAX_REMEMBERED + 5):
        one.hear(f"a-1-{number}", "x")
    assert len(one.desk._texts) == MAX_REMEMBERED
    with pytest.raises(Unknown):
        await one.desk.take(Said("a-1-4", "accepted"))


async def test_what_could_not_be_kept_counts_for_nothing() -> None:
    one = Desk(full=True)
    one.hear("a-1-0", "Hello.")
    with pytest.raises(NotKept):
        await one.desk.take(Said("a-1-0", "corrected", "Hallo."))
    assert (one.desk.counts[("corrected",)], one.desk.errors.words) == (0, 0)


async def test_the_first_answer_counts_and_the_last_is_kept() -> None:
    """A client that tries again after a timeout, or a user who edits twice, is no second opinion of another user."""
    one = Desk()
    one.hear("a-1-0", "Hello there.")
    for corrected in ("Hello here.", "Hello, here."):
        await one.desk.take(Said("a-1-0", "corrected", corrected))
    assert len(one.rows) == 2
    assert (one.desk.counts[("corrected",)], one.desk.errors.words) == (1, 2)


def test_texts_are_forgotten_also_when_nobody_asks() -> None:
    one = Desk()
    one.hear("a-1-0", "Hello there.")
    one.clock.advance_ms(1000 * (REMEMBERED_S + 1))
    one.desk.forget()
    assert not one.desk._texts


def pushed(watch: ConceptWatch, segments: int, errors: float, client: str = "kiosk", seed: int = 0) -> list[RateChange]:
    """Texts of ten words, of which so many are wrong on average, any of them."""
    draw, changes = np.random.default_rng(seed), list[RateChange]()
    for _ in range(segments):
        changes += watch.push(ErrorCounts(int(draw.binomial(10, errors / 10)), 0, 0, 10), {"client": client})
    return changes


@pytest.mark.parametrize("seed", range(8))
def test_errors_that_become_more_are_seen_in_their_slice_stay_so_and_are_over_when_they_are(seed: int) -> None:
    watch, kiosk = ConceptWatch(), ("client", "kiosk")
    pushed(watch, 200, errors=1, seed=seed)
    pushed(watch, 200, errors=1, client="phone", seed=seed + 100)
    assert watch.worse == frozenset()
    assert watch.error_rate() == pytest.approx(0.1, abs=0.05)
    risen = [change for change in pushed(watch, 600, errors=3, seed=seed + 200) if change.slice == kiosk]
    assert [change.is_back for change in risen] == [False], "told once, however long it lasts"
    assert risen[0].before == pytest.approx(0.1, abs=0.04)
    assert kiosk in watch.worse
    assert ("client", "phone") not in watch.worse
    back = [change for change in pushed(watch, 300, errors=1, seed=seed + 300) if change.slice == kiosk]
    assert [change.is_back for change in back] == [True]
    assert kiosk not in watch.worse


@pytest.mark.parametrize("seed", range(8))
def test_errors_that_are_as_many_as_ever_or_fewer_are_no_drift(seed: int) -> None:
    watch = ConceptWatch()
    assert pushed(watch, 500, errors=4, seed=seed) == []
    assert pushed(watch, 300, errors=1, seed=seed + 50) == []
    assert watch.error_rate(("client", "none")) is None
    assert watch.error_rate(ALL) == pytest.approx(0.1, abs=0.06)


def test_a_text_of_nothing_but_made_up_words_counts_as_all_wrong_and_a_long_one_for_no_more_than_its_share() -> None:
    watch = ConceptWatch()
    list(watch.push(ErrorCounts(0, 0, 3, 0), {}))
    assert watch.error_rate() == 1.0
    list(watch.push(ErrorCounts(1_000, 0, 0, 5_000), {}))
    assert watch._slices[ALL].words == 3 + MAX_WORDS
    assert watch.error_rate() == pytest.approx(0.2)
