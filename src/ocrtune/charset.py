"""`Charset`: which characters a recogniser knows and which class each of them is; stored in the bundle."""

from __future__ import annotations

import itertools
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from ocrtune.errors import BundleError

UnknownPolicy = Literal["error", "drop", "map", "extend"]
BLANK = 0
CasePairs = Sequence[tuple[int, int]]
"""Classes of a capital and its small letter."""
_CONTROLS = dict.fromkeys([*range(32), *range(127, 160), 0x2028, 0x2029], " ")
# typographic characters that NFKC keeps apart from what a keyboard has
_LOOKALIKES = str.maketrans("‘’‚‛′“”„‟″‐‑‒–—―−⁄∕∙•·¦×", "'''''\"\"\"\"\"-------//...|x")


@dataclass(frozen=True)
class Charset:
    """The characters of a CTC recogniser. Class 0 is always the blank; character ``i`` is class ``i + 1``.

    Texts are brought to Unicode's NFC before they are looked up, so that a composed and a decomposed accent are the
    same character, and control characters become spaces; nothing else about them is changed.

    Attributes:
        characters: in the order of their classes; the space is one of them like any other. Some published dictionaries
            have entries of several code points: they can be read, but no label can ask for them.
    """

    characters: tuple[str, ...]

    @property
    def classes(self) -> int:
        """Number of classes, the blank included."""
        return len(self.characters) + 1

    @cached_property
    def _index(self) -> dict[str, int]:
        return {character: index + 1 for index, character in reversed(list(enumerate(self.characters)))}

    def __contains__(self, character: str) -> bool:
        return character in self._index

    def index(self, character: str) -> int:
        """Class of a character.

        Raises:
            KeyError: the character is unknown.
        """
        return self._index[character]

    def case_pairs(self) -> CasePairs:
        """Every capital whose small letter is known as well."""
        return [
            (index, self._index[character.lower()])
            for character, index in self._index.items()
            if character.lower() != character
            and character.lower() in self._index
            and character.lower().upper() == character
        ]

    def encode(self, text: str) -> list[int]:
        """Classes of a text's characters, in reading order; unknown ones are left out (see `unknown`)."""
        return [self._index[c] for c in normalised(text) if c in self._index]

    def decode(self, classes: Iterable[int]) -> str:
        """The text of classes without blanks."""
        return "".join(self.characters[index - 1] for index in classes)

    def unknown(self, texts: Iterable[str]) -> Counter[str]:
        """Characters of the texts that are not in the set, with how often each occurs."""
        return Counter(c for text in texts for c in normalised(text) if c not in self._index)

    def extended(self, characters: Iterable[str]) -> Charset:
        """The set with further characters at its end, in code point order; known ones are not added again."""
        return Charset((*self.characters, *sorted({c for c in characters if c not in self._index})))

    def relative(self, character: str) -> str | None:
        """A known character that looks or reads much like this one: without accent, in another width or case."""
        for candidate in (*_simpler(character), character.lower(), character.upper()):
            if candidate != character and len(candidate) == 1 and candidate in self._index:
                return candidate
        return None

    def mapped(self, text: str) -> str:
        """The text with unknown characters replaced by the nearest known ones; those without any are left out."""
        return "".join(c if c in self._index else self._replacement(c) for c in normalised(text))

    def _replacement(self, character: str) -> str:
        for candidate in _simpler(character):
            if candidate and all(c in self._index for c in candidate):
                return candidate
        return ""

    def dump(self) -> bytes:
        """The content of ``charset.txt``: one character a line, in the order of the classes, without the blank."""
        return "".join(f"{character}\n" for character in self.characters).encode()

    @classmethod
    def read(cls, path: Path) -> Charset:
        """Read ``charset.txt``.

        Raises:
            BundleError: the file is missing, no UTF-8 text, or has an empty line.
        """
        try:
            return cls.parse(path.read_bytes().decode(), path)
        except FileNotFoundError as error:
            raise BundleError("the charset file does not exist", where=path) from error
        except UnicodeDecodeError as error:
            raise BundleError("the charset file is no UTF-8 text", where=path) from error

    @classmethod
    def parse(cls, text: str, where: object = None) -> Charset:
        """One character a line; only line feeds end a line, since other separators are characters here.

        Raises:
            BundleError: there is an empty line, or nothing.
        """
        lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
        if "" in lines:
            raise BundleError(
                f"line {lines.index('') + 1} is empty", where=where, expected="one character a line, a space as it is"
            )
        return cls(tuple(lines))


@dataclass(frozen=True)
class TextPlan:
    """How labels become what a recogniser is taught.

    Attributes:
        charset: the set that is trained, extended where that was asked for.
        unknown: characters that the start charset does not have, with their number.
        policy: what happens to them.
    """

    charset: Charset
    policy: UnknownPolicy
    unknown: Counter[str] = field(default_factory=Counter)

    def apply(self, text: str) -> str:
        """The text that is taught for a label."""
        return self.charset.mapped(text) if self.policy == "map" else normalised(text)


def plan_texts(texts: Sequence[str], charset: Charset, policy: UnknownPolicy) -> TextPlan:
    """Decide about characters that a charset does not have; ``error`` is for the caller to raise."""
    unknown = charset.unknown(texts)
    return TextPlan(charset.extended(unknown) if policy == "extend" else charset, policy, unknown)


def columns_needed(label: Sequence[object]) -> int:
    """Columns that CTC needs at least for a label: its length, and a blank between equal neighbours."""
    return len(label) + sum(a == b for a, b in itertools.pairwise(label))


def normalised(text: str) -> str:
    """A text in Unicode's NFC on one line: control characters, line breaks among them, become spaces."""
    text = text if text.isascii() else unicodedata.normalize("NFC", text)
    return text.translate(_CONTROLS)


def _simpler(character: str) -> tuple[str, ...]:
    """Ways to write a character more simply: compatibility form, without accents, plain punctuation."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c))
    plain = character.translate(_LOOKALIKES)
    return (unicodedata.normalize("NFKC", character), bare, plain if plain != character else "")
