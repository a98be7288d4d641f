"""Streamed FLAC, Ogg/Opus and WebM/Opus: nothing held back, nothing lost, nothing left running."""

import gc
import io
import threading
from collections.abc import Callable

import numpy as np
import pytest
import soundfile

from audio_norm import containers, handoff
from audio_norm.decode import decode_bytes
from audio_norm.encoding import Encoding, WireFormat
from audio_norm.errors import AudioError, CorruptAudio, UnsupportedAudio
from audio_norm.handoff import Handoff
from audio_norm.pcm import Frames
from audio_norm.wire import open_decoder
from tests.audio_norm.encoded import decode_all, decode_threads, ffmpeg, flac, ogg_opus, same, signal, sndfile, webm_opus

SPEECH = signal(24_000, rate_hz=48_000)
STEREO = signal(24_000, channels=2, rate_hz=48_000)
STREAMS: dict[Encoding, bytes] = {
    Encoding.FLAC: flac(SPEECH, 48_000),
    Encoding.OGG_OPUS: ogg_opus(SPEECH),
    Encoding.WEBM_OPUS: webm_opus(SPEECH),
}
each_encoding = pytest.mark.parametrize("encoding", list(STREAMS))


def flac_head(rate_hz: int, total: int, block: int = 4096) -> bytes:
    """Header of a mono 16-bit FLAC stream."""
    packed = (rate_hz << 44 | 15 << 36 | total).to_bytes(8, "big")
    return b"fLaC\x80\x00\x00\x22" + block.to_bytes(2, "big") * 2 + bytes(6) + packed + bytes(16)


