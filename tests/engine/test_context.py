import numpy as np
import pytest

from asr_server.engine.context import MAX_SAID_TOKENS, WINDOW_SAMPLES, Heard, Listener
from asr_server.engine.no_speech import NoSpeechRule
from asr_server.engine.placing import RATE_HZ
from asr_server.engine.reading import Reader
from asr_server.engine.steps import Reading, Steps, Task
from audio_norm import Span
from tests.engine.conftest import normalized
from tests.engine.fake_decoder import FakeDecoder, reading

MARGIN_SAMPLES = 12_800
START = 5 * RATE_HZ
AUDIO = normalized(np.full(5 * RATE_HZ, 0.1, np.float32), START)
TOLD = reading("we saw the old man and the sea.", told=4)
"""Four words in the first two seconds, the rest after them."""
PASSED_OVER = reading("we saw the old man", told=4)


def hear(decoder: FakeDecoder, new_s: float = 2.0, begun: int = 4) -> Heard:
    listener = Listener(Reader(NoSpeechRule()), MARGIN_SAMPLES)
    task = Task("en", beam_size=5, begun=tuple(range(begun)), begun_s=new_s)

    def steps() -> Steps[Heard]:
        encoded = yield from listener.encode(AUDIO)
        return (yield from listener.hear_new(AUDIO, encoded, task))

    return decoder.result(steps())


def fake(*answers: Reading) -> FakeDecoder:
    return FakeDecoder([[answer] for answer in answers], np.linspace(0, 4.5, 10).tolist(), 5.0)


def new_text(heard: Heard) -> str:
    return " ".join(word.text for word in heard.best.new_words)


def test_what_follows_what_was_told_is_heard_in_one_decode() -> None:
    decoder = fake(TOLD)
    heard = hear(decoder)
    assert (new_text(heard), heard.read.guard, len(heard.best.new_tokens)) == ("man and the sea.", "", 4)
    assert [task.begun for task in decoder.tasks] == [(0, 1, 2, 3)]
    assert decoder.encoded_samples == [(5 * RATE_HZ, MARGIN_SAMPLES)]


def test_new_audio_with_next_to_no_text_is_heard_alone_and_the_longer_text_holds() -> None:
    decoder = fake(PASSED_OVER, PASSED_OVER, reading("man and the sea."))
    heard = hear(decoder)
    assert (new_text(heard), heard.read.guard) == ("man and the sea.", "alone")
    assert (decoder.tasks[-1].begun, decoder.tasks[-1].begun_s) == ((), 0.0)
    assert decoder.encoded_samples[-1] == (3 * RATE_HZ, MARGIN_SAMPLES)
    assert heard.audio.kept == (Span(START + 2 * RATE_HZ, START + 5 * RATE_HZ),)


@pytest.mark.parametrize("alone", [reading("man"), reading("thank you very much", log_probability=-2.0)], ids=["no longer", "unbelievable"])
def test_what_is_heard_alone_does_not_hold_unless_it_says_more(alone: Reading) -> None:
    heard = hear(fake(PASSED_OVER, PASSED_OVER, alone, alone))
    assert (new_text(heard), heard.read.guard, heard.audio) == ("man", "", AUDIO)


def test_too_much_to_be_forced_is_not_used() -> None:
    decoder = fake(reading("man and the sea."))
    assert hear(decoder, begun=MAX_SAID_TOKENS + 1).read.guard == "alone"
    assert [task.begun for task in decoder.tasks] == [()]


def test_words_of_which_there_is_no_audio_are_not_used() -> None:
    decoder = fake(reading("we saw the old man and the sea."))
    heard = hear(decoder, new_s=0.0)
    assert (new_text(heard), heard.read.guard) == ("we saw the old man and the sea.", "alone")
    assert len(decoder.encoded_samples) == 1


def test_a_text_that_runs_on_is_read_again_with_full_context_and_the_same_beginning() -> None:
    longer = reading("we saw the old man and the sea and the white whale.", told=4)
    endless = reading(" ".join(f"word{number}" for number in range(200)), told=4)
    decoder = FakeDecoder([[endless], [longer]], np.linspace(0, 4.9, 200).tolist(), 5.0)
    heard = hear(decoder)
    assert (new_text(heard), heard.read.guard) == ("man and the sea and the white whale.", "redecoded")
    assert [task.begun for task in decoder.tasks] == [(0, 1, 2, 3)] * 2
    assert decoder.encoded_samples[-1] == (5 * RATE_HZ, WINDOW_SAMPLES)
