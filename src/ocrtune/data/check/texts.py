"""Rules about texts: what looks right to a person and is another character to a recogniser."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from ocrtune.data.check.findings import Severity, shown
from ocrtune.scripts import name_word


@dataclass(frozen=True)
class TextFault:
    """What is wrong with a text; ``message`` goes on after its name, ``fixed_by`` as in `Finding`."""

    code: str
    severity: Severity
    message: str
    fixed_by: str | None = None


_JOINERS = "\u200c\u200d"  # part of the spelling of Persian and of Indian languages
# letters of other scripts that cannot be told from a Latin one
_AS_LATIN = dict(
    zip("АВЕКМНОРСТУХІЈЅаеорсухіјѕΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABEKMHOPCTYXIJSaeopcyxijsABEZHIKMNOPTYXo", strict=True)
)
_AS_CYRILLIC = dict(zip("ABEKMHOPCTXaeopcyx", "АВЕКМНОРСТХаеорсух", strict=True))
_WORD = re.compile(r"[^\W\d_]+")
_ENTITY = re.compile(r"&(?:#\d+|#x[0-9a-fA-F]+|amp|lt|gt|quot|apos|nbsp);")
# a plural (PDFs) is no slip, and neither is a name with one capital in front (McDONALD)
_ODD_CASE = re.compile(r"(?<![^\W\d_])(?:[A-Z]{2,}[a-z][A-Z]+|[A-Z]{3,}[a-rt-z])(?![^\W\d_])")


def mend_text(text: str) -> tuple[str, list[TextFault]]:
    """A label's text as it was meant, and what was wrong with it."""
    if text.isascii() and text.isprintable() and "&" not in text and "  " not in text and text == text.strip():
        return text, _odd_case(text)
    faults: list[TextFault] = []
    for rule in _RULES:
        text, found = rule(text)
        faults += found
    return text, faults + _odd_case(text)


def _damaged(text: str) -> tuple[str, list[TextFault]]:
    if "\ufffd" in text:
        what = "holds the mark of a lost character (U+FFFD): take the text from its source again"
        return text, [TextFault("text-damaged", "warning", what)]
    if text.isascii():
        return text, []
    try:
        again = text.encode("cp1252").decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return text, []
    what = f"is UTF-8 that was read as Windows-1252; it says '{shown(again)}'"
    return again, [TextFault("text-mojibake", "warning", what, "decodes it again")]


def _entities(text: str) -> tuple[str, list[TextFault]]:
    found = _ENTITY.search(text)
    if found is None:
        return text, []
    what = f"holds the HTML entity '{found[0]}' instead of its character"
    return html.unescape(text), [TextFault("text-entity", "warning", what, "writes the character")]


def _controls(text: str) -> tuple[str, list[TextFault]]:
    bad = sorted({c for c in text if unicodedata.category(c) == "Cc"})
    if not bad:
        return text, []
    kept = "".join(" " if c in bad else c for c in text)
    what = f"holds control characters ({_code_points(bad)})"
    return kept, [TextFault("text-control", "warning", what, "writes spaces for them")]


def _invisible(text: str) -> tuple[str, list[TextFault]]:
    bad = sorted({c for c in text if unicodedata.category(c) == "Cf" and c not in _JOINERS})
    if not bad:
        return text, []
    what = f"holds characters that nobody sees ({_code_points(bad)})"
    return "".join(c for c in text if c not in bad), [TextFault("text-invisible", "warning", what, "drops them")]


def _spaces(text: str) -> tuple[str, list[TextFault]]:
    odd = sorted({c for c in text if c != " " and unicodedata.category(c) == "Zs"})
    faults = []
    if odd:
        what = f"holds spaces that are no plain space ({_code_points(odd)})"
        faults.append(TextFault("text-odd-space", "warning", what, "writes plain spaces"))
        text = "".join(" " if c in odd else c for c in text)
    plain = " ".join(text.split(" ")).strip() if "  " not in text else re.sub(" +", " ", text).strip()
    if plain and plain != text:
        what = "starts or ends with a space" if "  " not in text.strip() else "holds several spaces in a row"
        faults.append(TextFault("text-spaces", "warning", what, "leaves single spaces between words"))
        text = plain
    return text, faults


