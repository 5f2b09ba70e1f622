"""How a sheet becomes a picture: paper, view, what lies behind, light, lens, sensor."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ocrtune.data.synth.ink import cloud
from ocrtune.page import Image, Polygon

Matrix = npt.NDArray[np.float64]
Picture = npt.NDArray[np.float32]
"""float32 [H, W, 3] BGR, 0 to 255."""


@dataclass(frozen=True)
class View:
    """Where the sheet's points come to lie.

    Attributes:
        matrix: perspective, float64 [3, 3], from the sheet's pixels to the picture's.
        width, height: of the picture.
    """

    matrix: Matrix
    width: int
    height: int

    def outline(self, polygon: Polygon) -> Polygon:
        """An outline on the sheet as it is seen in the picture."""
        return cv2.perspectiveTransform(polygon[None].astype(np.float64), self.matrix)[0].astype(np.float32)

    def seen(self, picture: npt.NDArray[np.generic], interpolation: int = cv2.INTER_LINEAR) -> npt.NDArray[np.generic]:
        """The sheet's pixels in the picture; 0 beside it."""
        # OpenCV counts from the middle of the first pixel, outlines from its corner
        half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
        matrix = np.linalg.inv(half) @ self.matrix @ half
        return cv2.warpPerspective(picture, matrix, (self.width, self.height), flags=interpolation)


def view(
    width: int, height: int, rng: np.random.Generator, *, turn: float, tilt: float, margin: tuple[float, float]
) -> View:
    """How a sheet is looked at.

    Args:
        width, height: of the sheet.
        rng: decides everything.
        turn: greatest rotation in degrees, either way.
        tilt: greatest shift of a corner by perspective, as a share of the shorter side.
        margin: least and greatest room around the sheet, as shares of its shorter side.
    """
    side = min(width, height)
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    angle = np.radians(rng.uniform(-turn, turn))
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    seen = corners @ rotation.T + rng.uniform(-tilt, tilt, (4, 2)) * side
    low, high = (float(v) * side for v in rng.uniform(*margin, 2))
    seen += low - seen.min(axis=0)
    size = np.ceil(seen.max(axis=0) + high).astype(int)
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), seen.astype(np.float32))
    return View(matrix, int(size[0]), int(size[1]))


def paper(shape: tuple[int, ...], rng: np.random.Generator, tint: Picture, roughness: float) -> Picture:
    """A sheet of a tint, float32 [3], with grain, fibres and soft stains; ``roughness`` 0 is a screen, 1 is kraft."""
    height, width = shape[:2]
    if roughness == 0:
        return np.broadcast_to(tint, (height, width, 3)).astype(np.float32)
    stains = (cloud(shape, rng, 120) + 0.5 * cloud(shape, rng, 37) - 0.75) * 14 * roughness
    grain = rng.standard_normal((height, width), np.float32) * 2.5 * roughness
    grain += cv2.GaussianBlur(rng.standard_normal((height, width), np.float32), (0, 0), 1.2) * 9 * roughness
    return tint + (stains + grain)[..., None] * np.array([1.1, 1, 0.95], np.float32)


def creases(shape: tuple[int, ...], rng: np.random.Generator, count: int) -> Picture:
    """Brightness of a sheet that was folded, float32 [H, W] around 1: light beside dark along straight lines."""
    height, width = shape[:2]
    shade = np.ones((height, width), np.float32)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    for _ in range(count):
        across = rng.random() < 0.6
        slope = rng.uniform(-0.06, 0.06)
        distance = (
            (y - rng.uniform(0.1, 0.9) * height - slope * x)
            if across
            else (x - rng.uniform(0.1, 0.9) * width - slope * y)
        )
        reach = rng.uniform(2, 8)
        shade += rng.uniform(-0.1, 0.1) * (distance / reach) * np.exp(-np.square(distance / reach))
        shade += rng.uniform(-0.05, 0.05) * np.tanh(distance / 60)
    return shade


def table(width: int, height: int, rng: np.random.Generator) -> Picture:
    """Something for a sheet to lie on: one colour with a grain along one direction."""
    colour = rng.uniform(25, 190) + rng.uniform(-30, 30, 3)
    if rng.random() < 0.5:  # wood is reddish
        colour = np.array([0.45, 0.7, 1]) * rng.uniform(70, 200)
    shape = (height, width)
    fibre = cv2.resize(rng.standard_normal((height // 3 + 2, width // 60 + 2), np.float32), (width, height))
    surface = fibre * rng.uniform(1, 9) + (cloud(shape, rng, 160) - 0.5) * 25
    surface += rng.standard_normal(shape, np.float32) * 2
    return np.clip(colour + surface[..., None], 0, 255).astype(np.float32)


def cut(background: Image, width: int, height: int, rng: np.random.Generator) -> Picture:
    """A part of a photo, enlarged where it is too small, float32 [height, width, 3]."""
    scale = max(width / background.shape[1], height / background.shape[0]) * rng.uniform(1, 1.5)
    size = (max(width, round(background.shape[1] * scale)), max(height, round(background.shape[0] * scale)))
    if scale < 1:
        scale = 1.0
        size = (background.shape[1], background.shape[0])
        size = (max(size[0], width), max(size[1], height))
    large = cv2.resize(background, size, interpolation=cv2.INTER_LINEAR)
    x, y = int(rng.integers(size[0] - width + 1)), int(rng.integers(size[1] - height + 1))
    return large[y : y + height, x : x + width].astype(np.float32)


def light(width: int, height: int, rng: np.random.Generator, strength: float) -> Picture:
    """Brightness of a room, float32 [H, W]: a slope, and at most one shadow with a soft edge."""
    x, y = np.meshgrid(np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32))
    bright = 1 + strength * (rng.uniform(-0.5, 0.5) * x + rng.uniform(-0.5, 0.5) * y)
    if rng.random() < 0.5:
        a, b = rng.uniform(-1, 1, 2)
        edge = (a * x + b * y - rng.uniform(-0.2, 0.8)) * rng.uniform(3, 25)
        bright *= 1 - strength * rng.uniform(0.2, 1) / (1 + np.exp(np.clip(-edge, -30, 30)))
    return np.asarray(bright, np.float32)


def smeared(picture: Picture, rng: np.random.Generator, length: float) -> Picture:
    """A hand that moved by so many pixels in any direction."""
    side = int(length) + 3
    kernel = np.zeros((side, side), np.float32)
    angle, middle = rng.uniform(0, np.pi), (side - 1) / 2
    shift = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    for step in np.linspace(-1, 1, 4 * side):
        at = np.round(middle + shift * step).astype(int)
        kernel[at[1], at[0]] += 1
    return cv2.filter2D(picture, -1, kernel / kernel.sum())
