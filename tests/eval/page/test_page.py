"""The page of a run: everything is on it, nothing of it is taken for markup, and nothing is asked of a network."""

import base64
import hashlib
import itertools
import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_server.engine.engine import Release
from asr_server.errors import WrongCall
from eval.compare.comparison import compare
from eval.page.audio import NoSound, Sound
from eval.page.page import page
from eval.recognisers import System
from eval.result import RunResult, read_run
from eval.run import Outcome
from eval.slices.report import analyse
from tests.eval.made_results import measured
from tests.eval.page.page_runs import Element, failed, outcome, parse, skipped, write

WORDS = "one fine day in the middle of the night two dead men got up to fight"
ELEMENTS = """
    document html head meta link title style script body header nav main section article footer
    h1 h2 h3 p a small code ul li dl dt dd div span table caption thead tbody tfoot tr th td
    svg text rect line form label input select option output del ins details summary
"""
HOSTILE = "</script><script>alert(1)</script><img src=http://x.example/ onerror=alert(2)>&\"'"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """Every kind of clip there is."""
    noisy = [outcome(f"n{index}", WORDS, f"won fine {WORDS[9:]} loud", set_name="street", audio=measured(snr_db=3.0)) for index in range(6)]
    return write(
        tmp_path_factory.mktemp("run") / "run.json",
        *noisy,
        outcome("clean", WORDS, WORDS, speaker="anna"),
        outcome("short", "Hello there, Mister Smith.", "hello there", speaker="bert", conditions=("close", "studio"), confidence=0.25),
        outcome("zh", "\u4eca\u5929\u5929\u6c14", "\u4eca\u5929\u5929\u5730", language="zh", set_name="chinese"),
        outcome("hum", "", "thank you", set_name="hums", audio=measured(duration_s=30.0)),
        failed("broken", "never heard of", "the server went away"),
        skipped("long", "longer than 30 s"),
    )


@pytest.fixture(scope="module")
def document(run: RunResult) -> Element:
    sounds: dict[str, Sound | NoSound] = {"short": Sound("data:audio/flac;base64,AAAA", 40.0, 30.0), "n0": NoSound("no such file: /x.wav")}
    return parse(page(run, sounds, notes=["m.jsonl is not as it was"]))


def row_of(table: Element, name: str) -> list[str]:
    (row,) = (row for row in table.all("tr") if next(row.all("th")).text.startswith(name))
    return [cell.text for cell in row.children if isinstance(cell, Element)]


def test_the_headline_tells_words_characters_silence_and_clips_apart(document: Element) -> None:
    figures = {next(one.all("dt")).text: next(one.all("dd")).text for one in document.all("div", "figure")}
    assert figures["word error rate"].startswith("14.29 % 95 % interval ")
    assert figures["errors in words"] == "17 in 119 6 substituted, 5 deleted, 6 inserted"
    assert figures["character error rate"].startswith("25.00 % 95 % interval ")
    assert figures["character error rate"].endswith("1 in 4 characters of 1 clip")
    assert figures["words heard in silence"] == "4.00 a minute 2 words in 0.5 min; 1 of 1 recording with words"
    assert figures["clips"] == "11 1.1 minutes of audio, 1 failed, 1 skipped"


def test_each_set_has_its_rate_interval_bar_and_kinds_of_errors(document: Element) -> None:
    sets = document.with_id("sets")
    assert row_of(sets, "street") == ["street", "6", "96", "12.5 %", "12.5 to 12.5 %", "", "6", "0", "6"]
    assert row_of(sets, "chinese")[:4] == ["chinese characters", "1", "4", "25.0 %"]
    assert row_of(sets, "total")[-3:] == ["6", "5", "6"]
    bars = list(sets.all("svg", "bar"))
    assert bars
    assert all(bar.attributes["aria-hidden"] == "true" for bar in bars), "the same figures stand beside"


def test_languages_have_a_table_when_there_are_several(document: Element) -> None:
    assert row_of(list(document.with_id("sets").all("table"))[1], "zh")[:4] == ["zh characters", "1", "4", "25.0 %"]


def test_slices_and_the_data_to_collect_are_those_of_the_slices_command(run: RunResult, document: Element) -> None:
    said = document.with_id("slices")
    analysis = analyse(run)
    assert analysis.collect
    for sentence in analysis.collect:
        assert " ".join(sentence.split()) in said.text
    for one in analysis.slices:
        assert one.slice in said.text


