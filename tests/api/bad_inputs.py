"""Everything a caller can get wrong, tried on a running server. `python -m tests.api.bad_inputs HOST:PORT` writes protos/ERRORS.md anew."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from asr_server.api.opening import MAX_MESSAGE_BYTES
from asr_server.pb import asr_pb2 as pb
from asr_server.pb import asr_pb2_grpc
from tests.api.harness import FINALIZE, Answer, Config, Request, chunks, converse, first, linear16, refused
from tests.audio_norm.samples import speech

PAGE = Path(__file__).resolve().parents[2] / "protos" / "ERRORS.md"
OF_THE_SERVER = """
What depends on the server, and not on what is sent:

- RESOURCE_EXHAUSTED: "all 64 sessions are taken", or "the recogniser has no time for more than the 12 sessions inside": one stream more
  would make finals late. It comes before any audio is taken, with RetryInfo: when a place is likely to be free, by how long streams
  have lasted so far; 30 s at most, to ask again then. Of the second message, whoever comes at the time told, up to 1.5 s later, goes
  before others; the place is kept for no longer.
- RESOURCE_EXHAUSTED of Recognize: "8 files are being recognised, the most accepted". Files take no places from streams.
- DEADLINE_EXCEEDED: "no message for 60 s; send audio or keep_alive, or half-close the stream", or "no answer was taken for 60 s; read what
  the server sends, or cancel the call".
- UNAVAILABLE: it loads its model, or ends.
- INVALID_ARGUMENT, field `eager_results`: it recognises nothing before a segment is closed.
- SubmitFeedback, of a server with a journal: NOT_FOUND, "segment_id 'ab12cd34-1-0': this server knows of no such segment";
  FAILED_PRECONDITION, "shown_transcript: is needed, the server remembers no text of that segment any more"; UNAVAILABLE, "the journal
  cannot be written: ...".
