"""WAV as a stream: what headers are understood, and what is refused."""

import numpy as np
import pytest

from audio_norm.encoding import Encoding, WireFormat
from audio_norm.errors import CorruptAudio, UnsupportedAudio
from audio_norm.wav import MAX_HEADER_BYTES
from audio_norm.wire import open_decoder
from tests.audio_norm.encoded import decode_all, linear16, same, signal, wav

FRAMES = signal(100, channels=2)
PAYLOAD = linear16(FRAMES)
EXPECTED = (np.frombuffer(PAYLOAD, "<i2").reshape(-1, 2) / 32768).astype(np.float32)
DETECT = WireFormat(None)


def decoded(data: bytes, wire: WireFormat = DETECT) -> np.ndarray:
    return decode_all(open_decoder(wire), [data])


@pytest.mark.parametrize("extensible", [False, True])
@pytest.mark.parametrize("data_size", [None, 0, 0xFFFFFFFF])
def test_plain_extensible_and_endless_headers(extensible: bool, data_size: int | None) -> None:
    assert same(decoded(wav(PAYLOAD, channels=2, extensible=extensible, data_size=data_size)), EXPECTED)


@pytest.mark.parametrize(("tag", "bits", "encoding"), [(3, 32, Encoding.FLOAT32), (6, 8, Encoding.ALAW), (7, 8, Encoding.MULAW)])
def test_every_raw_encoding_may_be_the_payload(tag: int, bits: int, encoding: Encoding) -> None:
    payload = FRAMES.tobytes() if bits == 32 else bytes(range(200))
    raw = decoded(payload, WireFormat(encoding, 16_000, 2))
    assert same(decoded(wav(payload, tag=tag, bits=bits, channels=2)), raw)


def test_chunks_around_the_samples_are_ignored() -> None:
    """Odd sizes are padded; what follows the samples is not audio."""
    data = wav(PAYLOAD, channels=2, before_data=b"LIST\x03\x00\x00\x00abc\x00") + b"LIST\x04\x00\x00\x00abcd"
    assert same(decoded(data), EXPECTED)


def test_a_raw_stream_may_come_with_its_wav_header() -> None:
    decoder = open_decoder(WireFormat(Encoding.LINEAR16, 16_000, 2))
    assert same(decode_all(decoder, [wav(PAYLOAD, channels=2)]), EXPECTED)


def test_a_raw_stream_that_only_starts_like_a_header_is_raw() -> None:
    data = b"RIFF1234WAVX" + bytes(4)
    assert len(decoded(data, WireFormat(Encoding.LINEAR16, 16_000))) == 8
    assert len(decoded(b"RIFF12", WireFormat(Encoding.LINEAR16, 16_000))) == 3


@pytest.mark.parametrize(
    ("wire", "field"),
    [
        (WireFormat(Encoding.LINEAR16, 8_000, 2), "sample_rate_hertz"),
        (WireFormat(None, 8_000), "sample_rate_hertz"),
        (WireFormat(Encoding.LINEAR16, 16_000, 1), "audio_channel_count"),
        (WireFormat(None, 0, 1), "audio_channel_count"),
        (WireFormat(Encoding.MULAW, 16_000, 2), "encoding"),
    ],
)
def test_a_header_that_contradicts_the_sender_is_refused(wire: WireFormat, field: str) -> None:
    with pytest.raises(UnsupportedAudio) as refused:
        decoded(wav(PAYLOAD, channels=2), wire)
    assert refused.value.field == field
    assert "\n" not in str(refused.value)


def test_a_raw_stream_without_a_channel_count_takes_the_headers() -> None:
    assert same(decoded(wav(PAYLOAD, channels=2), WireFormat(Encoding.LINEAR16, 16_000)), EXPECTED)


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (wav(bytes(6), bits=24), "encoding"),
        (wav(bytes(6), tag=2), "encoding"),
        (wav(bytes(4), rate_hz=96_000), "sample_rate_hertz"),
        (wav(bytes(18), channels=9), "audio_channel_count"),
        (wav(bytes(18), channels=0), "audio_channel_count"),
    ],
)
def test_what_a_stream_cannot_carry_is_refused(data: bytes, field: str) -> None:
    with pytest.raises(UnsupportedAudio) as refused:
        decoded(data)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "data",
    [
        wav(b"")[:30],
        b"RIFF\0\0\0\0WAVEdata\0\0\0\0",
        b"RIFF\0\0\0\0WAVEfmt \0\0\0\0",
        wav(PAYLOAD, channels=2).replace(b"\x04\x00\x10\x00data", b"\x05\x00\x10\x00data"),
    ],
    ids=["cut in the header", "no format", "empty format", "wrong frame size"],
)
def test_broken_headers_are_corrupt(data: bytes) -> None:
    with pytest.raises(CorruptAudio):
        decoded(data)


def test_a_header_without_end_is_refused_and_not_kept() -> None:
    decoder = open_decoder(DETECT)
    decoder.feed(b"RIFF\0\0\0\0WAVELIST\xff\xff\xff\xff")
    decoder.feed(bytes(MAX_HEADER_BYTES - 20))
    with pytest.raises(CorruptAudio, match="without samples"):
        decoder.feed(bytes(20))
