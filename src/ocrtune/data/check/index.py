"""What identifies the pages of a data set, in some 300 bytes each, so that twins are found without keeping the pages."""

from __future__ import annotations

import hashlib
import os
from array import array
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ocrtune.data.check.image import ImageFacts
from ocrtune.page import Page

_DIGEST, _PRINT, _KEY = 32, 128, 8  # bytes of each column


@dataclass
class PageIndex:
    """One row a page, in columns of bytes.

    Attributes:
        blank: whether a page is of one colour.
    """

    blank: array[int] = field(default_factory=lambda: array("b"))
    _digests: bytearray = field(default_factory=bytearray)
    _prints: bytearray = field(default_factory=bytearray)
    _images: bytearray = field(default_factory=bytearray)
    _names: bytearray = field(default_factory=bytearray)
    _ends: array[int] = field(default_factory=lambda: array("Q"))

    def __len__(self) -> int:
        return len(self.blank)

    def add(self, page: Page, facts: ImageFacts) -> None:
        """Take a page in; its image is not needed any more."""
        self.blank.append(facts.blank)
        self._digests += facts.digest
        self._prints += facts.print
        self._images += image_path_key(page)
        path = str(page.image) if isinstance(page.image, Path) else ""
        self._names += "\0".join((page.name, page.source or page.name, path)).encode("utf-8", "surrogatepass")
        self._ends.append(len(self._names))

    def name(self, row: int) -> str:
        """What the label file calls the page."""
        return self._text(row)[0]

    def where(self, row: int) -> str:
        """Where the label file names it."""
        return self._text(row)[1]

    def image(self, row: int) -> Path | None:
        """The image's file, for drawing; None for images of a store."""
        path = self._text(row)[2]
        return Path(path) if path else None

    def digests(self) -> list[str]:
        """Content hashes as hexadecimal digits."""
        return [bytes(self._digests[i : i + _DIGEST]).hex() for i in range(0, len(self._digests), _DIGEST)]

    def prints(self) -> npt.NDArray[np.uint8]:
        """Perceptual hashes, uint8 [pages, 128]; no page can be added while they are held."""
        return np.frombuffer(self._prints, np.uint8).reshape(-1, _PRINT)

    def contents(self) -> npt.NDArray[np.void]:
        """Content hashes as sortable values, [pages]; no page can be added while they are held."""
        return np.frombuffer(self._digests, f"V{_DIGEST}")

    def images(self) -> npt.NDArray[np.uint64]:
        """Hashes of the images' paths, uint64 [pages]; no page can be added while they are held."""
        return np.frombuffer(self._images, np.uint64)

    def _text(self, row: int) -> list[str]:
        start = self._ends[row - 1] if row else 0
        return bytes(self._names[start : self._ends[row]]).decode("utf-8", "surrogatepass").split("\0")


def image_path_key(page: Page) -> bytes:
    """8 bytes that are the same for the same image, whichever way a label file names it."""
    if not isinstance(page.image, Path):
        return path_key(page.name)
    folder, name = os.path.split(page.image)
    return path_key(os.path.join(_real(folder), name))


@lru_cache(maxsize=256)
def _real(folder: str) -> str:
    """A folder's path without symbolic links; looking at every part of it takes long."""
    return os.path.realpath(folder)


def path_key(path: str) -> bytes:
    """8 bytes for a path in a real folder."""
    return hashlib.blake2b(path.encode("utf-8", "surrogatepass"), digest_size=_KEY).digest()


def repeats(values: npt.NDArray[np.generic]) -> list[tuple[int, int]]:
    """(row, earlier row) of every value that occurred before, in the order of the rows."""
    _, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    origin = first[inverse.reshape(-1)]
    return [(int(row), int(origin[row])) for row in np.flatnonzero(origin != np.arange(len(values)))]
