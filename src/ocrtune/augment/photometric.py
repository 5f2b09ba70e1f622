"""Photometry: colour and contrast, noise, blur. Regions stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ocrtune.page import Image, TextRegion


class _Photometric:
    """A change of the pixels of a share ``prob`` of the images."""

    prob: float

    def __call__(
        self, image: Image, regions: Sequence[TextRegion], rng: np.random.Generator
    ) -> tuple[Image, list[TextRegion]]:
        if rng.random() < self.prob:
            image = self._changed(image, rng)
        return image, list(regions)

    def _changed(self, image: Image, rng: np.random.Generator) -> Image:
        raise NotImplementedError


@dataclass(frozen=True)
class ColourJitter(_Photometric):
    """Contrast, brightness, gamma and the balance of the channels, in one look-up table.

    Attributes:
        contrast, brightness, gamma, balance: largest relative change, either way.
        prob: share of images that are changed.
    """

    contrast: float = 0.3
    brightness: float = 0.15
    gamma: float = 0.25
    balance: float = 0.06
    prob: float = 0.7

    def _changed(self, image: Image, rng: np.random.Generator) -> Image:
        ramp = np.linspace(0, 1, 256) ** float(np.exp(rng.uniform(-self.gamma, self.gamma)))
        ramp = (ramp - 0.5) * rng.uniform(1 - self.contrast, 1 + self.contrast) + 0.5
        ramp = ramp + rng.uniform(-self.brightness, self.brightness)
        table = ramp[:, None] * rng.uniform(1 - self.balance, 1 + self.balance, 3)
        levels = np.clip(np.round(table * 255), 0, 255).astype(np.uint8)[None]
        return np.asarray(cv2.LUT(image, levels), np.uint8)


@dataclass(frozen=True)
class GaussianNoise(_Photometric):
    """Independent noise on every value, with a standard deviation up to ``sigma`` grey levels."""

    sigma: float = 10.0
    prob: float = 0.15

    def _changed(self, image: Image, rng: np.random.Generator) -> Image:
        noise = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(rng.uniform(0, self.sigma))
        return np.clip(image + noise, 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class GaussianBlur(_Photometric):
    """Blur with a standard deviation up to ``sigma`` pixels."""

    sigma: float = 1.2
    prob: float = 0.15

    def _changed(self, image: Image, rng: np.random.Generator) -> Image:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, self.sigma)), np.uint8)
