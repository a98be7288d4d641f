import pytest

from asr_server.engine.no_speech import NoSpeechRule


@pytest.mark.parametrize(
    ("what", "no_speech_probability", "log_probability", "tokens", "audio_s", "rejected"),
    [
        ("clear speech", 0.02, -0.2, 16, 4.0, False),
        ("hard, accented speech", 0.2, -1.2, 16, 4.0, False),
        ("spelled digits, which the model holds for no speech", 0.96, -0.43, 20, 8.0, False),
        ("one sure word in a long window", 0.1, -0.1, 2, 6.0, False),
        ("'Thank you.' over a hum", 0.92, -1.0, 3, 15.0, True),
        ("'you' over digital silence", 0.95, -0.41, 1, 1.0, True),
        ("a guess over music", 0.37, -0.9, 3, 15.0, True),
        ("text the model does not believe in", 0.1, -1.5, 16, 4.0, True),
        ("nothing", 0.0, 0.0, 0, 4.0, True),
    ],
)
def test_what_is_rejected(
    what: str, no_speech_probability: float, log_probability: float, tokens: int, audio_s: float, *, rejected: bool
) -> None:
    rule = NoSpeechRule()
    assert rejected == rule.rejects(
        no_speech_probability=no_speech_probability, log_probability=log_probability, tokens=tokens, audio_s=audio_s
    ), what
