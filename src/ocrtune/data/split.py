"""Splitting by content: which part a page belongs to depends on its pixels, so that twins stay together.

Pages of a group, such as the pages of one document, stay together too.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

from ocrtune.data.content import content_hash
from ocrtune.errors import DataError, UsageError
from ocrtune.page import Page


def split_pages(
    pages: Sequence[Page],
    shares: Sequence[float],
    hashes: Sequence[str] | None = None,
    minimum: int = 0,
    groups: Sequence[str] | None = None,
) -> list[list[Page]]:
    """Cut pages, ordered by the hash of their content, into parts.

    With groups the parts are filled with whole groups, the largest first, so that their numbers of pages come as near to
    the shares as the groups allow.

    Args:
        pages: what to split; each part keeps their order.
        shares: relative sizes of the parts, for example 70, 20, 10.
        hashes: content hash of each page, where they are known already.
        minimum: pages that every part gets at least, where there are enough for all; without groups only.
        groups: name of each page's group; None where every page stands for itself.

    Raises:
        UsageError: a share is negative, or all are 0.
        DataError: there are fewer different pages or groups than parts.
        ImageError: an image is missing or damaged.
    """
    if not shares or min(shares) < 0 or sum(shares) <= 0:
        raise UsageError("the shares of a split must not be negative, and not all 0", where=str(list(shares)))
    digests = list(hashes) if hashes is not None else [content_hash(page.load()) for page in pages]
    keys = digests if groups is None else _united(digests, groups)
    order = sorted(set(keys))
    wanted = [share for share in shares if share > 0]
    if len(order) < len(wanted):
        what = "different pages" if groups is None else "groups of pages"
        raise DataError(
            f"{len(order)} {what} cannot be split into {len(wanted)} parts",
            expected=f"at least {len(wanted)}",
            hint=None
            if groups is None
            else "pages with equal pixels join their groups: look for twins, or group otherwise",
        )
    part_of = _by_order(order, shares, minimum) if groups is None else _by_size(keys, shares)
    parts: list[list[Page]] = [[] for _ in shares]
    for page, key in zip(pages, keys, strict=True):
        parts[part_of[key]].append(page)
    return parts


def _by_order(order: Sequence[str], shares: Sequence[float], minimum: int) -> dict[str, int]:
    """The part of each page by its hash: consecutive runs of the sorted hashes."""
    part_of: dict[str, int] = {}
    start = 0
    for part, size in enumerate(_sizes(len(order), shares, minimum)):
        part_of.update(dict.fromkeys(order[start : start + size], part))
        start += size
    return part_of


def _by_size(keys: Sequence[str], shares: Sequence[float]) -> dict[str, int]:
    """The part of each group: the largest first, each to the part that lacks the most pages."""
    count: dict[str, int] = defaultdict(int)
    for key in keys:
        count[key] += 1
    lacking = [len(keys) * share / sum(shares) for share in shares]
    empty = {part for part, share in enumerate(shares) if share > 0}
    open_parts = sorted(empty)
    part_of: dict[str, int] = {}
    for index, key in enumerate(sorted(count, key=lambda key: (-count[key], key))):
        candidates = sorted(empty) if len(count) - index == len(empty) else open_parts
        part = max(candidates, key=lambda part: lacking[part])
        part_of[key] = part
        lacking[part] -= count[key]
        empty.discard(part)
    return part_of


def _united(digests: Sequence[str], groups: Sequence[str]) -> list[str]:
    """For each page the key of what it must stay together with: its group, and groups that share an image with it."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for digest, group in zip(digests, groups, strict=True):
        parent[root(f"image {digest}")] = root(group)
    members: dict[str, set[str]] = defaultdict(set)
    for digest in digests:
        members[root(f"image {digest}")].add(digest)
    # the smallest hash of the members' pixels: the same wherever the files lie and whatever the groups are called
    return [hashlib.sha256(min(members[root(f"image {digest}")]).encode()).hexdigest() for digest in digests]


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
