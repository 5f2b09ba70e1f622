"""Augmentation: transforms that map (image, regions, rng) to (image, regions), one family a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ocrtune.page import Image, TextRegion


class Transform(Protocol):
    """A random change of an image, uint8 [H, W, 3] BGR, with its regions; all chance comes from ``rng``."""

    def __call__(
        self, image: Image, regions: Sequence[TextRegion], rng: np.random.Generator
    ) -> tuple[Image, list[TextRegion]]: ...


class Compose:
    """Transforms one after the other."""

    def __init__(self, transforms: Sequence[Transform]) -> None:
        self.transforms = tuple(transforms)

    def __call__(
        self, image: Image, regions: Sequence[TextRegion], rng: np.random.Generator
    ) -> tuple[Image, list[TextRegion]]:
        result = list(regions)
        for transform in self.transforms:
            image, result = transform(image, result, rng)
        return image, result
