from __future__ import annotations

import pytest

from ocrtune.scripts import main_script, name_word, script_of


@pytest.mark.parametrize(
    ("character", "script"),
    [
        ("a", "Latin"),
        ("é", "Latin"),
        ("中", "Han"),
        ("あ", "Hiragana"),
        ("한", "Hangul"),
        ("Ж", "Cyrillic"),
        ("ع", "Arabic"),
        ("7", "digits"),
        ("٣", "digits"),
        ("€", "symbols"),
        ("。", "punctuation"),
        (" ", "spaces"),
        ("Ａ", "Latin (fullwidth)"),
        ("ｱ", "Katakana (halfwidth)"),
        ("\ue000", "control"),
    ],
)
def test_scripts(character: str, script: str) -> None:
    assert script_of(character) == script


@pytest.mark.parametrize(
    ("text", "script"),
    [("1", "digits"), ("中文", "CJK"), ("かな 7", "CJK"), ("Hello Ж", "Latin"), ("--", "other"), ("", "other")],
)
def test_script_of_most_letters(text: str, script: str) -> None:
    assert main_script(text) == script


def test_first_word_of_a_name_is_empty_where_there_is_no_name() -> None:
    assert [name_word(c) for c in ("é", "中", "\ue000", "\n")] == ["LATIN", "CJK", "", ""]
