"""The page of bad inputs tells the truth, and none of them hurts the next caller."""

import grpc

from asr_server.pb import asr_pb2 as pb
from asr_server.pb import asr_pb2_grpc
from tests.api.bad_inputs import PAGE, SPEECH, page, try_all
from tests.api.harness import chunks, converse, first
from tests.waiting import until_async


async def test_every_bad_input_gets_the_status_and_message_on_the_page_and_leaves_nothing(server_address: str) -> None:
    answers = await try_all(server_address)
    assert page(answers) == PAGE.read_text(), f"made by: python -m tests.api.bad_inputs {server_address}"
    for what, answer in answers:
        assert "Traceback" not in answer.message, what
        assert "\n" not in answer.message, what
        assert answer.code not in {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}, what
    async with grpc.aio.insecure_channel(server_address) as channel:
        stub = asr_pb2_grpc.SpeechStub(channel)

        async def no_sessions() -> bool:
            return not (await stub.GetServerInfo(pb.GetServerInfoRequest())).active_sessions

        await until_async(no_sessions)
        answer = await converse(stub, [first(), *chunks(SPEECH)])
    assert "hello" in " ".join(answer.texts).lower()
