"""Characters that a recogniser should know and its data hardly ever show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ocrtune.charset import Charset, normalised
from ocrtune.page import Page

SELDOM = 20
"""Texts with a character below which it counts as lacking."""


def lacking_characters(pages: Iterable[Page], charset: Charset) -> Counter[str]:
    """Characters of a charset that fewer than `SELDOM` texts show, with the number of texts that do.

    Entries of several code points and spaces are left out: no label can ask for the one, every text has the other.
    """
    seen: Counter[str] = Counter()
    for page in pages:
        for region in page.regions:
            if not region.ignore and region.text:
                seen.update(set(normalised(region.text)))
    wanted = (c for c in charset.characters if len(c) == 1 and not c.isspace())
    return Counter({character: seen[character] for character in wanted if seen[character] < SELDOM})
