"""Splitting by content: which part a page belongs to depends on its pixels only, so that twins stay together."""

from __future__ import annotations

from collections.abc import Sequence

from ocrtune.data.content import content_hash
from ocrtune.errors import DataError, UsageError
from ocrtune.page import Page


def split_pages(
    pages: Sequence[Page], shares: Sequence[float], hashes: Sequence[str] | None = None, minimum: int = 0
) -> list[list[Page]]:
    """Cut pages, ordered by the hash of their content, into parts.

    Args:
        pages: what to split; each part keeps their order.
        shares: relative sizes of the parts, for example 70, 20, 10.
        hashes: content hash of each page, where they are known already.
        minimum: pages that every part gets at least, where there are enough for all.

    Raises:
        UsageError: a share is negative, or all are 0.
        DataError: there are fewer different pages than parts.
        ImageError: an image is missing or damaged.
    """
    if not shares or min(shares) < 0 or sum(shares) <= 0:
        raise UsageError("the shares of a split must not be negative, and not all 0", where=str(list(shares)))
    digests = list(hashes) if hashes is not None else [content_hash(page.load()) for page in pages]
    order = sorted(set(digests))
    wanted = [share for share in shares if share > 0]
    if len(order) < len(wanted):
        raise DataError(
            f"{len(order)} different pages cannot be split into {len(wanted)} parts", expected=f"at least {len(wanted)}"
        )
    sizes = _sizes(len(order), shares, minimum)
    part_of: dict[str, int] = {}
    start = 0
    for part, size in enumerate(sizes):
        part_of.update(dict.fromkeys(order[start : start + size], part))
        start += size
    parts: list[list[Page]] = [[] for _ in shares]
    for page, digest in zip(pages, digests, strict=True):
        parts[part_of[digest]].append(page)
    return parts


def _sizes(total: int, shares: Sequence[float], minimum: int) -> list[int]:
    """Whole numbers that add up to the total; parts with a share get at least one, and the minimum where it fits."""
    least = [0 if share == 0 else min(minimum, total // len(shares)) or 1 for share in shares]
    exact = [total * share / sum(shares) for share in shares]
    sizes = [max(low, int(value)) for low, value in zip(least, exact, strict=True)]
    while (gap := total - sum(sizes)) != 0:
        step = 1 if gap > 0 else -1
        candidates = [i for i, share in enumerate(shares) if share > 0 and (step > 0 or sizes[i] > least[i])]
        sizes[max(candidates, key=lambda i: step * (exact[i] - sizes[i]))] += step
    return sizes
