"""Pages with their regions drawn on, to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np

from ocrtune.page import Image, TextRegion

Colour: TypeAlias = tuple[int, int, int]
"""Blue, green, red."""
LABEL: Colour = (60, 160, 0)
IGNORED: Colour = (160, 160, 160)


def draw_regions(image: Image, regions: Sequence[TextRegion], colour: Colour = LABEL) -> Image:
    """A copy of an image, uint8 [H, W, 3], with outlines; ignored ones are grey."""
    drawn = image.copy()
    thickness = max(1, round(max(image.shape[:2]) / 800))
    for region in regions:
        points = [np.round(region.polygon).astype(np.int32)]
        cv2.polylines(drawn, points, True, IGNORED if region.ignore else colour, thickness, cv2.LINE_AA)
    return drawn


def fit_into(image: Image, width: int, height: int) -> Image:
    """A smaller copy that fits into a box; never enlarged."""
    scale = min(width / image.shape[1], height / image.shape[0], 1.0)
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def contact_sheet(images: Sequence[Image], columns: int = 4, cell: tuple[int, int] = (480, 480)) -> Image:
    """Small copies of images side by side on white, uint8 [H, W, 3]."""
    rows = -(-len(images) // columns)
    sheet = np.full((rows * cell[1], min(columns, len(images)) * cell[0], 3), 255, np.uint8)
    for index, image in enumerate(images):
        small = fit_into(image, cell[0] - 8, cell[1] - 8)
        y, x = index // columns * cell[1] + 4, index % columns * cell[0] + 4
        sheet[y : y + small.shape[0], x : x + small.shape[1]] = small
    return sheet
