"""A text file as a source of texts: any size, any place of it at once, never read as a whole."""

from __future__ import annotations

import codecs
import mmap
from functools import lru_cache
from pathlib import Path

import numpy as np

from ocrtune.charset import normalised
from ocrtune.errors import DataError

_REACH = 4096  # bytes looked at on each side of a place: longer lines are taken in parts
_BLOCK = 1 << 20
NOT_FIRST = "、。，．：；！？）」』】》〉,.:;!?)"
"""What no line begins with."""
_BREAKS_ANYWHERE = "぀ヿ㐀鿿가힯"  # ranges of kana, ideographs and Hangul, first and last


class Corpus:
    """Texts of a UTF-8 file, one a line; places are found in the mapped file, so that memory stays flat.

    Args:
        path: the file.

    Raises:
        DataError: it does not exist, is not UTF-8, or holds no text.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        _check(path)
        with path.open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._first = lru_cache(maxsize=1 << 16)(lambda character: self._bytes.find(character.encode()))

    def snippet(self, rng: np.random.Generator, low: int, high: int) -> str:
        """A part of a line of about ``low`` to ``high`` characters, whole words where there are words."""
        return window(self._line(int(rng.integers(len(self._bytes)))), rng, low, high)

    def lines(self, rng: np.random.Generator, characters: int) -> list[str]:
        """Consecutive lines from a random place on, until there are so many characters."""
        found, position = [], int(rng.integers(len(self._bytes)))
        while characters > 0:
            line = self._line(position)
            found.append(line)
            characters -= len(line) + 1
            position = self._next(position)
        return found

    def around(self, rng: np.random.Generator, character: str, low: int, high: int) -> str | None:
        """A part of a line that contains a character, or None where the file never does."""
        if self._first(character) < 0:
            return None
        start = int(rng.integers(len(self._bytes)))
        position = self._bytes.find(character.encode(), start)
        if position < 0:
            position = self._bytes.rfind(character.encode(), 0, start)
        line = self._line(position if position >= 0 else self._first(character))
        place = line.find(character)
        return None if place < 0 else window(line, rng, low, high, keep=place)

    def _line(self, position: int) -> str:
        """The line around a byte, on one line and without superfluous spaces; of empty lines, the next with a text."""
        for _ in range(len(self._bytes)):
            start = self._bytes.rfind(b"\n", max(0, position - _REACH), position) + 1 or max(0, position - _REACH)
            end = self._bytes.find(b"\n", position, position + _REACH)
            end = end if end >= 0 else min(len(self._bytes), position + _REACH)
            line = " ".join(normalised(self._bytes[start:end].decode(errors="ignore")).replace("\ufeff", "").split())
            if line:
                return line
            position = (end + 1) % len(self._bytes)
        raise DataError("the corpus holds no text", where=self.path)  # changed since it was checked

    def _next(self, position: int) -> int:
        end = self._bytes.find(b"\n", position, position + _REACH)
        return (end + 1 if end >= 0 else position + _REACH) % len(self._bytes)


def window(line: str, rng: np.random.Generator, low: int, high: int, keep: int | None = None) -> str:
    """A part of a line of about ``low`` to ``high`` characters; ``keep`` is the place of a character it must contain."""
    length = int(rng.integers(low, high + 1))
    if len(line) <= length:
        return line
    if keep is None:
        start = int(rng.integers(0, len(line) - length + 1))
    else:
        start = int(np.clip(keep - rng.integers(0, length), 0, len(line) - length))
    end = start + length
    while start > 0 and not _may_break(line, start) and end - start < 2 * high:
        start -= 1
    while end < len(line) and not _may_break(line, end) and end - start < 2 * high:
        end += 1
    while keep != start and line[start] in NOT_FIRST and start + 1 < end:
        start += 1
    return line[start:end].strip()


def breaks_anywhere(character: str) -> bool:
    """Whether lines may be broken beside a character without a space: ideographs, kana, Hangul."""
    return (
        any(_BREAKS_ANYWHERE[i] <= character <= _BREAKS_ANYWHERE[i + 1] for i in (0, 2, 4)) or character >= "\U00020000"
    )


def _may_break(line: str, place: int) -> bool:
    """Whether a line may be cut before ``place``."""
    return line[place - 1] == " " or line[place] == " " or breaks_anywhere(line[place - 1])


def _check(path: Path) -> None:
    """Read the file once, in blocks.

    Raises:
        DataError: it does not exist, is not UTF-8, or holds no text.
    """
    decoder, line, some = codecs.getincrementaldecoder("utf-8")(), 1, False
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                try:
                    text = decoder.decode(block)
                except UnicodeDecodeError as error:
                    line += block.count(b"\n", 0, max(0, error.start))
                    raise DataError(
                        f"the corpus is not UTF-8: {error.reason}",
                        where=f"{path}:{line}",
                        expected="a text file in UTF-8",
                        hint="convert it, for example: iconv -f LATIN1 -t UTF-8 OLD > NEW",
                    ) from error
                line += text.count("\n")
                some = some or bool(text.replace("\ufeff", "").strip())
    except OSError as error:
        raise DataError(f"the corpus cannot be read: {error.strerror}", where=path) from error
    if not some:
        raise DataError("the corpus holds no text", where=path, expected="a text file in UTF-8, a text a line")