def test_words_that_go_wrong_are_listed(document: Element) -> None:
    words = document.with_id("words").text
    assert "Heard as another word said heard times one won 6" in words
    assert "Heard, not said word times loud 6" in words
    assert "Heard in silence word times thank 1 you 1" in words
    assert "numbers not clear" in words


def test_the_clips_with_most_errors_come_first_word_by_word(document: Element) -> None:
    articles = list(document.with_id("clips").all("article"))
    named = [next(one.all("h3")).text for one in articles]
    assert named == ["broken", "hum", "short", "n0", "n1", "n2", "n3", "n4", "n5", "zh"]
    assert articles[0].attributes["data-kinds"] == "D F"
    (short,) = (one for one in articles if next(one.all("h3")).text == "short")
    assert "2 errors in 4 words (50 %): 0 S, 2 D, 0 I" in short.text
    kinds = [(one.classes[-1], one.text) for one in short.all("span", "pair")]
    assert kinds == [("delete", "mister \u2013"), ("delete", "smith \u2013")]
    (noisy, *_) = (one for one in articles if next(one.all("h3")).text == "n0")
    assert [(one.classes[-1], one.text) for one in noisy.all("span", "pair")] == [("substitute", "one won"), ("insert", "+ loud")]


def test_what_was_said_and_heard_is_marked_up_not_only_coloured(document: Element) -> None:
    pairs = list(document.all("span", "pair"))
    assert {tuple(child.tag for child in one.children if isinstance(child, Element)) for one in pairs} == {
        ("del", "ins"),
        ("del", "span"),
        ("span", "ins"),
    }
    legend = next(document.all("p", "legend")).text
    assert all(word in legend for word in ("right", "substituted", "deleted", "inserted"))


def test_a_clip_shows_what_is_known_of_it_and_its_texts_as_written(document: Element) -> None:
    (short,) = (one for one in document.all("article") if next(one.all("h3")).text == "short")
    for fact in ("set read", "speaker bert", "conditions close, studio", "confidence 0.25", "SNR 25.0 dB", "loudness \u221225.0 LUFS"):
        assert fact in short.text
    assert "Hello there, Mister Smith." in next(short.all("dl", "written")).text


def test_a_clip_is_heard_or_it_says_why_not(document: Element) -> None:
    articles = {next(one.all("h3")).text: one for one in document.all("article")}
    (audio,) = articles["short"].all("audio")
    assert audio.attributes["src"] == "data:audio/flac;base64,AAAA"
    assert "The first 30 s of 40 s." in articles["short"].text
    assert "No audio: no such file: /x.wav." in articles["n0"].text
    assert not list(articles["n0"].all("audio"))
    assert "m.jsonl is not as it was" in document.with_id("clips").text


def test_the_page_says_how_much_of_it_are_recordings(run: RunResult) -> None:
    sounds = {name: Sound("data:," + "A" * 2_000_000, 1.0, 1.0) for name in ("n0", "n1")}
    assert "Their recordings take 4.0 MB of this page." in parse(page(run, sounds)).text


def test_failed_and_skipped_clips_are_named_with_their_reason(document: Element) -> None:
    missing = document.with_id("missing").text
    assert "broken read the server went away" in missing
    assert "long read longer than 30 s" in missing


def test_system_data_and_how_it_was_run_are_told(run: RunResult, document: Element) -> None:
    told = document.with_id("system").text
    release = run.system.release
    for part in (
        run.system.code,
        run.system.data_definition,
        release.model,
        release.weights_sha256,
        "beam size 5",
        "via engine",
        "m.jsonl",
    ):
        assert part in told
    assert run.text_rules in told


def test_only_the_worst_are_shown_and_how_many_there_are_is_said(run: RunResult) -> None:
    document = parse(page(run, {}, worst=2))
    assert len(list(document.all("article"))) == 2
    assert "2 of 10 clips with errors; --worst 10 shows all of them." in document.with_id("clips").text
    none = parse(page(run, {}, worst=0))
    assert not list(none.all("article"))
    assert none.with_id("clips").text.endswith("None of 10 clips with errors is shown; --worst 10 shows all of them.")


def test_that_no_clip_has_an_error_is_said_only_then(tmp_path: Path) -> None:
    right = write(tmp_path / "right.json", outcome("right", "good", "good"))
    assert parse(page(right, {}, worst=0)).with_id("clips").text.endswith("No clip has an error.")


