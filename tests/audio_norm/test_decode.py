"""Whole files, whole buffers, and mono."""

import contextlib
import io
import itertools
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from audio_norm import decode
from audio_norm.containers import frames_of
from audio_norm.decode import decode_bytes, decode_file, to_mono
from audio_norm.encoding import Encoding, WireFormat
from audio_norm.errors import AudioError, CorruptAudio, TooLong, UnsupportedAudio
from audio_norm.pcm import Frames
from audio_norm.wire import open_decoder
from tests.audio_norm.encoded import decode_all, ffmpeg, flac, linear16, ogg_opus, same, signal, sndfile, wav, webm_opus

STEREO = signal(24_000, channels=2, rate_hz=48_000)


@pytest.mark.parametrize(
    ("kind", "subtype"), [("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "FLOAT"), ("AIFF", "PCM_16"), ("FLAC", "PCM_24"), ("W64", "PCM_32")]
)
def test_what_libsndfile_reads_is_read_to_the_bit(kind: str, subtype: str) -> None:
    data = sndfile(STEREO, 48_000, kind, subtype)
    expected, _ = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    frames, rate_hz = decode_file(data)
    assert rate_hz == 48_000
    assert same(frames, expected)


@pytest.mark.parametrize(
    ("kind", "codec"),
    [("mp4", "aac"), ("matroska", "pcm_s16le"), ("matroska", "pcm_s32le"), ("mov", "pcm_u8"), ("adts", "aac"), ("mp4", "alac")],
)
def test_what_ffmpeg_reads_is_read(kind: str, codec: str) -> None:
    """Integer and float samples, planar and packed, all at full scale 1."""
    options = {"movflags": "frag_keyframe+empty_moov"} if kind in {"mp4", "mov"} else {}
    frames, rate_hz = decode_file(ffmpeg(STEREO, 48_000, kind, codec, **options))
    assert rate_hz == 48_000
    assert abs(len(frames) - len(STEREO)) < 3 * 1024, "AAC pads to whole blocks"
    ratio = np.sqrt(np.mean(frames**2, axis=0) / np.mean(STEREO**2, axis=0))
    np.testing.assert_allclose(ratio, 1, rtol=0.1)


@pytest.mark.parametrize("tag", [b"", b"TAG" + bytes(125)])
def test_mp3_is_read_with_and_without_a_tag_at_its_end(tag: bytes) -> None:
    frames, rate_hz = decode_file(sndfile(STEREO, 48_000, "MP3", "MPEG_LAYER_III") + tag)
    assert (rate_hz, frames.shape[1]) == (48_000, 2)
    assert abs(len(frames) - len(STEREO)) < 3 * 1152, "MP3 pads to whole blocks"


def test_a_file_with_a_damaged_packet_is_read_and_one_of_damage_refused() -> None:
    data = bytearray(ffmpeg(signal(96_000, channels=2, rate_hz=48_000), 48_000, "adts", "aac"))
    starts = [at for at in range(len(data)) if data[at : at + 2] == b"\xff\xf1"]
    data[starts[20] + 7 : starts[21]] = b"\xff" * (starts[21] - starts[20] - 7)
    assert len(decode_file(bytes(data))[0]) > 80_000
    for start, end in itertools.pairwise(starts):
        data[start + 7 : end] = b"\xff" * (end - start - 7)
    with pytest.raises(CorruptAudio):
        decode_file(bytes(data))


def test_wrong_headers_write_nothing_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    """The libraries report on stderr what nobody reads there: every problem becomes an error of ours instead."""
    for data in (
        wav(b"")[:20],
        sndfile(STEREO, 48_000, "AIFF", "PCM_16")[:40] + b"\xff" * 40,
        b"\xff\xfb" + bytes(900),
        b"ID3" + b"\x7f" * 90,
    ):
        with contextlib.suppress(AudioError):
            decode_file(data)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("data", [ogg_opus(STEREO), webm_opus(STEREO), flac(signal(9_000)), wav(linear16(signal(9_000)))])
def test_a_file_gives_the_samples_that_a_stream_of_it_gives(data: bytes) -> None:
    decoder = open_decoder(WireFormat(None))
    streamed = decode_all(decoder, [data[at : at + 500] for at in range(0, len(data), 500)])
    frames, rate_hz = decode_file(data)
    assert rate_hz == decoder.rate_hz
    assert same(frames, streamed)
    assert same(decode_bytes(data, WireFormat(None))[0], streamed)


@pytest.mark.parametrize("data_size", [0, 0xFFFFFFFF])
@pytest.mark.parametrize("bits", [16, 24])
def test_wav_files_written_by_streams_are_read_to_their_end(data_size: int, bits: int) -> None:
    frames, _ = decode_file(wav(bytes(600), bits=bits, data_size=data_size, before_data=b"LIST\x01\x00\x00\x00a\x00"))
    assert len(frames) == 600 * 8 // bits


def test_a_wav_without_samples_is_empty_not_corrupt() -> None:
    assert decode_file(wav(b""))[0].shape == (0, 1)


def test_a_flac_file_without_a_length_is_read_to_its_end() -> None:
    data = flac(signal(9_000))
    packed = int.from_bytes(data[18:26], "big") >> 36 << 36
    assert len(decode_file(data[:18] + packed.to_bytes(8, "big") + data[26:])[0]) == 9_000


@pytest.mark.parametrize("make", [ogg_opus, webm_opus])
def test_a_file_that_is_cut_off_gives_what_there_is(make: Callable[[Frames], bytes]) -> None:
    data = make(STEREO)
    assert 0 < len(decode_file(data[: len(data) * 2 // 3])[0]) < len(STEREO)


@pytest.mark.parametrize("data", [wav(linear16(STEREO)), ogg_opus(STEREO), webm_opus(STEREO)])
def test_more_than_the_allowed_duration_is_too_long(data: bytes) -> None:
    with pytest.raises(TooLong, match=r"0\.4 s"):
        decode_file(data, max_duration_s=0.4)
    decode_file(data, max_duration_s=60)


def test_too_long_is_also_said_of_named_encodings() -> None:
    pcm = bytes(32_000)
    with pytest.raises(TooLong):
        decode_bytes(pcm, WireFormat(Encoding.LINEAR16, 16_000), max_duration_s=0.9)
    assert len(decode_bytes(pcm, WireFormat(Encoding.LINEAR16, 16_000), max_duration_s=1)[0]) == 16_000


def test_a_file_cannot_decode_to_more_than_memory_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "MAX_FILE_VALUES", 10_000)
    with pytest.raises(TooLong, match="10000 samples"):
        decode_file(flac(np.zeros((20_000, 1), np.float32)))


def test_a_playlist_does_not_open_other_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FFmpeg alone would read the named file: content must not choose what we open."""
    (tmp_path / "secret.wav").write_bytes(wav(bytes(3200)))
    monkeypatch.chdir(tmp_path)
    for playlist in (
        b"ffconcat version 1.0\nfile secret.wav\n",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.wav\n#EXT-X-ENDLIST\n",
    ):
        with pytest.raises(CorruptAudio):
            decode_file(playlist)


@pytest.mark.parametrize(
    ("data", "field"),
    [(wav(bytes(4), rate_hz=1), "sample_rate_hertz"), (wav(bytes(40), channels=9), "audio_channel_count")],
)
def test_files_beyond_what_makes_sense_are_refused(data: bytes, field: str) -> None:
    with pytest.raises(UnsupportedAudio) as refused:
        decode_file(data)
    assert refused.value.field == field


def test_eight_planar_channels_are_read_and_more_refused_before_they_are_touched() -> None:
    """PyAV reads past the end of frames with more than seven planes."""
    eight = signal(48_000, channels=8, rate_hz=48_000)
    frames, _ = decode_file(ffmpeg(eight, 48_000, "matroska", "pcm_f32le"))
    assert same(frames, eight)
    assert decode_file(ffmpeg(eight, 48_000, "adts", "aac"))[0].shape[1] == 8
    planar = av.AudioFrame(format="fltp", layout="16 channels", samples=1024)
    with pytest.raises(UnsupportedAudio, match="16 channels"):
        frames_of(planar)


def test_samples_that_are_not_finite_are_refused_in_files_too() -> None:
    with pytest.raises(CorruptAudio, match="NaN"):
        decode_file(wav(np.array([np.nan], "<f4").tobytes(), tag=3, bits=32))


@pytest.mark.parametrize(
    ("wire", "field"), [(WireFormat(None, 8_000), "sample_rate_hertz"), (WireFormat(None, 0, 2), "audio_channel_count")]
)
def test_a_buffer_whose_header_contradicts_the_sender_is_refused(wire: WireFormat, field: str) -> None:
    with pytest.raises(UnsupportedAudio) as refused:
        decode_bytes(wav(bytes(4)), wire)
    assert refused.value.field == field


def test_opus_in_a_buffer_ignores_the_rate_it_is_given() -> None:
    assert decode_bytes(ogg_opus(STEREO), WireFormat(None, 16_000))[1] == 48_000
    assert decode_bytes(webm_opus(STEREO), WireFormat(Encoding.WEBM_OPUS, 16_000))[1] == 48_000


@pytest.mark.parametrize("wire", [WireFormat(None), WireFormat(Encoding.LINEAR16, 16_000), WireFormat(Encoding.FLAC)])
def test_an_empty_buffer_is_corrupt(wire: WireFormat) -> None:
    with pytest.raises(CorruptAudio, match="empty"):
        decode_bytes(b"", wire)


@given(data=st.binary(max_size=600), keep=st.integers(0, 300), start=st.sampled_from([b"", wav(b""), flac(STEREO), webm_opus(STEREO)]))
@settings(max_examples=150)
def test_garbage_files_raise_audio_errors_only(data: bytes, keep: int, start: bytes) -> None:
    try:
        frames, _ = decode_file(start[:keep] + data, max_duration_s=600)
    except AudioError:
        return
    assert frames.ndim == 2
    assert np.isfinite(frames).all()


def test_mono_is_the_mean_or_one_channel_counted_from_1() -> None:
    frames = np.array([[1, 2, 6], [0, 0, 3]], np.float32)
    assert to_mono(frames, None).tolist() == [3, 1]
    assert to_mono(frames, 1).tolist() == [1, 0]
    assert to_mono(frames, 3).tolist() == [6, 3]


@pytest.mark.parametrize("channel", [-1, 0, 3])
def test_a_channel_that_is_not_there_is_refused(channel: int) -> None:
    with pytest.raises(UnsupportedAudio, match="1 to 2") as refused:
        to_mono(np.zeros((1, 2), np.float32), channel)
    assert refused.value.field == "audio_channel"


def test_mono_does_not_depend_on_chunks_or_memory_layout() -> None:
    frames = signal(1000, channels=8)
    mixed = to_mono(frames, None)
    assert same(to_mono(np.asfortranarray(frames), None), mixed)
    assert same(np.concatenate([to_mono(frames[at : at + 7], None) for at in range(0, 1000, 7)]), mixed)
