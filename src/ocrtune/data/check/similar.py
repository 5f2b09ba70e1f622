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

from collections.abc import Iterator
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from ocrtune.page import Image

NEAR_BITS = 92
"""Bits of 1024 that may differ: 9 %."""
_SIDE = 32
_THUMBNAIL = 128
_TURNS = (0, 90, 180)  # 270 is the other way round of 90
_LISTS = 16
_NEIGHBOURS = 4  # in a sorted list that are compared
_LOW_BITS = 64  # of the 256 lowest that may differ for a closer look
_TOGETHER = 512  # hashes that are unpacked at a time
_COMPARED = 8192  # pairs that are compared at a time
_ONES = np.array([bin(value).count("1") for value in range(256)], np.uint8)
_Prints: TypeAlias = npt.NDArray[np.uint8]


def perceptual_hash(image: Image) -> bytes:
    """128 bytes for an image, uint8 [H, W, 3] BGR: the signs of DCT coefficients, row by row."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (_THUMBNAIL, _THUMBNAIL), interpolation=cv2.INTER_AREA)
    signs = cv2.dct(small.astype(np.float32))[:_SIDE, :_SIDE] > 0
    signs[0, 0] = False  # the mean brightness
    return np.packbits(signs).tobytes()


def near_pairs(prints: _Prints, boundary: int | None = None) -> list[tuple[int, int, int]]:
    """Pairs of images that show the same.

    Args:
        prints: perceptual hashes, uint8 [n, 128].
        boundary: only pairs with one row before it and one from it on; None for all.

    Returns:
        (row, earlier row, degrees by which one of them is turned: 0, 90 or 180), in the order of the rows; of each row the
        nearest one.
    """
    count = len(prints)
    # an entry is a row as it is, then turned by a quarter, then turned over
    low = np.concatenate([_low_bits(prints, turn) for turn in _TURNS])
    best: dict[int, tuple[int, int, int]] = {}
    for a, b in _neighbours(low):
        usable = ((a < count) | (b < count)) & (a % count != b % count)
        if boundary is not None:
            usable &= (a % count < boundary) != (b % count < boundary)
        a, b = a[usable], b[usable]
        near = _ONES[low[a] ^ low[b]].sum(axis=1, dtype=np.int64) <= _LOW_BITS
        a, b = a[near], b[near]
        distance = _distance(prints, a, b)
        for i in np.flatnonzero(distance <= NEAR_BITS):
            first, second = int(a[i]), int(b[i])
            turn = _TURNS[max(first, second) // count]
            row, earlier = max(first % count, second % count), min(first % count, second % count)
            best[row] = min(best.get(row, (NEAR_BITS + 1, 0, 0)), (int(distance[i]), turn, earlier))
    return [(row, earlier, turn) for row, (_, turn, earlier) in sorted(best.items())]


def _neighbours(low: _Prints) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """Entries that lie close to each other in a list that is sorted by 64 of their bits, in portions of some thousands."""
    for number in range(_LISTS):
        columns = (2 * number + np.arange(8)) % low.shape[1]
        keys = np.ascontiguousarray(low[:, columns]).view(">u8").reshape(-1)
        order = np.argsort(keys.astype(np.uint64), kind="stable")
        for step in range(1, _NEIGHBOURS + 1):
            for start in range(0, len(order) - step, _COMPARED):
                end = min(start + _COMPARED, len(order) - step)
                yield order[start:end], order[start + step : end + step]


def _low_bits(prints: _Prints, turn: int) -> _Prints:
    """The signs of the 16 x 16 lowest coefficients of turned images, uint8 [n, 32]."""
    parts = [_turned(prints[start : start + _TOGETHER], turn) for start in range(0, len(prints), _TOGETHER)]
    lowest = [part.reshape(-1, _SIDE, _SIDE // 8)[:, :16, :2].reshape(-1, 32) for part in parts]
    return np.concatenate(lowest) if lowest else np.empty((0, 32), np.uint8)


def _distance(prints: _Prints, a: npt.NDArray[np.intp], b: npt.NDArray[np.intp]) -> npt.NDArray[np.int64]:
    """Number of bits in which entries differ, int64 [pairs]."""
    parts = [np.empty(0, np.int64)]
    for start in range(0, len(a), _TOGETHER):
        part = slice(start, start + _TOGETHER)
        parts.append(_ONES[_entries(prints, a[part]) ^ _entries(prints, b[part])].sum(axis=1, dtype=np.int64))
    return np.concatenate(parts)


def _entries(prints: _Prints, entries: npt.NDArray[np.intp]) -> _Prints:
    """Hashes of rows, turned as the entries say."""
    found = prints[entries % len(prints)]
    for number, turn in enumerate(_TURNS[1:], start=1):
        chosen = entries // len(prints) == number
        found[chosen] = _turned(found[chosen], turn)
    return found


def _turned(prints: _Prints, turn: int) -> _Prints:
    """Hashes of images turned to the right by 0, 90 or 180 degrees: signs change places, and every other one flips."""
    if turn == 0:
        return prints
    column = np.arange(_SIDE) % 2 == 1
    signs = np.unpackbits(prints, axis=1).reshape(-1, _SIDE, _SIDE).astype(bool)
    signs = signs.transpose(0, 2, 1) ^ column if turn == 90 else signs ^ column ^ column[:, None]
    signs[:, 0, 0] = False
    return np.packbits(signs.reshape(-1, _SIDE * _SIDE), axis=1)
