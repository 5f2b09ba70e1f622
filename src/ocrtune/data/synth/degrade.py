"""What happens to a clean print before it is an image file: paper, light, camera, compression."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ocrtune.page import Image, Polygon


def photograph(
    ink: npt.NDArray[np.uint8], polygons: list[Polygon], rng: np.random.Generator
) -> tuple[Image, list[Polygon]]:
    """Turn a print into a photo of it.

    Args:
        ink: coverage of the ink, uint8 [H, W], 0 is bare paper.
        polygons: outlines on it, float32 [N, 2] each.
        rng: decides everything.

    Returns:
        the photo, uint8 [h, w, 3] BGR, and the outlines in its pixels.
    """
    matrix, size = _camera(ink.shape[1], ink.shape[0], rng)
    paper = _paper(ink.shape, rng)
    print_ = _faded(ink, rng)
    colour = rng.uniform(10, 70, 3)
    sheet = paper * (1 - print_[..., None]) + colour * print_[..., None]
    table = tuple(float(v) for v in rng.uniform(40, 200, 3))
    photo = cv2.warpPerspective(
        sheet.astype(np.float32), matrix, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_CONSTANT, borderValue=table
    )
    photo *= _light(size, rng)[..., None]
    photo = cv2.GaussianBlur(photo, (0, 0), float(rng.uniform(0.3, 1.1)))
    photo += rng.normal(0, rng.uniform(1, 7), photo.shape).astype(np.float32)
    outlines = [cv2.perspectiveTransform(polygon[None], matrix)[0].astype(np.float32) for polygon in polygons]
    return _compressed(np.clip(photo, 0, 255).astype(np.uint8), rng), outlines


def _camera(width: int, height: int, rng: np.random.Generator) -> tuple[npt.NDArray[np.float64], tuple[int, int]]:
    """A slightly tilted view of the sheet with a margin of table around it."""
    margin = rng.uniform(0.0, 0.06) * width
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    angle = np.radians(rng.uniform(-2.5, 2.5))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    seen = (corners - corners.mean(axis=0)) @ turn.T + rng.uniform(-0.012, 0.012, (4, 2)) * width
    seen += margin - seen.min(axis=0)
    size = np.ceil(seen.max(axis=0) + margin).astype(int)
    return cv2.getPerspectiveTransform(corners, seen.astype(np.float32)), (int(size[0]), int(size[1]))


def _paper(shape: tuple[int, ...], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Tinted paper with a fine grain and soft stains, float32 [H, W, 3]."""
    height, width = shape
    tint = np.full(3, rng.uniform(205, 248)) + rng.uniform(-10, 4, 3)
    stains = cv2.resize(rng.normal(0, 4, (height // 90 + 2, width // 90 + 2)).astype(np.float32), (width, height))
    grain = rng.normal(0, 2, (height, width)).astype(np.float32)
    return np.asarray(tint + (stains + grain)[..., None], np.float32)


def _faded(ink: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Ink between 0 and 1: pale bands and missing dots, as worn thermal heads print them."""
    height, width = ink.shape
    strength = rng.uniform(0.55, 1.0)
    bands = cv2.resize(rng.uniform(0.75, 1.0, (height // 60 + 2, 1)).astype(np.float32), (1, height))
    dots = (rng.random((height, width)) > rng.uniform(0, 0.12)).astype(np.float32)
    return np.asarray(ink / np.float32(255) * strength * bands * cv2.GaussianBlur(dots, (0, 0), 0.6), np.float32)


def _light(size: tuple[int, int], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Brightness between about 0.5 and 1.1: a slope and a shadow, float32 [h, w]."""
    width, height = size
    x, y = np.meshgrid(np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32))
    slope = 1 + rng.uniform(-0.15, 0.15) * x + rng.uniform(-0.15, 0.15) * y
    edge = x * rng.uniform(-1, 1) + y * rng.uniform(-1, 1) - rng.uniform(0, 1.2)
    shadow = 1 - rng.uniform(0, 0.35) / (1 + np.exp(np.clip(-edge * rng.uniform(3, 30), -30, 30)))
    return np.asarray(slope * shadow, np.float32)


def _compressed(photo: Image, rng: np.random.Generator) -> Image:
    quality = int(rng.integers(45, 95))
    coded = cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
