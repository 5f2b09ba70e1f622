"""What a labelled data set is like: sizes, heights at the training size, lengths, characters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

from ocrtune.page import Page

PERCENTILES = (5, 25, 50, 75, 95)


def dataset_stats(pages: Sequence[Page], page_size: int, each: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Counts and percentiles (5, 25, 50, 75, 95) over all pages.

    Args:
        pages: labelled pages.
        page_size: longer side in pixels at which text heights are given.
        each: called after each page.

    Raises:
        ImageError: an image is missing or damaged.
    """
    widths, heights, per_page = [], [], []
    text_heights, aspects, lengths, angles = [], [], [], []
    characters: Counter[str] = Counter()
    ignored = 0
    for page in pages:
        height, width = page.load().shape[:2]
        widths.append(width)
        heights.append(height)
        care = [region for region in page.regions if not region.ignore]
        ignored += len(page.regions) - len(care)
        per_page.append(len(care))
        for region in care:
            (_, (a, b), angle) = cv2.minAreaRect(region.polygon)
            short, long = min(a, b), max(a, b)
            text_heights.append(short * page_size / max(width, height))
            aspects.append(long / max(short, 1e-6))
            angles.append(min(angle % 90, 90 - angle % 90))
            if region.text is not None:
                lengths.append(len(region.text))
                characters.update(region.text)
        each()
    return {
        "pages": len(pages),
        "texts": sum(per_page),
        "ignored": ignored,
        "characters": len(characters),
        "most_frequent": "".join(character for character, _ in characters.most_common(60)),
        "page_width": _percentiles(widths),
        "page_height": _percentiles(heights),
        "texts_on_a_page": _percentiles(per_page),
        f"text_height_at_{page_size}": _percentiles(text_heights),
        "text_aspect_ratio": _percentiles(aspects),
        "text_slant_degrees": _percentiles(angles),
        "text_length": _percentiles(lengths),
    }


def _percentiles(values: Sequence[float]) -> list[float]:
    return [round(float(v), 1) for v in np.percentile(values, PERCENTILES)] if values else []
