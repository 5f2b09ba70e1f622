"""Decoded pages that stay in memory between epochs, as far as they fit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ocrtune.page import Image, Page


class PageCache:
    """Decodes pages, and keeps what comes first as long as there is room: an epoch has no page that is wanted more often.

    Each process fills its own; a copy sent to another process arrives empty.

    Args:
        pages: to be decoded.
        limit: bytes of pixels that are kept at most.
    """

    def __init__(self, pages: Sequence[Page], limit: int) -> None:
        self._pages, self._limit = pages, limit
        self._kept: dict[int, Image] = {}
        self._room = limit

    def __reduce__(self) -> tuple[type[PageCache], tuple[Sequence[Page], int]]:
        return PageCache, (self._pages, self._limit)

    def load(self, index: int) -> Image:
        """A page's pixels, uint8 [H, W, 3] BGR; not to be written to.

        Raises:
            ImageError: the page's image is missing or damaged.
        """
        page, image = self._pages[index], self._kept.get(index)
        if image is None:
            image = page.load()
            if image.nbytes <= self._room and not isinstance(page.image, np.ndarray):
                image.flags.writeable = False
                self._kept[index] = image
                self._room -= image.nbytes
        return image
