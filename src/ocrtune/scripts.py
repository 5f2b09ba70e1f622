"""Which script a character or a text is written in, by the names of the Unicode character database."""

from __future__ import annotations

import unicodedata
from collections import Counter

_KINDS = {"N": "digits", "P": "punctuation", "S": "symbols", "Z": "spaces", "C": "control", "M": "marks"}
_NAMES = {"CJK": "Han"}


def name_word(character: str) -> str:
    """The first word of a character's name, for a letter its script (``LATIN``, ``CJK``); "" where it has no name."""
    return unicodedata.name(character, "").partition(" ")[0]


def script_of(character: str) -> str:
    """The script of a letter (Latin, Han, Hiragana, ...), or the kind of any other character (digits, symbols, ...).

    Full and half width count apart.
    """
    kind = _KINDS.get(unicodedata.category(character)[0])
    if kind is not None:
        return kind
    words = unicodedata.name(character, "UNKNOWN").split()
    wide = words[0] in ("FULLWIDTH", "HALFWIDTH") and len(words) > 1
    name = words[1] if wide else words[0]
    script = _NAMES.get(name, name.capitalize())
    return f"{script} ({words[0].lower()})" if wide else script


def main_script(text: str) -> str:
    """The script of most letters of a text: Latin, CJK, Cyrillic, ...; ``digits`` and ``other`` where there is none."""
    counts: Counter[str] = Counter()
    for character in text:
        if character.isalpha():
            name = name_word(character) or "OTHER"
            counts["CJK" if name in ("CJK", "HIRAGANA", "KATAKANA", "HANGUL") else name.capitalize()] += 1
    if counts:
        return counts.most_common(1)[0][0]
    return "digits" if any(c.isdigit() for c in text) else "other"
