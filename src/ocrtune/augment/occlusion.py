"""Occlusion: patches of one colour over the page, as stains, stamps and fingers leave them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from ocrtune.page import Image, TextRegion


@dataclass(frozen=True)
class Occlusion:
    """Up to ``patches`` filled ellipses; a text that they cover by more than ``max_cover`` becomes ignored.

    Attributes:
        patches: largest number.
        size: range of their half axes as a share of the image's shorter side.
        max_cover: covered share up to which a text stays a label.
        prob: share of images that get any.
    """

    patches: int = 3
    size: tuple[float, float] = (0.01, 0.06)
    max_cover: float = 0.3
    prob: float = 0.1

    def __call__(
        self, image: Image, regions: Sequence[TextRegion], rng: np.random.Generator
    ) -> tuple[Image, list[TextRegion]]:
        if rng.random() >= self.prob:
            return image, list(regions)
        height, width = image.shape[:2]
        covered = np.zeros((height, width), np.uint8)
        image = image.copy()
        for _ in range(int(rng.integers(1, self.patches + 1))):
            centre = (int(rng.integers(width)), int(rng.integers(height)))
            axes = tuple(round(v) for v in rng.uniform(*self.size, 2) * min(width, height))
            angle = float(rng.uniform(0, 180))
            colour = tuple(int(v) for v in rng.integers(0, 256, 3))
            cv2.ellipse(image, centre, axes, angle, 0, 360, colour, -1)
            cv2.ellipse(covered, centre, axes, angle, 0, 360, 1, -1)
        return image, [self._judged(region, covered) for region in regions]

    def _judged(self, region: TextRegion, covered: np.ndarray) -> TextRegion:
        height, width = covered.shape
        low = np.clip(np.floor(region.polygon.min(axis=0)), 0, (width - 1, height - 1)).astype(int)
        high = np.clip(np.ceil(region.polygon.max(axis=0)), 0, (width - 1, height - 1)).astype(int)
        window = covered[low[1] : high[1] + 1, low[0] : high[0] + 1]
        if not window.any():
            return region
        inside = np.zeros_like(window)
        cv2.fillPoly(inside, [np.round(region.polygon - low).astype(np.int32)], 1)
        share = float((window & inside).sum()) / max(int(inside.sum()), 1)
        return replace(region, ignore=True) if share > self.max_cover else region
