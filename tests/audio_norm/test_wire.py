"""All encodings alike: any chunks give the same samples, and nothing but `AudioError` comes of garbage."""

from functools import cache

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from audio_norm.encoding import RAW, Encoding, WireFormat
from audio_norm.errors import AudioError, CorruptAudio, UnsupportedAudio
from audio_norm.wire import open_decoder
from tests.audio_norm.encoded import decode_all, decode_threads, flac, linear16, ogg_opus, same, signal, wav, webm_opus
from tests.audio_norm.samples import chunks

FORMATS = [None, *Encoding]


@cache
def streams() -> dict[str, tuple[WireFormat, bytes]]:
    frames = signal(3_000, channels=2, rate_hz=48_000)
    pcm = linear16(frames)
    return {
        "linear16": (WireFormat(Encoding.LINEAR16, 8_000, 3), pcm[:-1]),
        "float32": (WireFormat(Encoding.FLOAT32, 44_100, 2), frames.tobytes()),
        "mulaw": (WireFormat(Encoding.MULAW, 8_000), pcm),
        "alaw": (WireFormat(Encoding.ALAW, 8_000, 5), pcm),
        "wav": (WireFormat(None), wav(pcm, channels=2, before_data=b"LIST\x05\x00\x00\x00abcde\x00")),
        "wav as linear16": (WireFormat(Encoding.LINEAR16, 16_000, 2), wav(pcm, channels=2, extensible=True)),
        "flac": (WireFormat(Encoding.FLAC), flac(signal(9_000, channels=2))),
        "ogg": (WireFormat(Encoding.OGG_OPUS), ogg_opus(frames)),
        "webm": (WireFormat(None), webm_opus(frames)),
    }


@cache
def whole(name: str) -> np.ndarray:
    wire, data = streams()[name]
    return decode_all(open_decoder(wire), [data])


@pytest.mark.parametrize("name", ["linear16", "float32", "mulaw", "alaw", "wav", "wav as linear16", "flac", "ogg", "webm"])
@given(sizes=st.lists(st.integers(0, 700), min_size=1, max_size=6).filter(any))
@settings(max_examples=15)
@example(sizes=[1])
@example(sizes=[7])
def test_any_chunks_give_the_same_samples(name: str, sizes: list[int]) -> None:
    if max(sizes) < 7:
        sizes = [*sizes, 50 if name in {"flac", "ogg", "webm"} else 1]
    wire, data = streams()[name]
    decoder = open_decoder(wire)
    assert same(decode_all(decoder, [data[cut] for cut in chunks(len(data), sizes)]), whole(name))
    assert decoder.trailing_bytes == (5 if name == "linear16" else 0)


@pytest.mark.parametrize("encoding", FORMATS)
@given(
    data=st.binary(max_size=400), cut=st.integers(0, 400), keep=st.integers(0, 200), name=st.sampled_from(["wav", "flac", "ogg", "webm"])
)
@settings(max_examples=60)
def test_garbage_raises_audio_errors_only_and_leaves_no_thread(
    encoding: Encoding | None, data: bytes, cut: int, keep: int, name: str
) -> None:
    """Also garbage behind the true beginning of a stream."""
    garbage = streams()[name][1][:keep] + data
    decoder = open_decoder(WireFormat(encoding, 16_000 if encoding in RAW else 0))
    try:
        frames = decode_all(decoder, [garbage[:cut], garbage[cut:]])
    except AudioError:
        pass
    else:
        assert frames.dtype == np.float32
        assert np.isfinite(frames).all()
    assert decode_threads() == 0


@pytest.mark.parametrize("name", ["flac", "ogg", "webm"])
@given(at=st.integers(0, 10_000), damage=st.binary(min_size=1, max_size=40))
@settings(max_examples=40)
def test_a_damaged_stream_gives_samples_or_an_audio_error(name: str, at: int, damage: bytes) -> None:
    wire, data = streams()[name]
    at %= len(data)
    try:
        frames = decode_all(open_decoder(wire), [data[:at], damage, data[at + len(damage) :]])
    except AudioError:
        pass
    else:
        assert frames.shape[1] in range(1, 9)
    assert decode_threads() == 0


@pytest.mark.parametrize("encoding", FORMATS)
def test_a_stream_without_bytes_is_empty(encoding: Encoding | None) -> None:
    decoder = open_decoder(WireFormat(encoding, 16_000 if encoding in RAW else 0))
    assert decode_all(decoder, [b"", b""]).shape == (0, 1)


def test_a_raw_format_is_known_once_its_first_byte_is_no_header() -> None:
    decoder = open_decoder(WireFormat(Encoding.LINEAR16, 16_000))
    assert (decoder.rate_hz, decoder.channels) == (0, 0)
    decoder.feed(b"\x00")
    assert (decoder.rate_hz, decoder.channels) == (16_000, 1)


def test_audio_without_a_known_header_needs_its_encoding_named() -> None:
    with pytest.raises(UnsupportedAudio, match="name its encoding") as refused:
        open_decoder(WireFormat(None)).feed(b"\x00\x01\x02\x03")
    assert refused.value.field == "encoding"


def test_two_bytes_are_too_few_to_detect_an_encoding() -> None:
    with pytest.raises(CorruptAudio, match="too few"):
        decode_all(open_decoder(WireFormat(None)), [b"fL"])


@pytest.mark.parametrize("encoding", [Encoding.FLAC, Encoding.OGG_OPUS, Encoding.WEBM_OPUS])
def test_a_header_of_another_encoding_is_refused(encoding: Encoding) -> None:
    with pytest.raises(UnsupportedAudio, match=encoding.value) as refused:
        open_decoder(WireFormat(encoding)).feed(wav(b""))
    assert refused.value.field == "encoding"


def test_an_error_is_raised_again_by_every_later_call() -> None:
    decoder = open_decoder(WireFormat(Encoding.FLOAT32, 16_000))
    with pytest.raises(CorruptAudio):
        decoder.feed(b"\xff" * 8)
    with pytest.raises(CorruptAudio):
        decoder.feed(bytes(8))
    with pytest.raises(CorruptAudio):
        decoder.flush()
