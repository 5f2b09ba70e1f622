"""Images that show the same though their pixels differ: saved again, smaller, brighter, turned by a quarter.

The hash is the signs of the 32 x 32 lowest DCT coefficients of a 128 x 128 thumbnail (Zauner 2010, "Implementation and
Benchmarking of Perceptual Image Hash Functions", with 1024 bits instead of 64). In 64 or 256 bits, receipts of one shop
that differ in a few figures are as near as copies are. In 1024 bits, the nearest different ones of 250 differ in 15 %, and
a copy that was saved as JPEG of quality 30, halved, blurred or made darker differs in 4 %. Crops of 2 % at each side and
turns by 1 degree are not found.

Candidates are neighbours in sorted lists (Charikar 2002, "Similarity estimation techniques from rounding algorithms"), so
that the time is n log n.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from ocrtune.data.scratch import Row, Scratch
from ocrtune.page import Image

NEAR_BITS = 92
"""Bits of 1024 that may differ: 9 %."""
_SIDE = 32
_THUMBNAIL = 128
_TURNS = (0, 90, 180)  # 270 is the other way round of 90
_LISTS = 16
_NEIGHBOURS = 4  # in a sorted list that are compared
_LOW_BITS = 64  # of the 256 lowest that may differ for a closer look
_TOGETHER = 2048  # entries that are compared, or hashes that are turned, at a time
_ROWS = 1 << 40  # an entry is a row, plus this for a turn by a quarter, plus twice this for one over
_TABLES = (
    "CREATE TABLE prints (row INTEGER PRIMARY KEY, print BLOB)",
    "CREATE TABLE entries (entry INTEGER PRIMARY KEY, low BLOB)",
    "CREATE TABLE nearest (row INTEGER PRIMARY KEY, distance INTEGER, turn INTEGER, earlier INTEGER)",
)
_NEARER = (
    "INSERT INTO nearest VALUES (?, ?, ?, ?) ON CONFLICT (row) DO UPDATE SET distance = excluded.distance, "
    "turn = excluded.turn, earlier = excluded.earlier "
    "WHERE (excluded.distance, excluded.turn, excluded.earlier) < (distance, turn, earlier)"
)
_ONES = np.array([bin(value).count("1") for value in range(256)], np.uint8)
_Prints: TypeAlias = npt.NDArray[np.uint8]
_Entries: TypeAlias = npt.NDArray[np.int64]


def perceptual_hash(image: Image) -> bytes:
    """128 bytes for an image, uint8 [H, W, 3] BGR: the signs of DCT coefficients, row by row."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (_THUMBNAIL, _THUMBNAIL), interpolation=cv2.INTER_AREA)
    signs = cv2.dct(small.astype(np.float32))[:_SIDE, :_SIDE] > 0
    signs[0, 0] = False  # the mean brightness
    return np.packbits(signs).tobytes()


