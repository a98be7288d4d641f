"""The conventions of writing that an audit of labels knows, as a table: name, ways to write, how a way is told, why one takes it."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from asr_server.accuracy.normalize import normalize


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to write something."""

    name: str
    found: Callable[[str], bool]
    """Whether a text is written this way."""
    examples: tuple[str, ...]
    """The same words, in the same order, in every variant of a convention."""
    rule: str
    """As a line of a style guide."""
    reason: str


@dataclass(frozen=True, slots=True)
class Convention:
    """Something that can be written in several ways."""

    name: str
    variants: tuple[Variant, ...]
    english_only: bool = False
    unwanted: bool = False
    """No way of writing it is to be proposed: none of it belongs into a text."""

    def followed(self, text: str) -> tuple[str, ...]:
        """Names of the ways this text follows: none when it has no say in the matter, several when it mixes them."""
        return tuple(variant.name for variant in self.variants if variant.found(text))

    def variant(self, name: str) -> Variant:
        return next(variant for variant in self.variants if variant.name == name)

    def scored_alike(self, names: Collection[str]) -> bool:
        """Whether the text rules bring each example to one form, whichever of these ways it is written in."""
        ways = [variant.examples for variant in self.variants if variant.name in names]
        return all(len({normalize(text) for text in texts}) == 1 for texts in zip(*ways, strict=True))


def _has(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern, re.IGNORECASE)
    return lambda text: compiled.search(text) is not None


_END = re.compile(r"[.!?\u3002\uff01\uff1f\u2026][\"'\u2019\u201d\u00bb)\]]*\s*$")


def _cased(text: str) -> int:
    return sum(1 for character in text if character.isupper() or character.islower())


def _has_word(text: str) -> bool:
    return any(character.isalnum() for character in text)


def _ends(text: str) -> bool:
    return _has_word(text) and _END.search(text) is not None


def _does_not_end(text: str) -> bool:
    return _has_word(text) and _END.search(text) is None


_NUMBER_WORD = (
    r"\b(?:zero|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|"
    r"twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand|million|billion)\b"
)
# "one" is left out: it is a pronoun more often than a number.

_EARLY = "what is written can be made simpler later, not richer"
_SPOKEN = "it is what was spoken, so audio and text agree word by word"
_PLAIN = "it is what keyboards and most tools write"
_READERS = "it is what readers of transcripts expect"

