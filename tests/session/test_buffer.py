import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_server.session.buffer import SampleBuffer


@given(sizes=st.lists(st.integers(0, 50), max_size=30), data=st.data())
def test_any_cut_equals_the_slice_of_the_whole(sizes: list[int], data: st.DataObject) -> None:
    whole = np.arange(sum(sizes), dtype=np.float32)
    buffer, position = SampleBuffer(), 0
    for size in sizes:
        buffer.append(whole[position : position + size])
        position += size
    buffer.forget(data.draw(st.integers(0, position)))
    start = data.draw(st.integers(buffer.start_sample, position))
    end = data.draw(st.integers(start, position))
    np.testing.assert_array_equal(buffer.cut(start, end), whole[start:end])


def test_forgotten_audio_cannot_be_cut() -> None:
    buffer = SampleBuffer()
    buffer.append(np.zeros(10, np.float32))
    buffer.append(np.zeros(10, np.float32))
    buffer.forget(15)
    assert buffer.start_sample == 15
    with pytest.raises(IndexError, match=r"cut 12\.\.18 of a buffer that holds 15\.\.20"):
        buffer.cut(12, 18)


def test_nothing_is_forgotten_that_is_yet_to_come_and_nothing_remembered() -> None:
    buffer = SampleBuffer()
    buffer.append(np.zeros(10, np.float32))
    buffer.forget(15)
    buffer.forget(5)
    assert (buffer.start_sample, buffer.end_sample) == (10, 10)
    buffer.append(np.ones(10, np.float32))
    np.testing.assert_array_equal(buffer.cut(10, 20), np.ones(10, np.float32))
