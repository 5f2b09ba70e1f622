"""Independent pieces of work on several threads: NumPy, OpenCV and the engines run beside each other."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

_A = TypeVar("_A")
_B = TypeVar("_B")


def each(work: Callable[[_A], _B], pieces: Sequence[_A], threads: int) -> list[_B]:
    """What ``work`` gives for each piece, in their order; it may not call this function itself.

    Raises:
        Exception: the first that ``work`` raises.
    """
    if threads == 1 or len(pieces) < 2:
        return [work(piece) for piece in pieces]
    return list(_pool(threads).map(work, pieces))


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="runtime")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a forked process has none of its threads
