"""What a template works with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ocrtune.data.synth.fonts import FontBook
from ocrtune.data.synth.sheet import Sheet
from ocrtune.data.synth.texts import Texts

_PLAIN = 0.85  # share of sheets that are set in a font which is neither bold nor slanted


@dataclass(frozen=True)
class Press:
    """What a template works with.

    Attributes:
        rng: decides everything.
        book: fonts.
        texts: what is printed.
    """

    rng: np.random.Generator
    book: FontBook
    texts: Texts

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def sheet(self, width: float, height: float, size: float, *, text: str = "", mono: bool | None = None) -> Sheet:
        """An empty sheet, with a font that can draw a text where there is one.

        Args:
            width, height: in pixels.
            size: of its usual text in pixels.
            text: what the font should be able to draw.
            mono: of equally wide letters, or not; None leaves it to chance.
        """
        font = self.book.pick(self.rng, text, mono, plain=self.rng.random() < _PLAIN) or self.book.fonts[0]
        return Sheet(int(width), int(height), self.book, font, self.rng, size=max(10, round(size)))