def _composed(text: str) -> tuple[str, list[TextFault]]:
    composed = unicodedata.normalize("NFC", text)
    if composed == text:
        return text, []
    what = "writes accents as characters of their own (it is not in Unicode's NFC)"
    return composed, [TextFault("text-not-nfc", "info", what, "composes them")]


def _forms(text: str) -> tuple[str, list[TextFault]]:
    wide = sorted({c for c in text if is_full_width(c)})
    narrow = sorted({c for c in text if "\uff65" <= c <= "\uff9f"})
    ligatures = sorted({c for c in text if "\ufb00" <= c <= "\ufb06"})
    faults = []
    if wide:
        what = (
            f"holds full-width letters or digits ('{''.join(wide)[:10]}'), which are other characters than plain ones"
        )
        faults.append(TextFault("text-full-width", "info", what))
    if narrow:
        faults.append(TextFault("text-half-width", "info", f"holds half-width katakana ('{''.join(narrow)[:10]}')"))
    if ligatures:
        what = f"holds ligatures ('{''.join(ligatures)}') as one character"
        faults.append(TextFault("text-ligature", "warning", what, "writes their letters"))
        text = "".join(unicodedata.normalize("NFKC", c) if c in ligatures else c for c in text)
    return text, faults


def _lookalikes(text: str) -> tuple[str, list[TextFault]]:
    """Letters of another script inside a word, which a person reads as the word's own."""
    if text.isascii():
        return text, []
    faults: list[TextFault] = []

    def mended(word: re.Match[str]) -> str:
        scripts = [name_word(c) for c in word[0]]
        latin = scripts.count("LATIN")
        others = len(scripts) - latin
        if not latin or not others or not set(scripts) <= {"LATIN", "CYRILLIC", "GREEK"}:
            return word[0]
        to_latin = [c for c, script in zip(word[0], scripts, strict=True) if script != "LATIN"]
        to_cyrillic = [c for c, script in zip(word[0], scripts, strict=True) if script == "LATIN"]
        if all(c in _AS_LATIN for c in to_latin) and (latin >= others or "GREEK" in scripts):
            table, odd, own = _AS_LATIN, to_latin, "Latin"
        elif "GREEK" not in scripts and all(c in _AS_CYRILLIC for c in to_cyrillic):
            table, odd, own = _AS_CYRILLIC, to_cyrillic, "Cyrillic"
        else:
            return word[0]
        what = f"holds letters of another script in the {own} word '{word[0][:20]}' ({_code_points(sorted(set(odd)))})"
        faults.append(TextFault("text-lookalike", "warning", what, f"writes the {own} letters"))
        return "".join(table[c] if c in odd else c for c in word[0])

    text = _WORD.sub(mended, text)
    return text, faults[:1]


def _odd_case(text: str) -> list[TextFault]:
    """One small letter in a word of capitals: often a mistyped letter (l for I, o for 0)."""
    found = _ODD_CASE.search(text)
    if found is None:
        return []
    return [TextFault("text-odd-case", "info", f"has one small letter in the capitals of '{found[0][:20]}'")]


_RULES: tuple[Callable[[str], tuple[str, list[TextFault]]], ...] = (
    _damaged,
    _entities,
    _controls,
    _invisible,
    _spaces,
    _composed,
    _forms,
    _lookalikes,
)


def is_full_width(character: str) -> bool:
    """Whether this is a full-width letter or digit: ``Ａ``, not ``，``, which Chinese texts have by right."""
    return "\uff10" <= character <= "\uff5a" and unicodedata.normalize("NFKC", character).isalnum()


def _code_points(characters: list[str]) -> str:
    return ", ".join(f"U+{ord(c):04X}" for c in characters[:5])
