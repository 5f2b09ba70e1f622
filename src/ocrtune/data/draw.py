"""Pages with their regions drawn on, to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from ocrtune.page import Image, TextRegion

Colour: TypeAlias = tuple[int, int, int]
"""Blue, green, red."""
LABEL: Colour = (60, 160, 0)
IGNORED: Colour = (160, 160, 160)
_WIDE_FONTS = ("NotoSansCJK-Regular.ttc", "wqy-microhei.ttc", "wqy-zenhei.ttc", "msyh.ttc", "PingFang.ttc")


def draw_regions(image: Image, regions: Sequence[TextRegion], colour: Colour = LABEL) -> Image:
    """A copy of an image, uint8 [H, W, 3], with outlines; ignored ones are grey."""
    drawn = image.copy()
    thickness = max(1, round(max(image.shape[:2]) / 800))
    for region in regions:
        points = [np.round(region.polygon).astype(np.int32)]
        cv2.polylines(drawn, points, True, IGNORED if region.ignore else colour, thickness, cv2.LINE_AA)
    return drawn


def draw_texts(image: Image, regions: Sequence[TextRegion]) -> Image:
    """The image with outlines, and beside it a sheet with each text in its place, uint8 [H, 2 W, 3] BGR."""
    height, width = image.shape[:2]
    sheet = PIL.Image.new("RGB", (width, height), "white")
    draw = PIL.ImageDraw.Draw(sheet)
    for region in regions:
        low, high = region.polygon.min(axis=0), region.polygon.max(axis=0)
        draw.polygon([(float(x), float(y)) for x, y in region.polygon], outline=(200, 220, 200))
        if region.text:
            _write_into(draw, region.text, low, high)
    beside = np.asarray(sheet)[..., ::-1]
    return np.ascontiguousarray(np.hstack([draw_regions(image, regions), beside]))


def tinted(image: Image, share: npt.NDArray[np.float32], colour: Colour) -> Image:
    """An image with a colour over it, half as strong as ``share``, float32 [H, W] from 0 to 1, says."""
    weight = (0.5 * share)[..., None]
    return np.rint(image * (1 - weight) + np.array(colour, np.float32) * weight).astype(np.uint8)


def captioned(image: Image, text: str, scale: int = 2) -> Image:
    """A line enlarged, with a text on white below it, uint8 [H, W, 3] BGR."""
    large = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    size = 22
    width = max(large.shape[1], int(_font(size).getlength(text)) + 4)
    strip = PIL.Image.new("RGB", (width, size + 10), "white")
    PIL.ImageDraw.Draw(strip).text((2, 2), text, fill=(20, 20, 20), font=_font(size))
    beside = np.full((large.shape[0], width - large.shape[1], 3), 255, np.uint8)
    return np.ascontiguousarray(np.vstack([np.hstack([large, beside]), np.asarray(strip)[..., ::-1]]))


def _write_into(
    draw: PIL.ImageDraw.ImageDraw, text: str, low: npt.NDArray[np.float32], high: npt.NDArray[np.float32]
) -> None:
    """Write a text as large as its box allows."""
    room = np.maximum(high - low, 1)
    size = max(6, int(room[1] * 0.8))
    font = _font(size)
    wide = draw.textlength(text, font=font)
    if wide > room[0]:
        font = _font(max(6, int(size * room[0] / wide)))
    draw.text((float(low[0]), float(low[1])), text, fill=(20, 20, 20), font=font)


@lru_cache(maxsize=64)
def _font(size: int) -> PIL.ImageFont.FreeTypeFont | PIL.ImageFont.ImageFont:
    """A font for a drawn text: one with Chinese characters where the machine has it, else the one that is always there."""
    for name in _WIDE_FONTS:
        try:
            return PIL.ImageFont.truetype(name, size)
        except OSError:
            continue
    import matplotlib

    return PIL.ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size)


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
