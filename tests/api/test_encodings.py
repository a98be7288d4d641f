"""Every encoding of the contract, in chunks with awkward borders, to a real server with real weights."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import numpy as np
import pytest
import pytest_asyncio

from asr_server.pb import asr_pb2 as pb
from asr_server.pb import asr_pb2_grpc
from audio_norm import Frames, Pcm, resample, to_int16
from tests.api.harness import Config, chunks, converse, first
from tests.audio_norm import encoded
from tests.audio_norm.samples import RATE_HZ, speech

SILENT, SPOKEN = 1, 2


def hello(rate_hz: int = RATE_HZ, channels: int = 1) -> Frames:
    """ "Hello world" at this rate; with two channels it is said in the second only."""
    said = resample(Pcm(speech("hello_world"), RATE_HZ), rate_hz).samples
    others = [0.001 * np.ones_like(said)] * (channels - 1)
    return np.stack([*others, said], axis=1).astype(np.float32)


def raw_g711(subtype: str) -> bytes:
    """The payload of a WAV that libsndfile encoded, without its header."""
    content = encoded.sndfile(hello(8_000), 8_000, "RAW", subtype)
    assert len(content) == len(hello(8_000))
    return content


STREAMED: dict[str, tuple[dict[str, Any], Callable[[], bytes]]] = {
    "LINEAR16 at 8 kHz": ({"encoding": Config.LINEAR16, "sample_rate_hertz": 8_000}, lambda: encoded.linear16(hello(8_000))),
    "LINEAR16 at 44.1 kHz": ({"encoding": Config.LINEAR16, "sample_rate_hertz": 44_100}, lambda: encoded.linear16(hello(44_100))),
    "LINEAR16 at 48 kHz, mean of two channels": (
        {"encoding": Config.LINEAR16, "sample_rate_hertz": 48_000, "audio_channel_count": 2},
        lambda: encoded.linear16(hello(48_000, channels=2)),
    ),
    "LINEAR16, the second of two channels": (
        {"encoding": Config.LINEAR16, "sample_rate_hertz": 16_000, "audio_channel_count": 2, "audio_channel": SPOKEN},
        lambda: encoded.linear16(hello(channels=2)),
    ),
    "FLOAT32": ({"encoding": Config.FLOAT32, "sample_rate_hertz": 16_000}, lambda: hello().astype("<f4").tobytes()),
    "MULAW": ({"encoding": Config.MULAW, "sample_rate_hertz": 8_000}, lambda: raw_g711("ULAW")),
    "ALAW": ({"encoding": Config.ALAW, "sample_rate_hertz": 8_000}, lambda: raw_g711("ALAW")),
    "FLAC": ({"encoding": Config.FLAC, "sample_rate_hertz": 0}, lambda: encoded.flac(hello())),
    "OGG_OPUS": ({"encoding": Config.OGG_OPUS, "sample_rate_hertz": 0}, lambda: encoded.ogg_opus(hello(48_000))),
    "WEBM_OPUS": ({"encoding": Config.WEBM_OPUS, "sample_rate_hertz": 0}, lambda: encoded.webm_opus(hello(48_000))),
    "detected: WAV": ({"encoding": 0, "sample_rate_hertz": 0}, lambda: encoded.sndfile(hello(), RATE_HZ, "WAV", "PCM_16")),
    "detected: FLAC": ({"encoding": 0, "sample_rate_hertz": 0}, lambda: encoded.flac(hello())),
    "detected: Ogg/Opus": ({"encoding": 0, "sample_rate_hertz": 0}, lambda: encoded.ogg_opus(hello(48_000))),
    "detected: WebM/Opus": ({"encoding": 0, "sample_rate_hertz": 0}, lambda: encoded.webm_opus(hello(48_000))),
}

FILES: dict[str, Callable[[], bytes]] = {
    "WAV, 24 bit": lambda: encoded.sndfile(hello(), RATE_HZ, "WAV", "PCM_24"),
    "AIFF": lambda: encoded.sndfile(hello(), RATE_HZ, "AIFF", "PCM_16"),
    "Ogg/Vorbis": lambda: encoded.sndfile(hello(), RATE_HZ, "OGG", "VORBIS"),
    "MP3": lambda: encoded.sndfile(hello(), RATE_HZ, "MP3", "MPEG_LAYER_III"),
    "MP4/AAC": lambda: encoded.ffmpeg(hello(48_000), 48_000, "mp4", "aac"),
    "WebM/Opus": lambda: encoded.webm_opus(hello(48_000)),
}


@pytest_asyncio.fixture
async def stub(server_address: str) -> AsyncIterator[asr_pb2_grpc.SpeechStub]:
    async with grpc.aio.insecure_channel(server_address) as channel:
        yield asr_pb2_grpc.SpeechStub(channel)


@pytest.mark.parametrize("name", STREAMED)
@pytest.mark.parametrize("size", [333, 1 << 18])
async def test_a_streamed_encoding_is_understood_wherever_chunks_are_cut(name: str, size: int, stub: asr_pb2_grpc.SpeechStub) -> None:
    config, content = STREAMED[name]
    answer = await converse(stub, [first(**config), *chunks(content(), size)])
    assert answer.code is grpc.StatusCode.OK, answer.message
    assert "hello" in " ".join(answer.texts).lower()


async def test_a_channel_without_speech_has_no_text(stub: asr_pb2_grpc.SpeechStub) -> None:
    config: dict[str, Any] = {"audio_channel_count": 2, "audio_channel": SILENT}
    answer = await converse(stub, [first(**config), *chunks(to_int16(hello(channels=2)).tobytes())])
    assert (answer.code, answer.texts) == (grpc.StatusCode.OK, [])


@pytest.mark.parametrize("name", FILES)
async def test_any_file_is_understood_in_a_unary_call(name: str, stub: asr_pb2_grpc.SpeechStub) -> None:
    response = await stub.Recognize(pb.RecognizeRequest(config=Config(), audio=FILES[name]()), timeout=60)
    assert "hello" in response.results[0].alternatives[0].transcript.lower()
    assert response.results[0].ledger.response_ms > 0
    assert response.total_billed_time.ToMilliseconds() == pytest.approx(len(speech("hello_world")) / 16, abs=120)


async def test_a_unary_call_of_raw_audio_needs_its_encoding_named(stub: asr_pb2_grpc.SpeechStub) -> None:
    config = Config(encoding=Config.LINEAR16, sample_rate_hertz=16_000, enable_word_time_offsets=True)
    response = await stub.Recognize(pb.RecognizeRequest(config=config, audio=to_int16(hello()).tobytes()), timeout=60)
    (result,) = response.results
    words = result.alternatives[0].words
    assert [word.word.strip(",.!").lower() for word in words] == result.alternatives[0].transcript.lower().replace(",", "").strip(
        ".!"
    ).split()
    assert all(word.start_time.ToMilliseconds() <= word.end_time.ToMilliseconds() for word in words)
