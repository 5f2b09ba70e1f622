"""Reading LMDB files without trusting them: every offset is checked, so that a damaged file gives an error.

The LMDB library maps the file into memory and follows its pointers; a file that was cut off or has a flipped bit then ends
the process. Here pages are read with ``pread`` and looked at before they are used. Writing is the library's work.

Source: the data format 1 of LMDB 0.9 (``mdb.c``: MDB_page, MDB_node, MDB_meta), on 64-bit little-endian machines.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ocrtune.errors import DataError

_HEADER = 16  # bytes before a page's content
_META = struct.Struct("<II16x48s48sQQ")  # magic, version, free pages' tree, main tree, last page, transaction
_TREE = struct.Struct("<IHH3QQQ")  # page size in the first tree, flags, depth, counts of pages, entries, root
_MAGIC, _VERSION = 0xBEEFC0DE, 1
_BRANCH, _LEAF, _OVERFLOW, _IS_META = 0x01, 0x02, 0x04, 0x08
_BIG, _SUB_TREE = 0x01, 0x06  # node flags: the value has pages of its own; the value is a tree
_EMPTY = (1 << 64) - 1
_CACHED_PAGES = 256


@dataclass(frozen=True)
class _Meta:
    page_size: int
    depth: int
    entries: int
    root: int
    last_page: int
    transaction: int


class MdbFile:
    """One LMDB file, opened for look-ups; safe to share across a fork.

    Args:
        path: ``data.mdb``.

    Raises:
        DataError: the file is missing, no LMDB file, or its head is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise DataError(f"the store cannot be opened: {error.strerror}", where=path, hint=_remedy(path)) from error
        self.size = os.fstat(self._fd).st_size
        self._meta = self._read_meta()
        self._branch: Callable[[int], tuple[list[bytes], list[int]]] = lru_cache(_CACHED_PAGES)(self._parse_branch)
        self._leaf: Callable[[int], tuple[list[bytes], list[int], bytes]] = lru_cache(4)(self._parse_leaf)

    def __del__(self) -> None:
        if hasattr(self, "_fd"):
            os.close(self._fd)

    @property
    def entries(self) -> int:
        """How many keys the file says that it holds."""
        return self._meta.entries

    @property
    def missing_bytes(self) -> int:
        """By how much the file is shorter than it says; 0 for a whole file."""
        return max(0, (self._meta.last_page + 1) * self._meta.page_size - self.size)

    def get(self, key: bytes) -> bytes | None:
        """The value of a key; None where there is none.

        Raises:
            DataError: a page on the way to it is damaged or cut off.
        """
        found = self._find(key)
        return None if found is None else self._value(*found)

    def __contains__(self, key: bytes) -> bool:
        """Whether a key is there; its value is not read.

        Raises:
            DataError: a page on the way to it is damaged or cut off.
        """
        return self._find(key) is not None

    def _find(self, key: bytes) -> tuple[bytes, int, int] | None:
        """The leaf that holds a key, the offset of its node, and the leaf's number."""
        if self._meta.root == _EMPTY:
            return None
        number = self._meta.root
        for _ in range(self._meta.depth - 1):
            keys, children = self._branch(number)
            number = children[bisect_right(keys, key, lo=1) - 1]  # the first key of a branch stands for all below
        keys, offsets, page = self._leaf(number)
        place = bisect_right(keys, key) - 1
        return (page, offsets[place], number) if place >= 0 and keys[place] == key else None

    def _value(self, page: bytes, offset: int, number: int) -> bytes:
        low, high, flags, key_size = struct.unpack_from("<4H", page, offset)
        size, start = low | high << 16, offset + 8 + key_size
        if flags & _SUB_TREE:
            raise self._damaged(number, "holds a tree where a value should be")
        if not flags & _BIG:
            if start + size > len(page):
                raise self._damaged(number, "holds a value that ends behind it")
            return page[start : start + size]
        if start + 8 > len(page):
            raise self._damaged(number, "ends within a value's address")
        (first,) = struct.unpack_from("<Q", page, start)
        head = self._read(first, _HEADER)
        told, flags, pages = *struct.unpack_from("<Q2xH", head), struct.unpack_from("<I", head, 12)[0]
        if told != first or flags != _OVERFLOW or size + _HEADER > pages * self._meta.page_size:
            raise self._damaged(first, "does not hold the value that it should")
        return self._read(first, _HEADER + size)[_HEADER:]

    def _parse_branch(self, number: int) -> tuple[list[bytes], list[int]]:
        """Keys and child pages of a branch."""
        page, offsets = self._tree_page(number, _BRANCH)
        keys, children = [], []
        for offset in offsets:
            low, middle, high, size = struct.unpack_from("<4H", page, offset)
            keys.append(self._key(page, offset, size, number))
            children.append(low | middle << 16 | high << 32)
        if not children:
            raise self._damaged(number, "is an empty branch")
        return keys, children

    def _parse_leaf(self, number: int) -> tuple[list[bytes], list[int], bytes]:
        """Keys and node offsets of a leaf, and the page itself."""
        page, offsets = self._tree_page(number, _LEAF)
        keys = [self._key(page, offset, struct.unpack_from("<H", page, offset + 6)[0], number) for offset in offsets]
        return keys, offsets, page

    def _key(self, page: bytes, offset: int, size: int, number: int) -> bytes:
        if offset + 8 + size > len(page):
            raise self._damaged(number, "holds a key that ends behind it")
        return page[offset + 8 : offset + 8 + size]

    def _tree_page(self, number: int, kind: int) -> tuple[bytes, list[int]]:
        page = self._read(number, self._meta.page_size)
        told, flags, lower, upper = struct.unpack_from("<Q2xHHH", page)
        if told != number or flags != kind:
            raise self._damaged(number, "is not the page that it should be")
        if not _HEADER <= lower <= upper <= len(page) or lower % 2:
            raise self._damaged(number, "has a damaged head")
        offsets = list(struct.unpack_from(f"<{(lower - _HEADER) // 2}H", page, _HEADER))
        if any(not upper <= offset <= len(page) - 8 for offset in offsets):
            raise self._damaged(number, "points behind its end")
        return page, offsets

    def _read(self, number: int, size: int) -> bytes:
        """Bytes of a page and those that follow it."""
        start = number * self._meta.page_size
        if not 2 <= number <= self._meta.last_page or start + size > self.size:
            raise self._damaged(number, f"lies behind the end of the file ({self.size} bytes)")
        data = os.pread(self._fd, size, start)
        if len(data) < size:
            raise self._damaged(number, "cannot be read")
        return data

    def _read_meta(self) -> _Meta:
        """The newer one of the two heads."""
        first = self._parse_meta(os.pread(self._fd, 512, 0))
        page_size = first.page_size if first else 4096
        second = self._parse_meta(os.pread(self._fd, 512, page_size))
        found = [meta for meta in (first, second) if meta is not None]
        if not found:
            raise DataError(
                "the store cannot be opened: its head is damaged, or it is no LMDB file of format 1",
                where=self.path,
                hint=_remedy(self.path),
            )
        return max(found, key=lambda meta: meta.transaction)

    @staticmethod
    def _parse_meta(page: bytes) -> _Meta | None:
        if len(page) < _HEADER + _META.size or not struct.unpack_from("<10xH", page)[0] & _IS_META:
            return None
        magic, version, free, main, last_page, transaction = _META.unpack_from(page, _HEADER)
        page_size = _TREE.unpack(free)[0]
        _, _, depth, _, _, _, entries, root = _TREE.unpack(main)
        usable = magic == _MAGIC and version == _VERSION and 512 <= page_size <= 65536 and not page_size % 512
        if not usable or depth > 32 or (root != _EMPTY and not depth):
            return None
        return _Meta(page_size, depth, entries, root, last_page, transaction)

    def _damaged(self, number: int, how: str) -> DataError:
        return DataError(f"the store is damaged: its page {number} {how}", where=self.path, hint=_remedy(self.path))


def _remedy(path: Path) -> str:
    return f"ocrtune data repair {path.parent}, or copy the store again"
