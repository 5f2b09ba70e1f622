"""Only what can be drawn is drawn, and what was asked for is there."""

from __future__ import annotations

import itertools
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocrtune.charset import Charset
from ocrtune.data.synth.corpus import Corpus, window
from ocrtune.data.synth.fonts import Font, FontBook, default_fonts, read_fonts, simple
from ocrtune.data.synth.generate import Generator, Recipe
from ocrtune.data.synth.lacking import SELDOM, lacking_characters
from ocrtune.data.synth.natural import text_with
from ocrtune.data.synth.sheet import Sheet
from ocrtune.data.synth.templates import LINE, TEMPLATES
from ocrtune.errors import DataError, UsageError
from ocrtune.page import Page
from support.pages import rectangle


def japanese() -> Path:
    """The font of the development extra."""
    spec = find_spec("matplotlib_fontja")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "fonts" / "ipaexg.ttf"


def texts_of(generator: Generator, count: int) -> list[str]:
    return [region.text or "" for index in range(count) for region in generator.sample(index).regions]


def only(font: Font, characters: str) -> Font:
    return Font(font.path, font.number, font.family, font.style, frozenset(map(ord, characters)))


def test_what_a_font_has_is_read_from_its_character_map() -> None:
    sans = read_fonts([default_fonts()[0]])[0][0]
    assert sans.draws("Größe 12,50 € Ωж")
    assert sans.missing("ab中c文") == "中文"
    assert sans.missing("a\tb\u200b") == "\t\u200b"


@pytest.mark.parametrize("text", ["שלום", "مرحبا", "हिन्दी", "ไทยที่", "e\u0301"])
def test_scripts_that_need_shaping_are_not_drawn(text: str) -> None:
    assert not all(simple(character) for character in text)


def test_a_missing_character_means_another_font_or_nothing() -> None:
    sans, mono = read_fonts([default_fonts()[0], default_fonts()[3]])[0]
    book = FontBook([only(sans, "abc"), only(mono, "abcde")])
    sheet = Sheet(300, 200, book, book.fonts[0], np.random.default_rng(0))
    assert sheet.text(10, 50, "abc", 30)
    assert sheet.text(10, 100, "abe", 30)  # in the other font
    assert not sheet.text(10, 150, "abx", 30)
    assert [region.text for region in sheet.regions("line")] == ["abc", "abe"]
    assert sheet.skipped == 1
    assert sheet.missing == {"x": 1}


def test_a_folder_of_fonts_tells_what_it_leaves_out(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "good.ttf").write_bytes(default_fonts()[0].read_bytes())
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    (tmp_path / "cut.otf").write_bytes(default_fonts()[0].read_bytes()[:5000])
    (tmp_path / "notes.txt").write_text("no font either", encoding="utf-8")
    fonts, left_out = read_fonts([tmp_path])
    assert [font.path.name for font in fonts] == ["good.ttf"]
    assert sorted(str(error.where) for error in left_out) == [str(tmp_path / "broken.ttf"), str(tmp_path / "cut.otf")]
    with pytest.raises(DataError, match="the font cannot be read"):
        read_fonts([tmp_path / "broken.ttf"])
    with pytest.raises(DataError, match="cannot be read"):
        read_fonts([tmp_path / "missing.ttf"])


@pytest.mark.parametrize("template", TEMPLATES)
def test_ideographs_in_every_template(tmp_path: Path, template: str) -> None:
    lines = [
        "駅前の図書館は、月曜日から土曜日まで開きます。",
        "合計金額 ￥12,800（税込）",
        "山田商店　東京都中央区銀座",
    ]
    (tmp_path / "texts.txt").write_text("\n".join(lines * 3), encoding="utf-8")
    generator = Generator(Recipe((template,), ("clean",), fonts=(japanese(),), corpus=tmp_path / "texts.txt"))
    texts = texts_of(generator, 8)
    assert any("\u3040" < character < "\u9fff" for text in texts for character in text)
    joined = "".join(lines).replace("　", " ")
    long = [text for text in texts if any("\u3040" < character < "\u9fff" for character in text)]
    assert all(text in joined for text in long if "," not in text and " " not in text)


