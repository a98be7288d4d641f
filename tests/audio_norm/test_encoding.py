"""What a sender may say of its audio."""

import pytest

from audio_norm.encoding import RAW, Encoding, WireFormat
from audio_norm.errors import UnsupportedAudio


@pytest.mark.parametrize("encoding", [encoding for encoding in Encoding if encoding in RAW])
def test_raw_encodings_need_a_rate(encoding: Encoding) -> None:
    with pytest.raises(UnsupportedAudio, match="8000 to 48000") as refused:
        WireFormat(encoding)
    assert refused.value.field == "sample_rate_hertz"


@pytest.mark.parametrize("rate_hz", [-1, 1, 7_999, 48_001])
def test_rates_outside_8_to_48_khz_are_refused(rate_hz: int) -> None:
    for encoding in (Encoding.LINEAR16, Encoding.FLAC, None):
        with pytest.raises(UnsupportedAudio, match=f"{rate_hz} Hz") as refused:
            WireFormat(encoding, rate_hz)
        assert refused.value.field == "sample_rate_hertz"


@pytest.mark.parametrize("channels", [-1, 9])
def test_channels_outside_1_to_8_are_refused(channels: int) -> None:
    with pytest.raises(UnsupportedAudio) as refused:
        WireFormat(Encoding.FLAC, 0, channels)
    assert refused.value.field == "audio_channel_count"


def test_opus_ignores_the_rate_it_is_given() -> None:
    for rate_hz in (0, 16_000, 96_000, -5):
        WireFormat(Encoding.OGG_OPUS, rate_hz).check_header(48_000, 1)
