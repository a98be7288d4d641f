"""`SubmitFeedback`, `GetDriftReport`, `GetSlo` and `GetStatus` as a stranger's client speaks them."""

from dataclasses import replace

import grpc
import pytest

from asr_server.accuracy.wer import ErrorCounts
from asr_server.api.feedback import MAX_TRANSCRIPT_CHARS, Said, parse_feedback
from asr_server.errors import InvalidRequest, NotKept
from asr_server.pb import asr_pb2 as pb
from tests.api.harness import chunks, converse, first, linear16, speech_server
from tests.session.script import speech

Request = pb.SubmitFeedbackRequest


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (Request(verdict=Request.ACCEPTED), "segment_id"),
        (Request(segment_id="x" * 65, verdict=Request.ACCEPTED), "segment_id"),
        (Request(segment_id="a"), "feedback"),
        (Request(segment_id="a", verdict=Request.VERDICT_UNSPECIFIED), "verdict"),
        (Request(segment_id="a", verdict=99), "verdict"),  # type: ignore[arg-type]
        (Request(segment_id="a", corrected_transcript="x" * (MAX_TRANSCRIPT_CHARS + 1)), "corrected_transcript"),
        (Request(segment_id="a", verdict=Request.ACCEPTED, shown_transcript="x" * (MAX_TRANSCRIPT_CHARS + 1)), "shown_transcript"),
    ],
)
def test_what_is_wrong_with_a_request_is_named(request_: pb.SubmitFeedbackRequest, field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_feedback(request_)
    assert [name for name, _ in caught.value.violations] == [field]


def test_that_nothing_was_said_can_be_said() -> None:
    assert parse_feedback(Request(segment_id="a", corrected_transcript="")) == Said("a", "corrected")
    assert parse_feedback(Request(segment_id="a", verdict=Request.SWITCHED_TO_TYPING)) == Said("a", "switched_to_typing")


async def test_finals_have_ids_that_no_other_segment_has() -> None:
    """Of other streams, and of other servers."""
    seen = set()
    for _ in range(2):
        async with speech_server() as running:
            for _ in range(2):
                answer = await converse(running.stub, [first(), *chunks(linear16(speech(1000)))])
                seen |= {final.segment_id for final in answer.finals}
    assert len(seen) == 4
    assert all(seen)


async def test_who_takes_feedback_is_asked_and_what_fails_is_told() -> None:
    class Takes:
        said: Said | None = None

        async def take(self, said: Said) -> ErrorCounts | None:
            self.said = said
            if said.segment_id == "full":
                raise NotKept("the disk is full")
            return ErrorCounts(1, 2, 3, 9)

    takes = Takes()
    async with speech_server() as running:
        with pytest.raises(grpc.aio.AioRpcError) as none:
            await running.stub.SubmitFeedback(Request(segment_id="a", corrected_transcript="x"))
        running.service.open(replace(running.service._host, feedback=takes))
        answer = await running.stub.SubmitFeedback(Request(segment_id="a", corrected_transcript="x", shown_transcript="y"))
        with pytest.raises(grpc.aio.AioRpcError) as full:
            await running.stub.SubmitFeedback(Request(segment_id="full", verdict=Request.REJECTED))
    assert (none.value.code(), full.value.code()) == (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.UNAVAILABLE)
    assert (answer.words, answer.substitutions, answer.deletions, answer.insertions) == (9, 1, 2, 3)
    assert takes.said == Said("full", "rejected")
