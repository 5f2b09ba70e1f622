"""How a sheet becomes a picture: paper, view, what lies behind, light, lens, sensor."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ocrtune.data.synth.ink import cloud
from ocrtune.page import Image, Polygon

Matrix = npt.NDArray[np.float64]
Plane = npt.NDArray[np.float32]
"""float32 [H, W]."""
Planes = npt.NDArray[np.float32]
"""A picture as float32 [3, H, W], blue, green and red from 0 to 255: each plane lies in one piece, which is quick."""


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

    def seen(self, sheet: Planes) -> tuple[Planes, Plane]:
        """The sheet in the picture, float32 [3, height, width], and how much of each pixel it covers, 0 to 1.

        What does not belong to the sheet is 0.
        """
        # OpenCV counts from the middle of the first pixel, outlines from its corner
        half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
        matrix = np.linalg.inv(half) @ self.matrix @ half
        pixels = cv2.merge([*sheet, np.ones(sheet.shape[1:], np.float32)])
        seen = cv2.warpPerspective(pixels, matrix, (self.width, self.height), flags=cv2.INTER_LINEAR)
        *planes, cover = cv2.split(seen)
        return np.stack(planes), cover


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


def paper(shape: tuple[int, ...], rng: np.random.Generator, roughness: float) -> Plane:
    """What grain and soft stains add to a sheet's colour, float32 [H, W]; ``roughness`` 0 is a screen, 1 is kraft."""
    height, width = shape[:2]
    if roughness == 0:
        return np.zeros((height, width), np.float32)
    coarse = rng.standard_normal((height // 2 + 1, width // 2 + 1), np.float32) * np.float32(3)
    texture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    texture += rng.standard_normal((height, width), np.float32) * np.float32(2.5)
    texture += cloud(shape, rng, 120) * np.float32(14)
    texture += cloud(shape, rng, 37) * np.float32(7) - np.float32(10.5)
    return texture * np.float32(roughness)


def creases(shape: tuple[int, ...], rng: np.random.Generator, count: int) -> Plane:
    """Brightness of a sheet that was folded, float32 [H, W] around 1: light beside dark along straight lines."""
    height, width = shape[:2]
    shade = np.ones((height, width), np.float32)
    y, x = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None]
    for _ in range(count):
        slope, place, reach = rng.uniform(-0.06, 0.06), rng.uniform(0.1, 0.9), rng.uniform(2, 8)
        away = y - slope * x - place * height if rng.random() < 0.6 else x - slope * y - place * width
        near = np.clip(away / np.float32(reach), -4, 4)
        shade += np.float32(rng.uniform(-0.1, 0.1)) * near * np.exp(-near * near)
        shade += np.float32(rng.uniform(-0.04, 0.04)) * np.clip(away / 60, -1, 1)
    return shade


def table(width: int, height: int, rng: np.random.Generator) -> Planes:
    """Something for a sheet to lie on: one colour with a grain along one direction."""
    if rng.random() < 0.4:  # wood is reddish
        colour = np.array([0.45, 0.7, 1]) * rng.uniform(70, 200)
    else:
        colour = rng.uniform(25, 190) + rng.uniform(-18, 18, 3)
    fibre = cv2.resize(rng.standard_normal((height // 3 + 2, width // 60 + 2), np.float32), (width, height))
    surface = fibre * np.float32(rng.uniform(1, 9)) + cloud((height, width), rng, 160) * np.float32(25)
    return np.clip(colour.astype(np.float32)[:, None, None] + surface - np.float32(12), 0, 255)


def cut(background: Image, width: int, height: int, rng: np.random.Generator) -> Planes:
    """A part of a photo, enlarged where it is too small."""
    scale = max(1.0, width / background.shape[1], height / background.shape[0]) * rng.uniform(1, 1.5)
    size = (max(width, round(background.shape[1] * scale)), max(height, round(background.shape[0] * scale)))
    x, y = int(rng.integers(size[0] - width + 1)), int(rng.integers(size[1] - height + 1))
    matrix = np.array([[size[0] / background.shape[1], 0, -x], [0, size[1] / background.shape[0], -y]])
    part = cv2.warpAffine(background, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(part.transpose(2, 0, 1), dtype=np.float32)


def light(width: int, height: int, rng: np.random.Generator, strength: float) -> Plane:
    """Brightness of a room, float32 [H, W]: a slope, and at most one shadow with a soft edge."""
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    bright = 1 + strength * (rng.uniform(-0.5, 0.5) * x + rng.uniform(-0.5, 0.5) * y)
    if rng.random() < 0.5:
        a, b = rng.uniform(-1, 1, 2)
        edge = (a * x + b * y - rng.uniform(-0.2, 0.8)) * rng.uniform(3, 25)
        bright = bright * (1 - strength * rng.uniform(0.2, 1) / (1 + np.exp(np.clip(-edge, -30, 30))))
    return np.asarray(bright, np.float32)


def motion(rng: np.random.Generator, length: float) -> Plane:
    """The kernel of a hand that moved by so many pixels in any direction, float32 [side, side], sum 1."""
    side = int(length) + 3
    kernel = np.zeros((side, side), np.float32)
    angle, middle = rng.uniform(0, np.pi), (side - 1) / 2
    shift = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    for step in np.linspace(-1, 1, 4 * side):
        at = np.round(middle + shift * step).astype(int)
        kernel[at[1], at[0]] += 1
    return kernel / kernel.sum()
