import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import BPE

from asr_server.engine.tokens import BEGUN_STEP, MAX_HINT_TOKENS, Tokens
from asr_server.engine.weights import ModelFiles

Encode = Callable[[str], list[int]]


@pytest.fixture(scope="module")
def english(tiny_files: ModelFiles) -> Tokens:
    return Tokens.load(tiny_files.path / "tokenizer.json", multilingual=False)


@pytest.fixture(scope="module")
def many(base_files: ModelFiles) -> Tokens:
    return Tokens.load(base_files.path / "tokenizer.json", multilingual=True)


@pytest.fixture(scope="module")
def encode(base_files: ModelFiles) -> Encode:
    tokenizer = Tokenizer.from_file(str(base_files.path / "tokenizer.json"))
    return lambda text: list(tokenizer.encode(text, add_special_tokens=False).ids)


def test_an_english_model_is_told_nothing_of_languages(english: Tokens) -> None:
    assert english.languages == {}
    assert english.prompt("en") == [50257, 50362]


def test_a_model_of_many_languages_is_told_language_and_task(many: Tokens) -> None:
    assert many.prompt("de") == [50258, 50261, 50359, 50363]
    assert many.task("en") == [50258, 50259, 50359]


def test_hints_stand_before_the_task_and_never_take_more_than_their_room(many: Tokens) -> None:
    prompt = many.prompt("en", ("Chanticleer", "Cloudcrest") * 100)
    assert prompt[0] == 50361
    assert prompt[-4:] == many.prompt("en")
    assert MAX_HINT_TOKENS - 12 < len(prompt) - 5 <= MAX_HINT_TOKENS
    assert many.text(many.prompt("en", ("Rostov", " Coney "))) == "Glossary: Rostov, Coney."


def test_a_phrase_too_long_for_the_room_is_left_out_whole(many: Tokens) -> None:
    assert many.prompt("en", ("long " * 100,)) == many.prompt("en")


def test_a_phrase_that_does_not_fit_leaves_its_room_to_later_ones(many: Tokens) -> None:
    assert many.fitting(("Rostov", "long " * 100, " Coney ", "longer " * 100)) == ("Rostov", " Coney ")
    assert many.prompt("en", ("Rostov", "long " * 100, " Coney ")) == many.prompt("en", ("Rostov", "Coney"))
    assert many.fitting(()) == ()


def test_phrases_fill_the_room_in_their_order(many: Tokens) -> None:
    phrases = tuple(f"Chanticleer{number}" for number in range(100))
    fitting = many.fitting(phrases)
    assert fitting == phrases[: len(fitting)]
    assert 5 < len(fitting) < 20
    assert many.fitting(fitting) == fitting


@pytest.mark.parametrize(
    ("text", "language", "words"),
    [
        (" Hello, world.", "en", ["Hello,", "world."]),
        (" well-known don't", "en", ["well-known", "don't"]),
        (' he said "go" and went', "en", ["he", "said", '"go"', "and", "went"]),
        (" so (they say) it is - or was", "en", ["so", "(they", "say)", "it", "is -", "or", "was"]),
        (" \u00bfQu\u00e9 hora es?", "es", ["\u00bfQu\u00e9", "hora", "es?"]),
        (
            " \u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440!",
            "ru",
            ["\u041f\u0440\u0438\u0432\u0435\u0442,", "\u043c\u0438\u0440!"],
        ),
        ("\u56f3\u66f8\u9928\u3002", "zh", ["\u56f3", "\u66f8", "\u9928\u3002"]),
        ("", "en", []),
    ],
)
def test_words_have_their_punctuation(many: Tokens, encode: Encode, text: str, language: str, words: list[str]) -> None:
    found = many.words(encode(text), language)
    assert [word.text for word in found] == words