CONVENTIONS: tuple[Convention, ...] = (
    Convention(
        "casing",
        (
            Variant(
                "Mixed Case",
                lambda text: _cased(text) > 1 and not text.isupper() and not text.islower(),
                ("Please call Stella", "Call Mister Hill"),
                "Write capitals as in a letter.",
                _EARLY,
            ),
            Variant(
                "lower case",
                lambda text: _cased(text) > 1 and text.islower(),
                ("please call stella", "call mister hill"),
                "Write everything in lower case.",
                "nobody has to decide what a name is",
            ),
            Variant(
                "UPPER CASE",
                lambda text: _cased(text) > 1 and text.isupper(),
                ("PLEASE CALL STELLA", "CALL MISTER HILL"),
                "Write everything in capitals.",
                "nobody has to decide what a name is",
            ),
        ),
    ),
    Convention(
        "end punctuation",
        (
            Variant("present", _ends, ("Please call Stella.", "Who is it?"), "End a sentence with . ? or !", _EARLY),
            Variant("absent", _does_not_end, ("Please call Stella", "Who is it"), "Write no mark at the end.", "marks are not heard"),
        ),
    ),
    Convention(
        "numbers",
        (
            Variant(
                "words", _has(_NUMBER_WORD), ("room one hundred and five", "one zero zero one nine"), "Write numbers as words.", _SPOKEN
            ),
            Variant("digits", _has(r"\d"), ("room 105", "1 0 0 1 9"), "Write numbers in digits.", _READERS),
        ),
        english_only=True,
    ),
    Convention(
        "hesitation, open",
        (
            Variant("uh", _has(r"\buh+\b"), ("uh yes",), 'Write "uh".', "one spelling for one sound"),
            Variant("er", _has(r"\ber\b"), ("er yes",), 'Write "er".', "one spelling for one sound"),
            Variant("eh", _has(r"\beh\b"), ("eh yes",), 'Write "eh".', "one spelling for one sound"),
        ),
        english_only=True,
    ),
    Convention(
        "hesitation, closed",
        (
            Variant("um", _has(r"\bum+\b"), ("um yes",), 'Write "um".', "one spelling for one sound"),
            Variant("erm", _has(r"\berm\b"), ("erm yes",), 'Write "erm".', "one spelling for one sound"),
            Variant("uhm", _has(r"\buhm\b"), ("uhm yes",), 'Write "uhm".', "one spelling for one sound"),
            Variant("hm", _has(r"\bhm+\b"), ("hmm yes",), 'Write "hmm".', "one spelling for one sound"),
        ),
        english_only=True,
    ),
    Convention(
        "cut-off words",
        (
            Variant("hyphen", _has(r"[^\W\d_]-(?=[\s.,;:!?]|$)"), ("a wor- word",), 'Mark a cut-off word with a hyphen: "wor-".', _PLAIN),
            Variant("dash", _has(r"[^\W\d_][\u2013\u2014](?=\s|$)"), ("a wor\u2014 word",), 'Mark it with a dash: "wor\u2014".', _READERS),
        ),
        english_only=True,
    ),
    Convention(
        "ellipsis",
        (
            Variant("three dots", _has(r"\.\.\."), ("well... yes",), "Write three dots.", _PLAIN),
            Variant("one character", _has("\u2026"), ("well\u2026 yes",), "Write the character \u2026", _READERS),
        ),
    ),
    Convention(
        "dashes",
        (
            Variant("long dash", _has("[\u2013\u2014]"), ("well \u2014 yes", "well\u2014yes"), "Write a long dash.", _READERS),
            Variant("two hyphens", _has(r"--"), ("well -- yes", "well--yes"), "Write two hyphens.", _PLAIN),
        ),
    ),
    Convention(
        "apostrophes",
        (
            Variant("straight", _has(r"\w'"), ("it's",), "Write the straight apostrophe '.", _PLAIN),
            Variant("curly", _has("\\w\u2019"), ("it\u2019s",), "Write the curly apostrophe \u2019.", _READERS),
        ),
    ),
    Convention(
        "quotation marks",
        (
            Variant("straight", _has('"'), ('say "yes"',), 'Write straight quotation marks ".', _PLAIN),
            Variant("curly", _has("[\u201c\u201d\u201e]"), ("say \u201cyes\u201d",), "Write curly quotation marks.", _READERS),
            Variant("angled", _has("[\u00ab\u00bb]"), ("say \u00abyes\u00bb",), "Write angled quotation marks.", _READERS),
        ),
    ),
    Convention(
        "percent and money",
        (
            Variant(
                "words",
                _has(r"\b(?:percent|per cent|dollars?|euros?)\b"),
                ("five percent", "twenty dollars", "three euros"),
                "Write percent and money as words.",
                _SPOKEN,
            ),
            Variant("symbols", _has("[%$\u20ac\u00a3]"), ("5%", "$20", "\u20ac3"), "Write % and $ as symbols.", _READERS),
        ),
        english_only=True,
    ),
    Convention(
        "and",
        (
            Variant("and", _has(r"\band\b"), ("bread and butter", "R and D"), 'Write "and".', _SPOKEN),
            Variant("&", _has("&"), ("bread & butter", "R&D"), 'Write "&".', _READERS),
        ),
        english_only=True,
    ),
    Convention(
        "titles",
        (
            Variant(
                "written out", _has(r"\b(?:mister|missus|missis)\b"), ("mister Hill", "missus Hill"), 'Write titles out: "mister".', _SPOKEN
            ),
            Variant("with a stop", _has(r"\bmrs?\."), ("Mr. Hill", "Mrs. Hill"), 'Write "Mr." with a stop.', _READERS),
            Variant("without a stop", _has(r"\bmrs?\b(?!\.)"), ("Mr Hill", "Mrs Hill"), 'Write "Mr" without a stop.', _READERS),
        ),
        english_only=True,
    ),
    Convention(
        "initials",
        (
            Variant(
                "stops", _has(r"\b(?:[^\W\d_]\.){2,}"), ("the U.S. army", "the F.B.I."), 'Write initials with stops: "U.S.".', _READERS
            ),
            Variant(
                "no stops",
                lambda text: not text.isupper() and re.search(r"\b[A-Z]{2,5}\b", text) is not None,
                ("the US army", "the FBI"),
                'Write initials without stops: "US".',
                _PLAIN,
            ),
        ),
        english_only=True,
    ),
    Convention(
        "annotations",
        (
            Variant("square brackets", _has(r"\[[^\]]*\]"), ("[laughs] yes",), "No annotations.", ""),
            Variant("angle brackets", _has(r"<[^>]*>"), ("<laughs> yes",), "No annotations.", ""),
            Variant("round brackets", _has(r"\([^)]*\)"), ("(laughs) yes",), "No annotations.", ""),
            Variant("notes of music", _has("[\u266a\u266b]"), ("\u266a yes",), "No annotations.", ""),
        ),
        unwanted=True,
    ),
)
