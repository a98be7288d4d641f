"""What counts as the same word: text is brought to one form before it is compared. Versioned, since its rules are part of every rate.

The rules are OpenAI's, as packaged by whisper-normalizer (the field publishes its rates with them), quirks included: in English
`five o'clock` becomes `50 clock`. Both sides get the same treatment, so most quirks cost nothing. One does: digits said in a row become
one number when they are written as words (`one, two, three` is `123`), but not when they are written as digits (`1, 2, 3` is
`one 2 3`), so sets of digit strings are told apart from running speech. One rule is ours: a token without any letter or digit is
not a word.
"""

from collections.abc import Callable, Mapping
from functools import cache

from whisper_normalizer.basic import BasicTextNormalizer
from whisper_normalizer.english import EnglishSpellingNormalizer, EnglishTextNormalizer

from asr_server.accuracy.language import primary_tag

TEXT_RULES = "whisper-normalizer 0.1.15, words only, 1"
"""Name of the rules, for reports. The package is pinned to this version; the last number is ours."""

SPACELESS_LANGUAGES = frozenset({"zh", "ja", "th", "lo", "my"})
"""Written without spaces between words: each character counts as a word, so the "word" error rate is a character error rate."""


def is_spaceless(language: str) -> bool:
    """Whether error rates of this language are of characters. `language`: BCP-47."""
    return primary_tag(language) in SPACELESS_LANGUAGES


@cache
def _rules(language: str) -> Callable[[str], str]:
    if language == "en":
        return EnglishTextNormalizer()  # type: ignore[no-any-return]
    return BasicTextNormalizer(split_letters=language in SPACELESS_LANGUAGES)  # type: ignore[no-any-return]


def normalize(text: str, language: str = "en") -> str:
    """Words as they are compared, one space between them. `language`: BCP-47; only its primary tag matters."""
    tokens = _rules(primary_tag(language))(text).split()
    return " ".join(token for token in tokens if any(character.isalnum() for character in token))


@cache
def american_spellings() -> Mapping[str, str]:
    """The American spelling of each British one that the English rules know; lower case."""
    return EnglishSpellingNormalizer().mapping  # type: ignore[no-any-return]
