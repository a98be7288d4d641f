from importlib.metadata import version

import pytest

from asr_server.accuracy.normalize import TEXT_RULES, normalize


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello, World!", "hello world"),
        ("THE COLOUR OF MR. SMITH", "the color of mister smith"),
        ("I won't; it's fine", "i will not it is fine"),
        ("twenty-three dollars", "$23"),
        ("one hundred and one", "101"),
        ("uh, um hello", "hello"),
        ("[laughs] hi (there)", "hi"),
        ("", ""),
    ],
)
def test_english_is_brought_to_one_form(text: str, words: str) -> None:
    assert normalize(text) == words


@pytest.mark.parametrize(
    ("text", "words"), [("five o'clock", "50 clock"), ("5 o'clock", "50 clock"), ("O'Brien", "0 brien"), ("2 0 1", "2 0 one")]
)
def test_known_quirks_of_the_rules_stand_until_their_version_changes(text: str, words: str) -> None:
    assert normalize(text) == words


@pytest.mark.parametrize("text", ["...", ". . .", "♪ ♪", "-"])
def test_a_token_without_letter_or_digit_is_not_a_word(text: str) -> None:
    assert normalize(text) == ""


@pytest.mark.parametrize(
    ("text", "language", "words"),
    [
        ("Größe, naïve!", "de", "größe naïve"),
        ("Привет, мир.", "ru", "привет мир"),
        ("Twenty-three", "fr", "twenty three"),
        ("你好。世界", "zh", "你 好 世 界"),
        ("東京タワー", "ja", "東 京 タ ワ ー"),
    ],
)
def test_other_languages_lose_case_and_punctuation_and_spaceless_ones_count_characters(text: str, language: str, words: str) -> None:
    assert normalize(text, language) == words


def test_only_the_primary_language_tag_matters() -> None:
    assert normalize("won't", "en-GB") == normalize("won't", "EN") == "will not"


def test_the_rules_are_named_after_the_installed_package() -> None:
    assert f"whisper-normalizer {version('whisper-normalizer')}," in TEXT_RULES


def test_digits_in_a_row_written_as_words_and_as_digits_do_not_compare_equal() -> None:
    assert (normalize("one, two, three"), normalize("1, 2, 3")) == ("123", "one 2 3")