def test_texts_that_no_font_can_draw_are_skipped_and_counted(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("plain words\n中文\nmore words\n", encoding="utf-8")
    generator = Generator(Recipe((LINE,), ("clean",), corpus=tmp_path / "texts.txt"))
    samples = [generator.sample(index) for index in range(20)]
    assert all("中" not in (sample.regions[0].text or "") for sample in samples)
    assert sum(sample.skipped for sample in samples) > 0
    assert set().union(*(sample.missing for sample in samples)) <= {"中", "文"}
    (tmp_path / "texts.txt").write_text("中文\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"no text could be drawn; missing characters: .*中") as caught:
        Generator(Recipe((LINE,), ("clean",), corpus=tmp_path / "texts.txt")).sample(0)
    assert "--font" in str(caught.value)


def test_corpus_texts_are_parts_of_its_lines(tmp_path: Path) -> None:
    lines = ["The quick brown fox jumps over the lazy dog near the river.", "Ein zweiter Satz, größer als der erste."]
    (tmp_path / "texts.txt").write_text("\ufeff" + "\r\n\n".join(lines), encoding="utf-8")
    corpus = Corpus(tmp_path / "texts.txt")
    rng = np.random.default_rng(0)
    snippets = {corpus.snippet(rng, 5, 20) for _ in range(50)}
    assert all(any(snippet in line for line in lines) for snippet in snippets)
    assert all(set(snippet.split()) <= {*lines[0].split(), *lines[1].split()} for snippet in snippets)
    assert all("ß" in (corpus.around(rng, "ß", 5, 12) or "") for _ in range(20))
    assert corpus.around(rng, "€", 5, 12) is None
    assert set(corpus.lines(rng, 300)) == set(lines)


def test_faults_of_a_corpus_are_told_with_their_line(tmp_path: Path) -> None:
    file = tmp_path / "texts.txt"
    file.write_bytes(b"good\n" * 7 + "größe\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"texts.txt:8: the corpus is not UTF-8"):
        Corpus(file)
    file.write_bytes(b" \n\n")
    with pytest.raises(DataError, match="holds no text"):
        Corpus(file)
    with pytest.raises(DataError, match="cannot be read"):
        Corpus(tmp_path / "missing.txt")


@settings(deadline=None)
@given(
    line=st.text(min_size=1), low=st.integers(1, 20), more=st.integers(0, 20), seed=st.integers(0, 99), data=st.data()
)
def test_windows_are_parts_and_keep_what_they_must(
    line: str, low: int, more: int, seed: int, data: st.DataObject
) -> None:
    line = " ".join(line.split())
    if not line:
        return
    keep = data.draw(st.integers(0, len(line) - 1))
    character = line[keep]
    found = window(line, np.random.default_rng(seed), low, low + more, keep)
    assert found in line
    assert character in found or character == " "
    assert len(found) <= 2 * (low + more) + 1


@settings(deadline=None, max_examples=300)
@given(character=st.characters(categories=("L", "N", "P", "S"), exclude_characters="\x00"), seed=st.integers(0, 9))
def test_any_character_gets_a_text(character: str, seed: int) -> None:
    text = text_with(character, np.random.default_rng(seed), lambda _: True)
    assert character in text
    assert text == text.strip()
    assert "{" not in text or character in "{}"


@pytest.mark.parametrize(
    ("character", "pattern"),
    [
        ("€", r"\d"),
        ("§", r"§ ?\d|[a-z]+ § \d"),
        ("%", r"\d+(\.\d+)? ?%"),
        ("é", r"[a-z]é|é[a-z]"),
        ("@", r"@"),
        ("ж", r"[а-я]{2}"),
    ],
)
def test_characters_stand_where_one_expects_them(character: str, pattern: str) -> None:
    import re

    texts = [text_with(character, np.random.default_rng(seed), lambda _: True) for seed in range(20)]
    assert all(re.search(pattern, text) for text in texts), texts
    assert len(set(texts)) > 5


@pytest.mark.parametrize("template", TEMPLATES)
def test_characters_that_were_asked_for_are_shown(template: str) -> None:
    generator = Generator(Recipe((template,), ("clean",), characters="€§ß", seed=1))
    texts = texts_of(generator, 12)
    assert all(any(character in text for text in texts) for character in "€§ß")
    if template == LINE:
        turns = [set("€§ß") & set(text) for text in texts]
        assert all(turns)
        assert turns == [next(iter([turn])) for turn, _ in zip(itertools.cycle(turns[:3]), turns, strict=False)]


def test_characters_come_from_the_corpus_where_it_has_them(tmp_path: Path) -> None:
    line = "a line of the corpus with its own € sign in the middle"
    (tmp_path / "texts.txt").write_text(f"{line}\nanother line without\n", encoding="utf-8")
    generator = Generator(Recipe((LINE,), ("clean",), corpus=tmp_path / "texts.txt", characters="€"))
    assert all("€" in text and text in line for text in texts_of(generator, 10))


def test_characters_that_no_font_has_are_told() -> None:
    generator = Generator(Recipe((LINE,), ("clean",), characters="€中"))
    assert generator.undrawable == ["中"]
    assert generator.wanted == ["€"]
    with pytest.raises(UsageError, match="no font can draw any of the 2 characters: 中文"):
        Generator(Recipe((LINE,), ("clean",), characters="中文"))


def test_lacking_characters_are_those_of_few_texts() -> None:
    often, seldom = [rectangle(0, 0, 9, 9, "a a a")] * SELDOM, [rectangle(0, 0, 9, 9, "bbb")] * (SELDOM - 1)
    ignored = rectangle(0, 0, 9, 9, "c", ignore=True)
    page = Page(Path("page.png"), [*often, *seldom, ignored])
    found = lacking_characters([page], Charset(("a", "b", "c", "d", " ", "fi")))
    assert found == {"b": SELDOM - 1, "c": 0, "d": 0}
