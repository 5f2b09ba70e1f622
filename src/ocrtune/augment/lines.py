"""Changes of text line crops: an image alone goes in and comes out, since a line has no outlines to move.

Every change is a small object with a probability; all chance comes from ``rng``. None of them turns or mirrors a line,
so that a direction label stays true (facts: a flip that leaks the label made published classifiers collapse).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from ocrtune.augment import photometric
from ocrtune.augment.photometric import motion_blur
from ocrtune.page import Image

MIN_SIDE = 12
"""Pixels; smaller lines are not warped or cut, since little of them would be left."""


class LineTransform(Protocol):
    """A random change of a line, uint8 [H, W, 3] BGR."""

    def __call__(self, image: Image, rng: np.random.Generator) -> Image: ...


@dataclass(frozen=True)
class Chain:
    """Changes one after the other."""

    transforms: Sequence[LineTransform]

    def __call__(self, image: Image, rng: np.random.Generator) -> Image:
        for transform in self.transforms:
            image = transform(image, rng)
        return image


@dataclass(frozen=True)
class _Sometimes:
    """A change of a share ``prob`` of the lines."""

    prob: float = 0.5

    def __call__(self, image: Image, rng: np.random.Generator) -> Image:
        return self._changed(image, rng) if rng.random() < self.prob else image

    def _changed(self, image: Image, rng: np.random.Generator) -> Image:
        raise NotImplementedError


@dataclass(frozen=True)
class Tia(_Sometimes):
    """Text image augmentation: the line is bent by moving points on its upper and lower edge.

    Source: Luo et al., "Learn to Augment" (2020), in PaddleOCR's three forms. One of ``kinds`` is drawn for each line.

    Attributes:
        kinds: ``distort`` moves points both ways, ``stretch`` along the line, ``perspective`` moves the corners up and
            down.
    """

    kinds: tuple[str, ...] = ("distort", "stretch", "perspective")

    def _changed(self, image: Image, rng: np.random.Generator) -> Image:
        height, width = image.shape[:2]
        if min(height, width) < MIN_SIDE:
            return image
        kind = str(rng.choice(self.kinds))
        if kind == "perspective":
            reach = height // 4
            top_left, top_right, bottom_right, bottom_left = rng.uniform(0, reach, 4)
            source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
            target = source + np.array([[0, top_left], [0, top_right], [0, -bottom_right], [0, -bottom_left]])
            return move_points(image, source, target)
        segments = int(rng.integers(3, 7))
        x = np.linspace(0, width, segments + 1)
        source = np.concatenate([np.stack([x, np.zeros_like(x)], 1), np.stack([x, np.full_like(x, height)], 1)])
        step = width // segments
        shift = np.zeros_like(source)
        if kind == "stretch":
            reach = step // 2  # more than PaddleOCR's 4/5 would push neighbouring characters into each other
            inner = rng.uniform(-0.5, 0.5, segments - 1) * reach
            shift[1:segments, 0] = inner
            shift[segments + 2 : -1, 0] = inner
        else:
            reach = max(1.0, min(step, height) / 3)
            shift = rng.uniform(-0.5, 0.5, source.shape) * reach
            shift[[0, segments, segments + 1, -1]] = np.abs(shift[[0, segments, segments + 1, -1]])
            shift[[segments, -1], 0] *= -1
            shift[segments + 1 :, 1] = -np.abs(shift[segments + 1 :, 1])
            shift[: segments + 1, 1] = np.abs(shift[: segments + 1, 1])
        return move_points(image, source, source + shift)


def move_points(image: Image, source: npt.NDArray[np.float64], target: npt.NDArray[np.float64]) -> Image:
    """Warp an image so that points move, and what is between follows smoothly.

    Source: Schaefer et al., "Image Deformation Using Moving Least Squares" (2006), the affine form, evaluated on a
    coarse grid and interpolated.

    Args:
        image: uint8 [H, W, 3].
        source, target: float64 [N, 2], where points are and where they go, in pixels.
    """
    height, width = image.shape[:2]
    columns, rows = max(2, width // 12 + 1), max(2, height // 12 + 1)
    grid_x, grid_y = np.meshgrid(np.linspace(0, width - 1, columns), np.linspace(0, height - 1, rows))
    at = np.stack([grid_x.ravel(), grid_y.ravel()], 1)
    # the inverse map: for each place in the result, where its pixel comes from
    weight = 1 / (np.square(at[:, None] - target[None]).sum(-1) + 1e-3)
    weight /= weight.sum(1, keepdims=True)
    p_mean, q_mean = weight @ target, weight @ source
    p, q = target[None] - p_mean[:, None], source[None] - q_mean[:, None]
    spread = np.einsum("gn,gni,gnj->gij", weight, p, p) + 1e-6 * np.eye(2)
    cross = np.einsum("gn,gni,gnj->gij", weight, p, q)
    matrix = np.linalg.solve(spread, cross)
    origin = (np.einsum("gi,gij->gj", at - p_mean, matrix) + q_mean).reshape(rows, columns, 2).astype(np.float32)
    # align corners: the grid's first and last points are the image's first and last pixels
    x = np.linspace(0, columns - 1, width, dtype=np.float32)
    y = np.linspace(0, rows - 1, height, dtype=np.float32)
    full = cv2.remap(origin, *np.meshgrid(x, y), cv2.INTER_LINEAR)
    return np.asarray(
        cv2.remap(image, full[..., 0], full[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


@dataclass(frozen=True)
class Rotation(_Sometimes):
    """A turn by up to ``degrees`` either way; the border is repeated into the corners.

    Long lines turn less (but by 2 degrees at least): their ends move by no more than a quarter of the height, so that
    no letter is lost.
    """

    degrees: float = 2.0

    def _changed(self, image: Image, rng: np.random.Generator) -> Image:
        height, width = image.shape[:2]
        most = min(self.degrees, max(2.0, float(np.degrees(np.arctan(0.5 * height / width)))))
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.uniform(-most, most)), 1.0)
        return np.asarray(cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8)


@dataclass(frozen=True)
class Perspective(_Sometimes):
    """Seen at an angle: each corner moves inwards by up to ``reach`` of the line's height; the border is repeated."""

    reach: float = 0.25

    def _changed(self, image: Image, rng: np.random.Generator) -> Image:
        height, width = image.shape[:2]
        if min(height, width) < MIN_SIDE:
            return image
        corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32) - np.float32(0.5)
        inwards = rng.uniform(0, self.reach * min(height, width), (4, 2)) * [[1, 1], [-1, 1], [-1, -1], [1, -1]]
        matrix = cv2.getPerspectiveTransform(corners, (corners + inwards).astype(np.float32))
        return np.asarray(
            cv2.warpPerspective(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8
        )


@dataclass(frozen=True)
class Blur(_Sometimes):
    """Out of focus, or moved while the shutter was open."""

    def _changed(self, image: Image, rng: np.random.Generator) -> Image:
        height = image.shape[0]
        if rng.random() < 0.5:
            return np.asarray(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.2, 0.03 * height + 0.4))), np.uint8)
        return motion_blur(image, int(rng.integers(2, max(3, height // 8))), rng.uniform(0, np.pi))


@dataclass(frozen=True)
class MotionBlur(_Sometimes):
    """Moved while the shutter was open, by up to a sixth of the line's height."""

    def _changed(self, image: Image, rng: np.random.Generator) -> Image:
        return motion_blur(image, int(rng.integers(2, max(4, image.shape[0] // 6 + 1))), rng.uniform(0, np.pi))


@dataclass(frozen=True)
class Noise(_Sometimes):
    """Gaussian noise with a standard deviation up to ``sigma`` grey levels."""

    sigma: float = 14.0

    def _changed(self, image: Image, rng: np.random.Generator) -> Image:
        noise = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(rng.uniform(1, self.sigma))
        return np.clip(image + noise, 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Coarse(_Sometimes):
    """Seen through a grid of down to ``smallest`` pixels of height, as a photo from further away."""

    smallest: float = 12.0

    def _changed(self, image: Image, rng: np.random.Generator) -> Image:
        height, width = image.shape[:2]
        if height <= self.smallest:
            return image
        scale = float(np.exp(rng.uniform(np.log(max(self.smallest / height, 0.3)), 0.0)))
        small = cv2.resize(image, (max(2, round(width * scale)), max(2, round(height * scale))), interpolation=3)
        return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


@dataclass(frozen=True)
class Jpeg(_Sometimes):
    """Compressed anew, with visible loss."""

    def _changed(self, image: Image, rng: np.random.Generator) -> Image:
        return photometric.Jpeg(prob=1.0)(image, [], rng)[0]


@dataclass(frozen=True)
class Invert(_Sometimes):
    """Light and dark exchanged."""

    def _changed(self, image: Image, rng: np.random.Generator) -> Image:
        return 255 - image


@dataclass(frozen=True)
class Colour(_Sometimes):
    """Contrast, brightness, gamma and channel balance (see `ocrtune.augment.photometric.ColourJitter`)."""

    def _changed(self, image: Image, rng: np.random.Generator) -> Image:
        return photometric.ColourJitter(prob=1.0)(image, [], rng)[0]


@dataclass(frozen=True)
class Shadow(_Sometimes):
    """A shadow over one side or across (see `ocrtune.augment.photometric.Shadow`)."""

    def _changed(self, image: Image, rng: np.random.Generator) -> Image:
        return photometric.Shadow(prob=1.0)(image, [], rng)[0]


@dataclass(frozen=True)
class Erase(_Sometimes):
    """Hide parts of a line.

    Attributes:
        kind: ``cutout`` (DeVries and Taylor 2017): one square of the mean colour; ``random_erasing`` (Zhong et al.
            2020): one rectangle of noise; ``hide_and_seek`` (Singh et al. 2018): cells of a grid at random;
            ``grid_mask`` (Chen et al. 2020): regular squares.
    """

    kind: str = "cutout"

    def _changed(self, image: Image, rng: np.random.Generator) -> Image:
        height, width = image.shape[:2]
        hidden = np.zeros((height, width), bool)
        if self.kind == "cutout":
            side = max(1, int(0.5 * height))
            x, y = int(rng.integers(width)), int(rng.integers(height))
            hidden[max(0, y - side // 2) : y + side // 2 + 1, max(0, x - side // 2) : x + side // 2 + 1] = True
        elif self.kind == "random_erasing":
            area, aspect = rng.uniform(0.02, 0.2) * height * width, float(np.exp(rng.uniform(-1.2, 1.2)))
            h, w = min(height, int(np.sqrt(area * aspect)) + 1), min(width, int(np.sqrt(area / aspect)) + 1)
            x, y = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
            hidden[y : y + h, x : x + w] = True
        elif self.kind == "hide_and_seek":
            cell = max(2, height // 4)
            cells = rng.random((height // cell + 1, width // cell + 1)) < 0.25
            hidden = np.kron(cells, np.ones((cell, cell), bool)).astype(bool)[:height, :width]
        elif self.kind == "grid_mask":
            period = max(4, int(rng.uniform(0.4, 0.9) * height))
            columns, rows = ((np.arange(n) + int(rng.integers(period))) % period for n in (width, height))
            hidden = (rows < 0.4 * period)[:, None] & (columns < 0.4 * period)[None]
        else:
            raise ValueError(f"'{self.kind}' hides nothing")
        fill: npt.NDArray[np.uint8] = (
            rng.integers(0, 256, image.shape, dtype=np.uint8)
            if self.kind == "random_erasing"
            else np.broadcast_to(image.reshape(-1, 3).mean(0).astype(np.uint8), image.shape)
        )
        return np.where(hidden[..., None], fill, image)


def _operations(magnitude: float) -> list[LineTransform]:
    """Changes whose strength follows a magnitude from 0 to 10."""
    share = magnitude / 10
    return [
        Rotation(1.0, degrees=0.5 + 6 * share),
        Tia(1.0, kinds=("perspective",)),
        Tia(1.0, kinds=("distort",)),
        Tia(1.0, kinds=("stretch",)),
        Noise(1.0, sigma=1 + 24 * share),
        Blur(1.0),
        Coarse(1.0, smallest=24 - 14 * share),
        Colour(1.0),
        Jpeg(1.0),
        Invert(0.3),
    ]


@dataclass(frozen=True)
class RandAugment:
    """``layers`` changes drawn from all, at one magnitude (Cubuk et al. 2020).

    Attributes:
        layers: how many.
        magnitude: 0 to 10.
        prob: share of lines that are changed at all.
    """

    layers: int = 2
    magnitude: float = 5.0
    prob: float = 0.5
    operations: Sequence[LineTransform] = field(default=(), repr=False)

    def __call__(self, image: Image, rng: np.random.Generator) -> Image:
        if rng.random() >= self.prob:
            return image
        operations = self.operations or _operations(self.magnitude)
        for index in rng.integers(0, len(operations), self.layers):
            image = operations[int(index)](image, rng)
        return image


@dataclass(frozen=True)
class AutoAugment:
    """One of a fixed list of pairs of changes, each with its own probability and strength (Cubuk et al. 2019).

    The published policies were searched for photos of things; these pairs keep their scheme with changes that leave
    text readable.
    """

    prob: float = 1.0

    def __call__(self, image: Image, rng: np.random.Generator) -> Image:
        if rng.random() >= self.prob:
            return image
        pairs: tuple[tuple[LineTransform, LineTransform], ...] = (
            (Rotation(0.7, degrees=4), Colour(0.6)),
            (Tia(0.6, kinds=("perspective",)), Noise(0.4)),
            (Colour(0.9), Blur(0.4)),
            (Invert(0.2), Coarse(0.6)),
            (Tia(0.5, kinds=("distort",)), Jpeg(0.6)),
            (Tia(0.5, kinds=("stretch",)), Colour(0.8)),
            (Blur(0.7), Noise(0.5, sigma=20)),
            (Coarse(0.8, smallest=10), Colour(0.4)),
        )
        first, second = pairs[int(rng.integers(len(pairs)))]
        return second(first(image, rng), rng)
