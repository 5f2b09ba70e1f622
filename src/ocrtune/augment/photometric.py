"""Photometry: colour and contrast, noise, blur, compression, shadows. Regions stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import cv2
import numpy as np
import numpy.typing as npt

from ocrtune.page import Image, TextRegion

_ROWS = 32  # of an image at a time


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
        return add_noise(image, float(rng.uniform(0, self.sigma)), rng)


def add_noise(image: Image, sigma: float, rng: np.random.Generator) -> Image:
    """Normally distributed noise on every value of an image, rounded down to whole grey levels.

    Random 16-bit numbers are looked up among the quantiles of the distribution, which is six times as fast as drawing
    from it; nothing lies beyond 4.3 standard deviations.
    """
    levels = np.floor(_normal_quantiles() * sigma).astype(np.int16)
    noisy = np.empty_like(image)
    for top in range(0, len(image), _ROWS):  # in pieces that stay in the processor's cache
        rows = image[top : top + _ROWS]
        drawn = np.frombuffer(rng.bytes(2 * rows.size), np.uint16).reshape(rows.shape)
        noisy[top : top + _ROWS] = np.clip(rows + np.take(levels, drawn), 0, 255)
    return noisy


@cache
def _normal_quantiles() -> npt.NDArray[np.float64]:
    """The standard normal distribution in 65536 equally likely values, ascending."""
    upper = np.array([NormalDist().inv_cdf((i + 0.5) / 65536) for i in range(32768, 65536)])
    return np.concatenate([-upper[::-1], upper])


@dataclass(frozen=True)
class GaussianBlur(_Photometric):
    """Blur with a standard deviation up to ``sigma`` pixels."""

    sigma: float = 1.2
    prob: float = 0.15

    def _changed(self, image: Image, rng: np.random.Generator) -> Image:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, self.sigma)), np.uint8)


@dataclass(frozen=True)
class MotionBlur(_Photometric):
    """Blur along a random direction, as of a hand that moved; up to ``length`` pixels long."""

    length: int = 9
    prob: float = 0.15

    def _changed(self, image: Image, rng: np.random.Generator) -> Image:
        return motion_blur(image, int(rng.integers(3, max(4, self.length + 1))), rng.uniform(0, np.pi))


def motion_blur(image: Image, length: int, angle: float) -> Image:
    """An image averaged along a line of ``length`` pixels in the direction ``angle``, in radians."""
    kernel = np.zeros((length, length), np.float32)
    reach = (length - 1) / 2
    ends = [(round(reach + d * np.cos(angle) * reach), round(reach + d * np.sin(angle) * reach)) for d in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE), np.uint8)


@dataclass(frozen=True)
class Jpeg(_Photometric):
    """Compressed anew, with visible loss.

    Attributes:
        quality: range of JPEG's quality.
        prob: share of images that are changed.
    """

    quality: tuple[int, int] = (25, 80)
    prob: float = 0.1

    def _changed(self, image: Image, rng: np.random.Generator) -> Image:
        coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(*self.quality))])[1]
        return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)


@dataclass(frozen=True)
class Shadow(_Photometric):
    """A shadow with a soft edge over one side of the image, or across it as a band.

    Attributes:
        depth: range of the share of light that it takes.
        prob: share of images that get one.
    """

    depth: tuple[float, float] = (0.2, 0.6)
    prob: float = 0.15

    def _changed(self, image: Image, rng: np.random.Generator) -> Image:
        height, width = image.shape[:2]
        angle, depth = rng.uniform(0, 2 * np.pi), rng.uniform(*self.depth)
        edge, softness = rng.uniform(-0.5, 0.5), rng.uniform(0.02, 0.3)
        band = rng.uniform(0.2, 0.8) if rng.random() < 0.5 else np.inf
        x = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None] * np.float32(np.cos(angle))
        y = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None] * np.float32(np.sin(angle))
        behind = x + y - np.float32(edge)  # how far behind the shadow's edge, as a share of the image's sides
        covered = np.minimum(behind, np.float32(band) - behind) / np.float32(softness)
        light = 1 - np.float32(depth) * np.clip(covered, 0, 1)
        return np.asarray(cv2.multiply(image, cv2.merge([light] * 3), dtype=cv2.CV_8U), np.uint8)