def test_a_comparison_tells_gates_differences_sets_clips_and_systems(run: RunResult, tmp_path: Path) -> None:
    other = System("0.9", "v1", Release("small", "1" * 64, {"beam_size": "5"}))
    before = write(
        tmp_path / "old.json",
        *(outcome(f"n{index}", WORDS, WORDS, set_name="street", given_lufs=-3.0) for index in range(6)),
        outcome("short", "Hello there, Mister Smith.", "no", given_lufs=-3.0),
        outcome("gone", "gone", "gone"),
        system=other,
    )
    comparison = compare(before, run)
    told = parse(page(run, {}, comparison=comparison)).with_id("before")
    text = told.text
    assert comparison.wer is not None
    assert "Against old.json" in text
    assert {gate.gate for gate in comparison.failed_gates} >= {"word error rate", "missing clips", "loudness given"}
    for gate in comparison.failed_gates:
        assert gate.message in text
    assert "4.00 % \u2192 14.00 % +10.00 points" in text
    assert "loudness given \u221220.0 LU" in text
    assert row_of(told, "street")[:6] == ["street", "6", "96", "0.0 %", "12.5 %", "+12.50"]
    assert "Got worse: 6 clips" in text
    assert "Got better: 1 clip" in text
    assert "1 clip only in the run before gone" in text
    assert "only in this run" in text
    assert "model small fake" in text


def test_differences_beyond_the_axis_are_marked_on_their_side(tmp_path: Path) -> None:
    """Six sets a little worse, two far off: the axis ends near the six."""

    def outcomes(errors: dict[str, int]) -> list[Outcome]:
        said = [f"w{number}" for number in range(40)]
        return [
            outcome(f"{name} {number}", " ".join(said), " ".join(said[wrong:]), set_name=name)
            for name, wrong in errors.items()
            for number in range(2)
        ]

    before = write(
        tmp_path / "a.json", *outcomes({"one": 0, "two": 0, "three": 0, "four": 0, "five": 0, "six": 0, "better": 20, "worse": 0})
    )
    after = write(
        tmp_path / "b.json", *outcomes({"one": 1, "two": 1, "three": 1, "four": 1, "five": 1, "six": 1, "better": 0, "worse": 20})
    )
    table = next(one for one in parse(page(after, {}, comparison=compare(before, after))).with_id("before").all("table", "sortable"))
    marks = {next(row.all("th")).text: [mark.text for mark in row.all("text", "beyond")] for row in table.all("tr") if list(row.all("td"))}
    assert marks == {"better": ["◂"], "worse": ["▸"], **{name: [] for name in ("one", "two", "three", "four", "five", "six")}}


def test_a_difference_of_a_single_clip_has_no_interval(tmp_path: Path) -> None:
    before, after = (write(tmp_path / f"{heard}.json", outcome("a", "red green", heard)) for heard in ("red", "red green"))
    assert "a single clip, p 1.000" in parse(page(after, {}, comparison=compare(before, after))).with_id("before").text


def test_a_comparison_without_change_says_so(run: RunResult) -> None:
    told = parse(page(run, {}, comparison=compare(run, run))).with_id("before").text
    assert "No gate failed." in told
    assert "sets have as many errors as before" in told
    assert "Nothing that the results tell." in told
    assert "Got " not in told


def hostile(path: Path, text: str) -> RunResult:
    """`text` wherever text from outside can stand."""
    system = System(text, text, Release(text, text, {text: text}))
    return write(
        path,
        outcome(text, text, f"{text} more", set_name=text, speaker=text, conditions=(text,), language="en"),
        failed(f"{text} failed", text, text),
        skipped(f"{text} skipped", text),
        system=system,
        manifest=Path("folder") / text.replace("/", "|").replace("\0", "0"),
    )


def shape(element: Element) -> list[str]:
    return [one.tag for one in element.all()]


def test_nothing_from_outside_becomes_markup(tmp_path: Path) -> None:
    run, plain = hostile(tmp_path / "a.json", HOSTILE), hostile(tmp_path / "b.json", "plain")
    sounds, plain_sounds = ({f"{text}": NoSound(text)} for text in (HOSTILE, "plain"))
    document = parse(page(run, sounds, comparison=compare(run, run), notes=[HOSTILE]))
    assert len(list(document.all("script"))) == 1
    assert not list(document.all("img"))
    assert HOSTILE in document.text
    assert {*shape(document)} == {*shape(parse(page(plain, plain_sounds, comparison=compare(plain, plain), notes=["plain"])))}


