"""What identifies the pages of a data set, in a temporary file: twins are found without keeping anything in memory."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from ocrtune.data.check.image import ImageFacts
from ocrtune.data.scratch import Scratch
from ocrtune.page import Page

_KEY = 8  # bytes that stand for a path
_PAGES = (
    "CREATE TABLE pages (row INTEGER PRIMARY KEY, name BLOB, place BLOB, path BLOB, image BLOB, digest BLOB, print BLOB, "
    "blank INTEGER)"
)
_FIRST = (
    "SELECT row, min(row) OVER (PARTITION BY image) AS named, min(row) OVER (PARTITION BY digest) AS shown FROM pages"
)


class PageIndex:
    """One row a page, numbered from 0 in the order of the pages; its methods raise as `Scratch` does."""

    def __init__(self) -> None:
        self._rows = Scratch(_PAGES)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, page: Page, facts: ImageFacts) -> None:
        """Take a page in; its image is not needed any more."""
        texts = (page.name, page.source or page.name, str(page.image) if isinstance(page.image, Path) else "")
        stored = (text.encode("utf-8", "surrogatepass") for text in texts)
        self._rows.add("pages", [(self._count, *stored, _image_key(page), facts.digest, facts.print, facts.blank)])
        self._count += 1

    def name(self, row: int) -> str:
        """What the label file calls the page."""
        return self._text("name", row)

    def where(self, row: int) -> str:
        """Where the label file names it."""
        return self._text("place", row)

    def image(self, row: int) -> Path | None:
        """The image's file, for drawing; None for images of a store."""
        path = self._text("path", row)
        return Path(path) if path else None

    def digests(self) -> Iterator[bytes]:
        """Content hash of each page, 32 bytes."""
        return (digest for (digest,) in self._rows.rows("SELECT digest FROM pages ORDER BY row"))

    def distinct(self) -> Iterator[tuple[int, bytes, bytes]]:
        """(row, content hash, perceptual hash) of pages that show something, the first of those with the same pixels."""
        query = "SELECT min(row), digest, print FROM pages WHERE NOT blank GROUP BY digest ORDER BY min(row)"
        return ((row, digest, found) for row, digest, found in self._rows.rows(query))

    def named_again(self) -> Iterator[tuple[int, int]]:
        """(row, first row) of every page whose image is named before."""
        return self._pairs(f"SELECT row, named FROM ({_FIRST}) WHERE row > named ORDER BY row")

    def same_pixels(self) -> Iterator[tuple[int, int]]:
        """(row, first row) of every page that is another file with the same pixels."""
        return self._pairs(f"SELECT row, shown FROM ({_FIRST}) WHERE row = named AND row > shown ORDER BY row")

    def with_pixels(self, digest: bytes) -> int | None:
        """The first row with this content hash; None without one."""
        self._rows.change("CREATE INDEX IF NOT EXISTS by_digest ON pages (digest)")
        found = self._rows.row("SELECT row FROM pages WHERE digest = ? ORDER BY row", digest)
        return None if found is None else found[0]

    def has_image(self, path: str) -> bool:
        """Whether an image's file, given by its path in a real folder, is that of a page."""
        self._rows.change("CREATE INDEX IF NOT EXISTS by_image ON pages (image)")
        return self._rows.row("SELECT row FROM pages WHERE image = ?", _path_key(path)) is not None

    def _pairs(self, query: str) -> Iterator[tuple[int, int]]:
        return ((row, first) for row, first in self._rows.rows(query))

    def _text(self, column: str, row: int) -> str:
        found = self._rows.row(f"SELECT {column} FROM pages WHERE row = ?", row)
        if found is None:
            raise IndexError(f"there is no page {row}")
        return bytes(found[0]).decode("utf-8", "surrogatepass")


def _image_key(page: Page) -> bytes:
    """8 bytes that are the same for the same image, whichever way a label file names it."""
    if not isinstance(page.image, Path):
        return _path_key(page.name)
    folder, name = os.path.split(page.image)
    return _path_key(os.path.join(_real(folder), name))


@lru_cache(maxsize=256)
def _real(folder: str) -> str:
    """A folder's path without symbolic links; looking at every part of it takes long."""
    return os.path.realpath(folder)


def _path_key(path: str) -> bytes:
    """8 bytes for a path in a real folder."""
    return hashlib.blake2b(path.encode("utf-8", "surrogatepass"), digest_size=_KEY).digest()