"""
"""Not tried here: it takes a server that is full, loading or set up otherwise."""
Stub = asr_pb2_grpc.SpeechStub
SPEECH = linear16(speech("hello_world"))
GARBAGE = bytes(np.random.default_rng(1).integers(0, 256, 20_000, dtype=np.uint8))


@dataclass(frozen=True)
class BadInput:
    what: str
    send: Callable[[Stub], Awaitable[Answer]]


def stream(*requests: Request, timeout_s: float = 60) -> Callable[[Stub], Awaitable[Answer]]:
    return lambda stub: converse(stub, requests, timeout_s=timeout_s)


def unary(audio: bytes = b"", **config: Any) -> Callable[[Stub], Awaitable[Answer]]:
    async def call(stub: Stub) -> Answer:
        try:
            response = await stub.Recognize(pb.RecognizeRequest(config=Config(**config), audio=audio), timeout=60)
        except grpc.aio.AioRpcError as error:
            return refused(error)
        return Answer([pb.StreamingRecognizeResponse(results=response.results)], grpc.StatusCode.OK, "", {})

    return call


def feedback(**fields: Any) -> Callable[[Stub], Awaitable[Answer]]:
    async def call(stub: Stub) -> Answer:
        try:
            await stub.SubmitFeedback(pb.SubmitFeedbackRequest(**fields), timeout=60)
        except grpc.aio.AioRpcError as error:
            return refused(error)
        return Answer([], grpc.StatusCode.OK, "", {})

    return call


async def cancel_in_mid_decode(stub: Stub) -> Answer:
    call = stub.StreamingRecognize()
    await call.write(first())
    await call.write(Request(audio_content=SPEECH))
    await call.write(FINALIZE)
    call.cancel()
    return Answer([], await call.code(), "", {})


BAD_INPUTS = (
    BadInput("audio before the config", stream(*chunks(SPEECH[:6400]))),
    BadInput("a first message with nothing in it", stream(Request())),
    BadInput("a config without `config`", stream(Request(config=pb.StreamingRecognitionConfig()))),
    BadInput("a second config", stream(first(), *chunks(SPEECH), first())),
    BadInput("a later message with nothing in it", stream(first(), Request())),
    BadInput("LINEAR16 without a rate", stream(first(sample_rate_hertz=0))),
    BadInput("rate 4000", stream(first(sample_rate_hertz=4000))),
    BadInput("rate 96000", stream(first(sample_rate_hertz=96_000))),
    BadInput("a negative rate", stream(first(sample_rate_hertz=-1))),
    BadInput("9 channels", stream(first(audio_channel_count=9))),
    BadInput("channel 3 of 2", stream(first(audio_channel_count=2, audio_channel=3))),
    BadInput("an encoding number that does not exist", stream(first(encoding=99))),
    BadInput("a model that is not held", stream(first(model="huge"))),
    BadInput("a language that is not spoken", stream(first(language_code="de-DE"))),
    BadInput("6 alternatives", stream(first(max_alternatives=6))),
    BadInput("101 phrases", stream(first(speech_contexts=[pb.SpeechContext(phrases=["word"] * 101)]))),
    BadInput("VAD stop of 20 ms", stream(first(endpointing={"vad_stop_ms": 20}))),
    BadInput("end of utterance before the VAD stop", stream(first(endpointing={"vad_stop_ms": 900, "end_of_utterance_ms": 300}))),
    BadInput(
        "a budget of 50 ms",
        stream(Request(config=pb.StreamingRecognitionConfig(config=first().config.config, latency_budget_ms=50))),
    ),
    BadInput(
        "a preset that does not exist",
        stream(Request(config=pb.StreamingRecognitionConfig(config=first().config.config, preset="best"))),
    ),
    BadInput("several wrong fields", stream(first(sample_rate_hertz=1, audio_channel_count=99, model="huge"))),
    BadInput("raw audio with no encoding named", stream(first(encoding=0, sample_rate_hertz=0), *chunks(GARBAGE))),
    BadInput("garbage as FLAC", stream(first(encoding=Config.FLAC, sample_rate_hertz=0), *chunks(GARBAGE))),
    BadInput("garbage as Ogg/Opus", stream(first(encoding=Config.OGG_OPUS, sample_rate_hertz=0), *chunks(GARBAGE))),
    BadInput("garbage as WebM/Opus", stream(first(encoding=Config.WEBM_OPUS, sample_rate_hertz=0), *chunks(GARBAGE))),
    BadInput("NaN as FLOAT32", stream(first(encoding=Config.FLOAT32), Request(audio_content=b"\x00\x00\xc0\x7f" * 400))),
    BadInput("a chunk of 2 MiB", stream(first(), Request(audio_content=bytes(2 << 20)))),
    BadInput("0 bytes of audio", stream(first(), Request(audio_content=b""))),
    BadInput("an odd number of bytes", stream(first(), *chunks(SPEECH + b"\x00", 641))),
    BadInput("only a config", stream(first())),
    BadInput("nothing at all", stream()),
    BadInput("half-close in mid-word", stream(first(), *chunks(SPEECH[: len(SPEECH) // 2]))),
    BadInput("cancel in mid-decode", cancel_in_mid_decode),
    BadInput("a deadline in the past", stream(first(), timeout_s=-1)),
    BadInput("unary: no audio", unary(encoding=Config.LINEAR16, sample_rate_hertz=16_000)),
    BadInput("unary: text as a file", unary(b"this is not audio at all, it is text. " * 20)),
    BadInput("unary: garbage as a file", unary(GARBAGE)),
    BadInput("unary: half a WAV header", unary(b"RIFF\x00\x00\x00\x00WAVEfmt ")),
    BadInput("unary: 11 MiB", unary(bytes(11 << 20), encoding=Config.LINEAR16, sample_rate_hertz=16_000)),
    BadInput("unary: 11 minutes", unary(bytes(8_000 * 660), encoding=Config.MULAW, sample_rate_hertz=8_000)),
    BadInput("feedback: no segment", feedback(verdict=1)),
    BadInput("feedback: nothing said", feedback(segment_id="ab12cd34-1-0")),
    BadInput("feedback: a verdict that does not exist", feedback(segment_id="ab12cd34-1-0", verdict=99)),
    BadInput("feedback: 10,001 characters", feedback(segment_id="ab12cd34-1-0", corrected_transcript="x" * 10_001)),
    BadInput("feedback: to a server that keeps none", feedback(segment_id="ab12cd34-1-0", verdict=1)),
)


async def try_all(target: str) -> list[tuple[str, Answer]]:
    options = [("grpc.max_send_message_length", MAX_MESSAGE_BYTES)]
    async with grpc.aio.insecure_channel(target, options=options) as channel:
        stub = Stub(channel)
        return [(bad.what, await bad.send(stub)) for bad in BAD_INPUTS]


def page(answers: list[tuple[str, Answer]]) -> str:
    """The table of what was tried and what came back."""
    rows = [f"| {what} | {answer.code.name} | {_said(answer)} |" for what, answer in answers]
    head = (
        "# What a caller can get wrong\n\n"
        "Each row was tried on a running server (tiny.en); a test tries them again and compares. After all of them the server had no\n"
        "session left and recognised the next caller. Everything heard before a fault is recognised and delivered before the status.\n\n"
        "| sent | status | message, and for a bad request each field |\n|---|---|---|\n"
    )
    return head + "\n".join(rows) + "\n" + OF_THE_SERVER


def _said(answer: Answer) -> str:
    fields = "".join(f"; field `{field}`" for field in answer.violations)
    finals = f" ({len(answer.finals)} final{'s' if len(answer.finals) > 1 else ''})" if answer.finals else ""
    return (answer.message.replace("|", "\\|") or "-") + fields + finals


if __name__ == "__main__":
    PAGE.write_text(page(asyncio.run(try_all(sys.argv[1]))))
