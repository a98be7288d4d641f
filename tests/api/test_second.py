"""Second opinions: who is asked, when, and what is told."""

import asyncio
from dataclasses import replace

from asr_server.accuracy.wer import ErrorCounts
from asr_server.api.second import SecondOpinions
from asr_server.engine.engine import DecodeOptions, Decoding
from asr_server.errors import EngineFailed
from audio_norm import Normalized
from tests.api.harness import Running, chunks, converse, first, linear16, speech_server
from tests.fake_engine import FakeEngine, said
from tests.session.script import speech
from tests.waiting import until

TOLD = list[tuple[str, ErrorCounts]]


def with_second(running: Running, told: TOLD, share: float) -> SecondOpinions:
    second = SecondOpinions(running.worker, share, 7, running.admission.number, lambda *one: told.append(one), draw=lambda: 0.5)
    running.service.open(replace(running.service._host, second=second))
    return second


async def test_a_segment_that_is_drawn_is_decoded_once_more_by_a_wider_search() -> None:
    widths: list[int] = []

    def decode(_: Normalized, options: DecodeOptions) -> Decoding:
        widths.append(options.beam_size)
        return said("the red fox" if options.beam_size == 7 else "the brown fox")

    told: TOLD = []
    async with speech_server(FakeEngine(decode)) as running:
        with_second(running, told, share=0.51)
        answer = await converse(running.stub, [first(), *chunks(linear16(speech(1000)))])
        await until(lambda: bool(told))
    assert widths == [5, 7]
    assert answer.texts == ["the brown fox"]
    assert told == [(answer.finals[0].segment_id, ErrorCounts(1, 0, 0, 3))]


async def test_one_that_is_not_drawn_or_fails_or_comes_while_all_are_busy_is_let_be() -> None:
    def decode(_: Normalized, options: DecodeOptions) -> Decoding:
        if options.beam_size == 7:
            raise EngineFailed("broken")
        return said("hello")

    told: TOLD = []
    async with speech_server(FakeEngine(decode)) as running:
        none = with_second(running, told, share=0.5)
        await converse(running.stub, [first(), *chunks(linear16(speech(1000)))])
        failing = with_second(running, told, share=1.0)
        await converse(running.stub, [first(), *chunks(linear16(speech(1000)))])
        await until(lambda: not failing._open)

        class Busy:
            running, threads, queue_depth = 2, 2, 0

        same = SecondOpinions(running.worker, 1.0, 1, running.admission.number, lambda *one: told.append(one))
        running.service.open(replace(running.service._host, second=same))
        await converse(running.stub, [first(), *chunks(linear16(speech(1000)))])
        assert not same._open, "the same search once more tells nothing"
        busy = with_second(running, told, share=1.0)
        busy._worker = Busy()  # type: ignore[assignment]
        await converse(running.stub, [first(), *chunks(linear16(speech(1000)))])
        await asyncio.sleep(0)
    assert (told, none.skipped, failing.skipped, busy.skipped) == ([], 0, 0, 1)
