"""What a labelled data set is like: sizes, heights at the training size, lengths, characters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from ocrtune.page import Page
from ocrtune.scripts import script_of

PERCENTILES = (5, 25, 50, 75, 95)
RARE = 10
"""Characters that occur less often are rare: too few examples to be learnt from."""
_SHOWN = 60


@dataclass
class DatasetStats:
    """Values of all pages and of the texts that count.

    Attributes:
        page_size: longer side in pixels at which text heights are given.
        pages, ignored: how many; ``ignored`` are texts.
        unlabelled: texts that count without anyone having said what they say.
        empty_pages: pages without a text that counts.
        widths, heights: of the pages, in pixels.
        texts_on_a_page: that count.
        text_heights: shorter side of each text at the training size.
        aspect_ratios: longer side over shorter side of each text.
        slants: angle to the nearest axis in degrees.
        lengths: characters of each text.
        characters: how often each occurs.
        scripts: characters by script: Latin, Han, ..., digits, punctuation, symbols, spaces.
    """

    page_size: int
    pages: int = 0
    ignored: int = 0
    unlabelled: int = 0
    empty_pages: int = 0
    widths: list[int] = field(default_factory=list)
    heights: list[int] = field(default_factory=list)
    texts_on_a_page: list[int] = field(default_factory=list)
    text_heights: list[float] = field(default_factory=list)
    aspect_ratios: list[float] = field(default_factory=list)
    slants: list[float] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    characters: Counter[str] = field(default_factory=Counter)

    @property
    def scripts(self) -> dict[str, int]:
        """Occurrences by script, the most frequent first."""
        scripts: Counter[str] = Counter()
        for character, count in self.characters.items():
            scripts[script_of(character)] += count
        return dict(scripts.most_common())

    @property
    def rare(self) -> list[str]:
        """Characters that occur less than `RARE` times, the rarest first."""
        rare = [(count, character) for character, count in self.characters.items() if count < RARE]
        return [character for _, character in sorted(rare)]

    def as_dict(self) -> dict[str, Any]:
        """Counts, and percentiles (5, 25, 50, 75, 95) of the values."""
        return {
            "pages": self.pages,
            "empty_pages": self.empty_pages,
            "texts": sum(self.texts_on_a_page),
            "ignored": self.ignored,
            "unlabelled": self.unlabelled,
            "characters": len(self.characters),
            "most_frequent": "".join(character for character, _ in self.characters.most_common(_SHOWN)),
            "rare_characters": len(self.rare),
            "rarest": "".join(self.rare[:_SHOWN]),
            "scripts": self.scripts,
            "page_width": _percentiles(self.widths),
            "page_height": _percentiles(self.heights),
            "texts_on_a_page": _percentiles(self.texts_on_a_page),
            f"text_height_at_{self.page_size}": _percentiles(self.text_heights),
            "text_aspect_ratio": _percentiles(self.aspect_ratios),
            "text_slant_degrees": _percentiles(self.slants),
            "text_length": _percentiles(self.lengths),
        }


def dataset_stats(pages: Iterable[Page], page_size: int, each: Callable[[], None] = lambda: None) -> DatasetStats:
    """Look at every page; of images only the header is read.

    Args:
        pages: labelled pages.
        page_size: longer side in pixels at which text heights are given.
        each: called after each page.

    Raises:
        ImageError: an image is missing or no image.
    """
    stats = DatasetStats(page_size)
    for page in pages:
        width, height = page.size()
        stats.pages += 1
        stats.widths.append(width)
        stats.heights.append(height)
        care = [region for region in page.regions if not region.ignore]
        stats.ignored += len(page.regions) - len(care)
        stats.empty_pages += not care
        stats.texts_on_a_page.append(len(care))
        for region in care:
            (_, (a, b), angle) = cv2.minAreaRect(region.polygon)
            short, long = min(a, b), max(a, b)
            stats.text_heights.append(short * page_size / max(width, height))
            stats.aspect_ratios.append(long / max(short, 1e-6))
            stats.slants.append(min(angle % 90, 90 - angle % 90))
            if region.text is None:
                stats.unlabelled += 1
            else:
                stats.lengths.append(len(region.text))
                stats.characters.update(region.text)
        each()
    return stats


def _percentiles(values: Sequence[float]) -> list[float]:
    return [round(float(v), 1) for v in np.percentile(values, PERCENTILES)] if values else []