@pytest.mark.parametrize(
    "text",
    [
        ' The quick (brown) fox, it said: "jump!"',
        " \u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e",
        "\u4f60\u597d\uff0c\u4e16\u754c",
    ],
)
@pytest.mark.parametrize("language", ["en", "hi", "zh"])
def test_words_are_made_of_all_tokens_in_order(many: Tokens, encode: Encode, text: str, language: str) -> None:
    tokens = encode(text)
    words = many.words(tokens, language)
    edges = [0, *(word.end_token for word in words)]
    assert [word.first_token for word in words] == edges[:-1]
    assert edges[-1] == len(tokens)


def test_a_character_broken_off_in_the_middle_stays_with_the_last_word(many: Tokens, encode: Encode) -> None:
    tokens = encode(" \u0928\u092e\u0938\u094d\u0924\u0947")
    assert many.words(tokens[:-1], "hi")[-1].end_token == len(tokens) - 1


@pytest.mark.parametrize(
    ("words", "language", "text"),
    [
        (("Hello,", "world."), "en", " Hello, world."),
        (("it", "is -", "so"), "en", " it is - so"),
        (("he", "said", '"'), "en", " he said"),
        (("\u56f3", "\u66f8\u3002", "iPhone", "15", "\u9928"), "zh", "\u56f3\u66f8\u3002iPhone 15\u9928"),
        ((), "en", ""),
    ],
)
def test_told_words_have_the_tokens_of_their_text(many: Tokens, encode: Encode, words: tuple[str, ...], language: str, text: str) -> None:
    assert many.said(words, language) == tuple(encode(text))


@pytest.mark.parametrize("written", ["", "{}", '{"model": {"vocab": {"ab": 300}, "merges": []}}'])
def test_a_file_that_is_no_tokenizer_is_named(tmp_path: Path, written: str) -> None:
    (tmp_path / "tokenizer.json").write_text(written)
    with pytest.raises(ValueError, match=r"tokenizer\.json is no tokenizer of Whisper's"):
        Tokens.load(tmp_path / "tokenizer.json", multilingual=True)


def test_a_tokenizer_of_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="not a Whisper model"):
        Tokens(Tokenizer(BPE()), multilingual=False)


def test_prompts_with_texts_of_about_the_same_length_are_as_long_and_end_alike(many: Tokens) -> None:
    prompts = [many.prompt_with(range(1000, 1000 + count), "en") for count in range(1, 2 * BEGUN_STEP + 1)]

    assert [len(prompt) - len(prompts[0]) for prompt in prompts] == [0] * BEGUN_STEP + [BEGUN_STEP] * BEGUN_STEP
    assert len({many.start_of(prompt) for prompt in prompts}) == 1
    for count, prompt in enumerate(prompts, start=1):
        mark = prompt[-1]
        assert prompt[-1 - count : -1] == list(range(1000, 1000 + count))
        assert prompt[-2 - count] == mark


@pytest.mark.parametrize("word", ["the", "to", "that", "this", "time", "think"])
def test_words_that_begin_with_t_are_told_as_the_models_write_them(many: Tokens, english: Tokens, word: str) -> None:
    for tokens in (many, english):
        (token,) = tokens.said((word,), "en")
        assert tokens.text([token]) == word


@pytest.mark.parametrize("as_pairs", [True, False])
def test_a_merge_that_the_published_tokenizer_lacks_is_added_in_either_way_of_writing_merges(
    many: Tokens, base_files: ModelFiles, tmp_path: Path, *, as_pairs: bool
) -> None:
    written = json.loads((base_files.path / "tokenizer.json").read_text())
    model = written["model"]
    pairs = [merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"]]
    assert ["\u0120", "t"] not in pairs
    model["merges"] = pairs if as_pairs else [" ".join(pair) for pair in pairs]
    (tmp_path / "tokenizer.json").write_text(json.dumps(written))
    tokens = Tokens.load(tmp_path / "tokenizer.json", multilingual=True)
    text = ["The", "two", "of", "them", "thought", "that", "this", "is", "the", "time", "to", "try", "it"]
    assert tokens.said(text, "en") == many.said(text, "en")
    assert len(tokens.said(text, "en")) == len(text)