@each_encoding
def test_everything_that_can_be_decoded_comes_out_at_once(encoding: Encoding) -> None:
    """Wherever the stream stops, the end of the stream adds nothing to what `feed` gave: the decoder holds no audio back."""
    data = STREAMS[encoding]
    for cut in range(len(data) // 3, len(data), len(data) // 17):
        decoder = open_decoder(WireFormat(encoding))
        assert len(decoder.feed(data[:cut])) > 0
        assert len(decoder.flush()) == 0
        decoder.close()


def test_flac_frames_come_out_with_their_last_byte() -> None:
    """4096 samples a frame; a new one begins with the sync code ff f8."""
    data = STREAMS[Encoding.FLAC]
    frames = [at for at in range(len(data)) if data.startswith(b"\xff\xf8", at)]
    starts = [at for number, at in enumerate(frames) if data[at + 4] == number]  # byte 4 counts the frames
    decoder = open_decoder(WireFormat(Encoding.FLAC))
    came = [len(decoder.feed(data[start:end])) for start, end in zip([0, *starts[1:]], [*starts[1:], len(data)], strict=True)]
    decoder.close()
    assert came == [4096] * 5 + [24_000 - 5 * 4096]


@each_encoding
def test_opus_delay_is_taken_out_and_flac_is_exact(encoding: Encoding) -> None:
    """As many samples come out as went in, and where they were: pre-skip and end trimming are applied."""
    frames = decode_all(open_decoder(WireFormat(encoding)), [STREAMS[encoding]])
    assert frames.shape == SPEECH.shape
    error = np.sqrt(np.mean((frames - SPEECH) ** 2) / np.mean(SPEECH**2))
    assert error < (1e-3 if encoding is Encoding.FLAC else 0.1)


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
@pytest.mark.parametrize("channels", [1, 2, 8])
def test_flac_is_bit_for_bit_libsndfiles(subtype: str, channels: int) -> None:
    data = flac(signal(9_000, channels), subtype=subtype)
    expected, _ = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    decoder = open_decoder(WireFormat(Encoding.FLAC, 16_000, channels))
    assert same(decode_all(decoder, [data]), expected)


def test_flac_without_a_length_or_with_a_wrong_one_is_read_to_its_end() -> None:
    data = flac(signal(9_000))
    expected = decode_all(open_decoder(WireFormat(None)), [data])
    for total in (0, 100, 2**36 - 1):
        packed = int.from_bytes(data[18:26], "big") >> 36 << 36 | total
        changed = data[:18] + packed.to_bytes(8, "big") + data[26:]
        assert same(decode_all(open_decoder(WireFormat(None)), [changed]), expected)


def test_flac_metadata_is_skipped_and_a_tag_at_the_end_ignored() -> None:
    data = flac(signal(9_000))
    assert data[4] == 0, "libsndfile writes a comment after STREAMINFO"
    picture = b"\x06\x01\x00\x00" + bytes(2**16)
    changed = data[:42] + picture + data[42:] + b"TAG" + bytes(125)
    pieces = [changed[at : at + 1000] for at in range(0, len(changed), 1000)]
    assert same(decode_all(open_decoder(WireFormat(None)), pieces), decode_all(open_decoder(WireFormat(None)), [data]))


@pytest.mark.parametrize("channels", [2, 8])
def test_opus_with_more_channels_in_ogg_and_webm(channels: int) -> None:
    """Each channel has its own pitch (but one of eight is for deep tones only, and changed)."""
    original = signal(24_000, channels, rate_hz=48_000)
    for data in (ogg_opus(original, page_ms=100), webm_opus(original)):
        decoder = open_decoder(WireFormat(None))
        frames = decode_all(decoder, [data])
        assert (decoder.rate_hz, decoder.channels) == (48_000, channels)
        assert frames.shape == original.shape
        likeness = [np.corrcoef(frames[:, at], original[:, at])[0, 1] for at in range(channels)]
        assert sorted(likeness)[channels // 8] > 0.95, likeness


@each_encoding
def test_rate_and_channels_are_0_until_the_header_was_read(encoding: Encoding) -> None:
    decoder = open_decoder(WireFormat(encoding))
    assert (decoder.rate_hz, decoder.channels) == (0, 0)
    decoder.feed(STREAMS[encoding][:10])
    assert (decoder.rate_hz, decoder.channels) == (0, 0)
    decoder.feed(STREAMS[encoding][10:])
    assert (decoder.rate_hz, decoder.channels) == (48_000, 1)
    decoder.close()


@each_encoding
def test_a_stream_that_ends_inside_its_header_is_corrupt(encoding: Encoding) -> None:
    with pytest.raises(CorruptAudio):
        decode_all(open_decoder(WireFormat(encoding)), [STREAMS[encoding][:40]])
    assert decode_threads() == 0


@each_encoding
def test_a_channel_count_that_is_not_the_headers_is_refused(encoding: Encoding) -> None:
    with pytest.raises(UnsupportedAudio) as refused:
        decode_all(open_decoder(WireFormat(encoding, channels=2)), [STREAMS[encoding]])
    assert refused.value.field == "audio_channel_count"
    assert decode_threads() == 0


def test_a_rate_that_is_not_flacs_is_refused_and_one_given_for_opus_ignored() -> None:
    with pytest.raises(UnsupportedAudio) as refused:
        decode_all(open_decoder(WireFormat(Encoding.FLAC, 16_000)), [STREAMS[Encoding.FLAC]])
    assert refused.value.field == "sample_rate_hertz"
    for encoding in (Encoding.OGG_OPUS, Encoding.WEBM_OPUS):
        assert len(decode_all(open_decoder(WireFormat(encoding, 16_000)), [STREAMS[encoding]])) == len(SPEECH)


@pytest.mark.parametrize("data", [sndfile(STEREO, 48_000, "OGG", "VORBIS"), ffmpeg(STEREO, 48_000, "matroska", "aac")], ids=["ogg", "webm"])
def test_another_codec_in_the_container_is_refused(data: bytes) -> None:
    with pytest.raises(UnsupportedAudio, match="Opus") as refused:
        decode_all(open_decoder(WireFormat(None)), [data])
    assert refused.value.field == "encoding"


def test_a_codec_that_is_not_known_at_all_is_refused() -> None:
    data = STREAMS[Encoding.WEBM_OPUS].replace(b"A_OPUS", b"A_NEWS")
    with pytest.raises(UnsupportedAudio, match="only Opus"):
        decode_all(open_decoder(WireFormat(None)), [data])


def test_damaged_flac_is_corrupt_and_stays_so() -> None:
    data = bytearray(STREAMS[Encoding.FLAC])
    data[20_000:20_100] = b"\x55" * 100
    decoder = open_decoder(WireFormat(None))
    with pytest.raises(CorruptAudio, match="FLAC"):
        decoder.feed(bytes(data))
    with pytest.raises(CorruptAudio, match="FLAC"):
        decoder.flush()
    assert decode_threads() == 0


def test_a_small_chunk_cannot_decode_to_gigabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence costs FLAC a dozen bytes a frame; the limit is on what one chunk may become."""
    silence = flac(np.zeros((160_000, 1), np.float32))
    assert len(silence) < 1500
    monkeypatch.setattr(containers, "MAX_VALUES_PER_FEED", 100_000)
    with pytest.raises(CorruptAudio, match="smaller chunks"):
        open_decoder(WireFormat(None)).feed(silence)
    halves = [silence[: len(silence) // 2], silence[len(silence) // 2 :]]
    assert len(decode_all(open_decoder(WireFormat(None)), halves)) == 160_000


@pytest.mark.parametrize(("rate_hz", "channels"), [(8_000, 1), (48_000, 1), (16_000, 8)])
def test_pieces_are_ten_seconds_at_most_and_together_what_feed_gives(rate_hz: int, channels: int) -> None:
    """100 s of silence in one chunk: ten pieces and a FLAC block each more, no sample lost, also when the chunk ends in mid-frame."""
    silence = flac(np.zeros((100 * rate_hz, channels), np.float32), rate_hz)
    decoder = open_decoder(WireFormat(None))
    pieces = [*decoder.pieces(silence[:-5]), *decoder.pieces(silence[-5:])]
    pieces.append(decoder.flush())
    decoder.close()
    assert max(map(len, pieces)) <= 10 * rate_hz + 4096
    assert same(np.concatenate(pieces), decode_all(open_decoder(WireFormat(None)), [silence]))
    assert decode_threads() == 0


@each_encoding
def test_pieces_of_any_chunks_are_what_feed_gives(encoding: Encoding, monkeypatch: pytest.MonkeyPatch) -> None:
    data = STREAMS[encoding]
    whole = decode_all(open_decoder(WireFormat(None)), [data])
    monkeypatch.setattr(handoff, "STEP_S", 0.05)
    for size in (len(data), 4096, 333):
        decoder = open_decoder(WireFormat(None))
        pieces = [piece for start in range(0, len(data), size) for piece in decoder.pieces(data[start : start + size])]
        assert max(map(len, pieces)) < len(whole) / 2
        assert same(np.concatenate([*pieces, decoder.flush()]), whole)
        decoder.close()


def test_nothing_is_decoded_that_was_not_asked_for() -> None:
    """The thread waits between two pieces, and ends when the decoder is closed there or dropped."""
    silence = flac(np.zeros((100 * 16_000, 1), np.float32))
    decoder = open_decoder(WireFormat(None))
    assert len(next(decoder.pieces(silence))) <= 10 * 16_000 + 4096
    assert decode_threads() == 1
    decoder.close()
    assert decode_threads() == 0


def test_a_whole_buffer_may_be_any_length_of_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its limit is on the audio, not on how little of the buffer it is."""
    monkeypatch.setattr(containers, "MAX_VALUES_PER_FEED", 100_000)
    silence = flac(np.zeros((100 * 16_000, 2), np.float32))
    assert decode_bytes(silence, WireFormat(Encoding.FLAC))[0].shape == (1_600_000, 2)


def test_bytes_that_never_become_audio_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handoff, "MAX_BARREN_BYTES", 10_000)
    decoder = open_decoder(WireFormat(Encoding.OGG_OPUS))
    for _ in range(9):
        decoder.feed(b"OggS" + bytes(1000))
    with pytest.raises(CorruptAudio, match="no audio in 10000 bytes"):
        decoder.feed(b"OggS" + bytes(1000))
    assert decode_threads() == 0


def test_tags_need_not_be_utf8() -> None:
    changed = STREAMS[Encoding.WEBM_OPUS].replace(b"ENCODER", b"\xff\xfe\x80ODER")
    assert changed != STREAMS[Encoding.WEBM_OPUS]
    assert len(decode_all(open_decoder(WireFormat(None)), [changed])) == len(SPEECH)


@each_encoding
def test_close_ends_the_thread_wherever_it_is(encoding: Encoding) -> None:
    for cut in (4, 50, 300, 5000, len(STREAMS[encoding])):
        decoder = open_decoder(WireFormat(encoding))
        assert decode_threads() == 0, "no thread before the first byte"
        decoder.feed(STREAMS[encoding][:cut])
        assert decode_threads() == 1
        decoder.close()
        assert decode_threads() == 0
        decoder.close()
        with pytest.raises(RuntimeError, match="closed"):
            decoder.feed(b"")


@each_encoding
def test_flush_ends_the_thread(encoding: Encoding) -> None:
    decoder = open_decoder(WireFormat(encoding))
    decoder.feed(STREAMS[encoding])
    decoder.flush()
    assert decode_threads() == 0
    assert len(decoder.flush()) == 0


@each_encoding
def test_a_decoder_that_is_dropped_takes_its_thread_along(encoding: Encoding) -> None:
    decoder = open_decoder(WireFormat(encoding))
    decoder.feed(STREAMS[encoding][:300])
    threads = [thread for thread in threading.enumerate() if thread.name == handoff.THREAD_NAME]
    del decoder
    gc.collect()
    for thread in threads:
        thread.join(timeout=30)
    assert decode_threads() == 0


def test_close_from_another_thread_ends_a_feed_that_waits() -> None:
    """A library that never asks for more bytes would block `feed`; `close` gets it out as soon as it emits or reads."""
    started = threading.Event()

    def endless(work: Handoff) -> None:
        work.read()
        started.set()
        while True:
            work.emit(np.zeros((0, 1), np.float32))

    work = Handoff(endless)
    feeding = threading.Thread(target=work.step, args=(b"x",))
    feeding.start()
    started.wait()
    work.close()
    feeding.join(timeout=30)
    assert not feeding.is_alive()
    assert decode_threads() == 0


def test_many_streams_are_decoded_side_by_side() -> None:
    """One stream that waits for its sender does not stop another, not even from opening."""
    decoders = [open_decoder(WireFormat(encoding)) for encoding in STREAMS for _ in range(4)]
    sources = [data for data in STREAMS.values() for _ in range(4)]
    parts: list[list[Frames]] = [[] for _ in decoders]
    size = 997
    for at in range(0, max(map(len, sources)), size):
        for decoder, data, part in zip(decoders, sources, parts, strict=True):
            part.append(decoder.feed(data[at : at + size]))
    for decoder, data, part in zip(decoders, sources, parts, strict=True):
        part.append(decoder.flush())
        assert same(np.concatenate(part), decode_all(open_decoder(WireFormat(None)), [data]))
    assert decode_threads() == 0


@pytest.mark.parametrize(
    "garbled", [lambda head: head[:8] + bytes(34), lambda head: head[:8] + bytes(2) + head[10:], lambda head: b"fLaC\x84" + head[5:]]
)
def test_flac_headers_that_cannot_be_are_refused(garbled: Callable[[bytes], bytes]) -> None:
    with pytest.raises(AudioError):
        decode_all(open_decoder(WireFormat(None)), [garbled(flac_head(16_000, 0))])


def test_a_flac_header_without_frames_is_an_empty_stream() -> None:
    decoder = open_decoder(WireFormat(None))
    assert decode_all(decoder, [flac_head(16_000, 0)]).shape == (0, 1)
    assert decoder.rate_hz == 16_000