def near_pairs(prints: Iterable[tuple[int, bytes]], boundary: int | None = None) -> Iterator[tuple[int, int, int]]:
    """Pairs of images that show the same; what is compared lies in a temporary file.

    Args:
        prints: (row, perceptual hash) of images, in the order of the rows.
        boundary: only pairs with one row before it and one from it on; None for all.

    Yields:
        (row, earlier row, degrees by which one of them is turned: 0, 90 or 180), in the order of the rows; of each row the
        nearest one.

    Raises:
        DataError: the temporary file cannot be written.
    """
    scratch = Scratch(*_TABLES)
    _fill(scratch, prints)
    for a, b in _neighbours(scratch):
        rows_a, rows_b = a % _ROWS, b % _ROWS
        usable = ((a < _ROWS) | (b < _ROWS)) & (rows_a != rows_b)  # two that are turned say nothing new
        if boundary is not None:
            usable &= (rows_a < boundary) != (rows_b < boundary)
        a, b = a[usable], b[usable]
        if not len(a):
            continue
        distance = _distance(scratch, a, b)
        for i in np.flatnonzero(distance <= NEAR_BITS):
            earlier, row = sorted((int(a[i] % _ROWS), int(b[i] % _ROWS)))
            turn = _TURNS[int(max(a[i], b[i]) // _ROWS)]
            scratch.change(_NEARER, row, int(distance[i]), turn, earlier)
    yield from scratch.rows("SELECT row, earlier, turn FROM nearest ORDER BY row")


def _fill(scratch: Scratch, prints: Iterable[tuple[int, bytes]]) -> None:
    """Write hashes, and the low bits of each image as it is, turned by a quarter, and turned over."""
    prints = iter(prints)
    while portion := list(islice(prints, _TOGETHER)):
        scratch.add("prints", portion)
        rows = [row for row, _ in portion]
        hashes = _stacked(found for _, found in portion)
        for number, turn in enumerate(_TURNS):
            low = _turned(hashes, turn).reshape(-1, _SIDE, _SIDE // 8)[:, :16, :2].reshape(-1, 32)
            scratch.add(
                "entries", [(number * _ROWS + row, bits.tobytes()) for row, bits in zip(rows, low, strict=True)]
            )


def _neighbours(scratch: Scratch) -> Iterator[tuple[_Entries, _Entries]]:
    """Entries with nearly the same low bits that lie close to each other in a list sorted by 64 of them, in portions."""
    for number in range(_LISTS):
        first, more = (
            2 * number + 1,
            max(2 * number + 8 - 32, 0),
        )  # bytes from 1; the last lists go on at the first byte
        query = f"SELECT entry, low FROM entries ORDER BY substr(low, {first}, 8), substr(low, 1, {more}), entry"
        found = scratch.rows(query)
        last: list[Row] = []
        while portion := list(islice(found, _TOGETHER)):
            known, portion = len(last), last + portion
            entries = np.array([entry for entry, _ in portion], np.int64)
            bits = _stacked(low for _, low in portion)
            pairs = []
            for step in range(1, _NEIGHBOURS + 1):
                start = max(known - step, 0)  # those before it were compared in the last portion
                near = _differing(bits[start:-step], bits[start + step :]) <= _LOW_BITS
                pairs.append((entries[start:-step][near], entries[start + step :][near]))
            a, b = zip(*pairs, strict=True)
            yield np.concatenate(a), np.concatenate(b)
            last = portion[-_NEIGHBOURS:]


def _distance(scratch: Scratch, a: _Entries, b: _Entries) -> npt.NDArray[np.int64]:
    """Number of bits in which entries differ, int64 [pairs]."""
    entries, places = np.unique(np.concatenate([a, b]), return_inverse=True)
    query = "SELECT print FROM prints WHERE row = ?"
    hashes = _stacked(found for row in entries % _ROWS for (found,) in scratch.rows(query, int(row)))
    for number, turn in enumerate(_TURNS[1:], start=1):
        chosen = entries // _ROWS == number
        hashes[chosen] = _turned(hashes[chosen], turn)
    return _differing(hashes[places[: len(a)]], hashes[places[len(a) :]])


def _stacked(rows: Iterable[bytes]) -> _Prints:
    """Rows of equal length as uint8 [rows, bytes]."""
    values = list(rows)
    return np.frombuffer(bytearray().join(values), np.uint8).reshape(len(values), len(values[0]))


def _differing(a: _Prints, b: _Prints) -> npt.NDArray[np.int64]:
    """Number of bits in which rows of bytes differ, int64 [rows]."""
    return _ONES[a ^ b].sum(axis=1, dtype=np.int64)


def _turned(prints: _Prints, turn: int) -> _Prints:
    """Hashes of images turned to the right by 0, 90 or 180 degrees: signs change places, and every other one flips."""
    if turn == 0:
        return prints
    column = np.arange(_SIDE) % 2 == 1
    signs = np.unpackbits(prints, axis=1).reshape(-1, _SIDE, _SIDE).astype(bool)
    signs = signs.transpose(0, 2, 1) ^ column if turn == 90 else signs ^ column ^ column[:, None]
    signs[:, 0, 0] = False
    return np.packbits(signs.reshape(-1, _SIDE * _SIDE), axis=1)
