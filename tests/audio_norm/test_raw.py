"""Headerless samples: every value, against libsndfile where there is a table."""

import io
from collections.abc import Callable

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from audio_norm.encoding import Encoding
from audio_norm.errors import CorruptAudio
from audio_norm.raw import RawDecoder, alaw_table, mulaw_table


@pytest.mark.parametrize(("table", "subtype"), [(mulaw_table, "ULAW"), (alaw_table, "ALAW")])
def test_g711_tables_are_libsndfiles_for_all_256_codes(table: Callable[[], NDArray[np.float32]], subtype: str) -> None:
    codes = io.BytesIO(bytes(range(256)))
    expected, _ = soundfile.read(codes, dtype="float32", samplerate=8000, channels=1, format="RAW", subtype=subtype)
    np.testing.assert_array_equal(table(), expected)


def test_g711_of_the_standards_corner_values() -> None:
    """ITU-T G.711: loudest and quietest codes of both laws, as 16-bit values."""
    assert (mulaw_table()[[0x00, 0x80, 0x7F, 0xFF]] * 32768).tolist() == [-32124, 32124, 0, 0]
    assert (alaw_table()[[0x2A, 0xAA, 0x55, 0xD5]] * 32768).tolist() == [-32256, 32256, -8, 8]


def test_linear16_spans_full_scale() -> None:
    samples = RawDecoder(Encoding.LINEAR16, 16_000, 1).feed(np.array([-32768, -1, 0, 32767], "<i2").tobytes())
    assert samples[:, 0].tolist() == [-1.0, -1 / 32768, 0.0, 32767 / 32768]


def test_float32_beyond_full_scale_comes_through_unchanged() -> None:
    values = np.array([-3.5, 0.25, 1.5], np.float32)
    assert RawDecoder(Encoding.FLOAT32, 16_000, 1).feed(values.astype("<f4").tobytes())[:, 0].tolist() == values.tolist()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_float32_that_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(CorruptAudio, match="NaN or infinity"):
        RawDecoder(Encoding.FLOAT32, 16_000, 1).feed(np.array([0.0, bad], "<f4").tobytes())


def test_channels_are_interleaved() -> None:
    frames = RawDecoder(Encoding.LINEAR16, 16_000, 3).feed(np.arange(6, dtype="<i2").tobytes())
    assert (frames * 32768).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_an_incomplete_last_frame_is_dropped_and_counted() -> None:
    decoder = RawDecoder(Encoding.LINEAR16, 16_000, 2)
    assert len(decoder.feed(bytes(7))) == 1
    assert len(decoder.flush()) == 0
    assert decoder.trailing_bytes == 3
