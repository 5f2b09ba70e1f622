from __future__ import annotations

from pathlib import Path

import pytest

from ocrtune.charset import BLANK, Charset, plan_texts
from ocrtune.errors import BundleError
from support.golden import load_json

LATIN = Charset(tuple("abcABC012 .-'"))


def test_labels_become_the_official_classes() -> None:
    cases = load_json("decode.json")["encode"]
    for name, space in (("CTCLabelEncode_space", True), ("CTCLabelEncode_nospace", False)):
        reference = cases[name]
        charset = Charset((*reference["dictionary"], *([" "] if space else [])))
        for case in reference["cases"]:
            if case["result"] is None:
                continue  # longer than the official limit, or nothing left: nobody asks for classes then
            expected = case["result"]["label"][: case["result"]["length"]]
            assert charset.encode(case["text"]) == expected, case["text"]


def test_blank_is_class_0_and_file_round_trip_keeps_every_character(tmp_path: Path) -> None:
    charset = Charset(("a", " ", "\u3000", "\u2028", "ab", "é"))
    path = tmp_path / "charset.txt"
    path.write_bytes(charset.dump())
    assert Charset.read(path) == charset
    assert BLANK == 0
    assert charset.classes == 7
    assert charset.index("a") == 1
    path.write_text("a\n\nb\n", encoding="utf-8")
    with pytest.raises(BundleError, match="line 2 is empty"):
        Charset.read(path)


def test_unknown_characters_are_counted_and_handled_by_policy() -> None:
    texts = ["ab–é", "é"]
    assert LATIN.unknown(texts) == {"–": 1, "é": 2}
    assert plan_texts(texts, LATIN, "drop").charset == LATIN
    mapped = plan_texts([*texts, "ＡＢ"], LATIN, "map")
    assert mapped.apply("ab–é") == "ab-", "the dash has a plain form; é has none in this set"
    assert mapped.apply("ＡＢ") == "AB"
    extended = plan_texts(texts, LATIN, "extend").charset
    assert extended.characters[: len(LATIN.characters)] == LATIN.characters
    assert set(extended.characters) - set(LATIN.characters) == {"–", "é"}
    assert extended.encode("é") == [extended.index("é")]


def test_composed_and_decomposed_texts_are_the_same() -> None:
    charset = LATIN.extended("é")
    assert charset.encode("e\u0301") == charset.encode("é") != []