@settings(max_examples=30)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_any_text_gives_a_page_of_the_same_elements(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    document = parse(page(hostile(tmp_path_factory.mktemp("any") / "run.json", text), {text: NoSound(text)}, notes=[text]))
    assert {*shape(document)} <= set(ELEMENTS.split())
    assert len(list(document.all("script"))) == 1


def test_elements_are_nested_as_html_wants_them(document: Element, run: RunResult) -> None:
    """Checked by the reader: every element closed in order. And: no block inside a paragraph, lists hold items only, ids stand once."""
    blocks = {"p", "div", "dl", "ul", "table", "section", "article", "h1", "h2", "h3", "form", "details", "header", "footer"}
    for whole in (document, parse(page(run, {}, comparison=compare(run, run)))):
        for paragraph in itertools.chain(whole.all("p"), whole.all("h3")):
            assert not [one.tag for one in list(paragraph.all())[1:] if one.tag in blocks], paragraph.text
        for tag, allowed in (("ul", {"li"}), ("dl", {"dt", "dd", "div"}), ("tr", {"th", "td"}), ("tbody", {"tr"})):
            for parent in whole.all(tag):
                assert {one.tag for one in parent.children if isinstance(one, Element)} <= allowed
        ids = [one.attributes["id"] for one in whole.all() if "id" in one.attributes]
        assert len(set(ids)) == len(ids)
        assert {one.attributes["href"][1:] for one in whole.all("a")} <= set(ids)
        for row in (row for table in whole.all("table") for row in table.all("tr")):
            assert row.text or list(row.all("svg"))


def test_every_row_of_a_table_has_as_many_cells_as_its_heading(document: Element) -> None:
    for table in document.all("table"):
        assert len({len([cell for cell in row.children if isinstance(cell, Element)]) for row in table.all("tr")}) == 1


def test_no_address_of_a_network_stands_where_a_browser_would_go(document: Element) -> None:
    for one in document.all():
        for name, value in one.attributes.items():
            if name in {"src", "href", "srcset", "poster", "data", "action", "xlink:href"}:
                assert value.startswith(("data:", "#"))
            assert not name.startswith("on"), "scripts in attributes"
            assert name != "style", "the policy refuses styles in attributes"
    for code in itertools.chain(document.all("style"), document.all("script")):
        assert not re.search(r"https?:|url\(|@import|fetch|XMLHttp|import\(", code.text)


def test_the_policy_allows_the_pages_own_style_and_script_and_no_network(run: RunResult) -> None:
    html = page(run, {})
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    directives = dict(part.split(" ", 1) for part in policy.replace("&#39;", "'").split("; "))
    for tag in ("style", "script"):
        (code,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        assert directives[f"{tag}-src"] == f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"
    assert directives["default-src"] == "'none'"
    assert directives["media-src"] == directives["img-src"] == "data:"
    assert html.index("Content-Security-Policy") < html.index("<style>")


def test_without_its_script_the_page_shows_all_and_nothing_that_would_not_work(document: Element) -> None:
    assert "hidden" in document.with_id("clip-controls").attributes
    assert not list(document.all("button"))
    assert not [one for one in document.all("article") if "hidden" in one.attributes]


def test_the_same_run_gives_the_same_page(run: RunResult) -> None:
    assert page(run, {}) == page(read_run(run.path), {})


@pytest.mark.parametrize(
    "outcomes",
    [
        [outcome("right", "good", "good")],
        [outcome("hum", "", "")],
        [outcome("zh", "\u597d", "\u597d", language="zh")],
        [failed("all", "of it", "went wrong")],
        [skipped("one", "no reason")],
    ],
    ids=["no errors", "silence only", "no words", "all failed", "all skipped"],
)
def test_a_page_is_made_of_whatever_there_is(outcomes: list[Outcome], tmp_path: Path) -> None:
    document = parse(page(write(tmp_path / "r.json", *outcomes), {}))
    assert "Word errors" in document.text


@pytest.mark.parametrize("part", ["by_set", "by_language", "characters", "silence", "skipped"])
def test_a_result_that_lacks_a_part_is_a_wrong_call(part: str, run: RunResult, tmp_path: Path) -> None:
    fields = {name: value for name, value in run.fields.items() if name != part}
    (tmp_path / "old.json").write_text(json.dumps(fields))
    with pytest.raises(WrongCall, match=f"old.json is not a result of this version's.*{part}"):
        page(read_run(tmp_path / "old.json"), {})
