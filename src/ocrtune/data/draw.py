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

from ocrtune.page import Image, Polygon, TextRegion
from ocrtune.runtime.crop import TALL, crop_size, rectified_quad

Colour: TypeAlias = tuple[int, int, int]
"""Blue, green, red."""
LABEL: Colour = (60, 160, 0)
IGNORED: Colour = (160, 160, 160)
_CAPTION = 22  # pixels below each picture of a contact sheet
_WIDE_FONTS = (
    *("NotoSansCJK-Regular.ttc", "NotoSansCJKsc-Regular.otf", "NotoSansSC-Regular.otf", "SourceHanSansSC-Regular.otf"),
    *("wqy-microhei.ttc", "wqy-zenhei.ttc", "DroidSansFallbackFull.ttf", "DroidSansFallback.ttf", "uming.ttc"),
    *("msyh.ttc", "simsun.ttc", "PingFang.ttc", "Hiragino Sans GB.ttc", "Arial Unicode.ttf"),
)


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
    sheet = np.full(image.shape, 255, np.uint8)
    for region in regions:
        cv2.polylines(sheet, [np.round(region.polygon).astype(np.int32)], True, (200, 220, 200), 1, cv2.LINE_AA)
        text = " ".join((region.text or "").split())
        if text and np.isfinite(region.polygon).all():
            _write_into(sheet, text, region.polygon)
    return np.ascontiguousarray(np.hstack([draw_regions(image, regions), sheet]))


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


def _write_into(sheet: Image, text: str, polygon: Polygon) -> None:
    """Write a text into its outline, along its own direction and as large as it fits."""
    quad = np.ascontiguousarray(rectified_quad(polygon), np.float32)
    width, height = crop_size(quad)
    if height >= TALL * width and len(text) > 2:  # it runs downwards
        quad, width, height = np.roll(quad, -1, axis=0), height, width
    # no label, however far it reaches over the border, needs a strip that is much larger than the sheet
    scale = min(1.0, 2 * max(sheet.shape[:2]) / max(width, height))
    width, height = max(1, round(width * scale)), max(1, round(height * scale))
    size = max(6, int(height * 0.8))
    wide = _font(size).getlength(text)
    font = _font(max(6, int(size * width / wide))) if wide > width else _font(size)
    strip = PIL.Image.new("L", (width, height), 0)
    PIL.ImageDraw.Draw(strip).text((0, height / 2), text, fill=255, font=font, anchor="lm")
    low = np.clip(np.floor(quad.min(axis=0)), 0, None)
    right, bottom = np.minimum(np.ceil(quad.max(axis=0)) + 1, sheet.shape[1::-1]).astype(int)
    left, top = low.astype(int)
    if left >= right or top >= bottom:
        return  # outside the image
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, (quad - low).astype(np.float32))
    ink = cv2.warpPerspective(np.asarray(strip), matrix, (int(right - left), int(bottom - top)))
    sheet[top:bottom, left:right] = np.minimum(sheet[top:bottom, left:right], 255 - ink[..., None])


@lru_cache(maxsize=64)
def _font(size: int) -> PIL.ImageFont.FreeTypeFont:
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


def contact_sheet(
    images: Sequence[Image], columns: int = 4, cell: tuple[int, int] = (480, 480), captions: Sequence[str] = ()
) -> Image:
    """Small copies of images side by side on white, with a line of text below each, uint8 [H, W, 3]."""
    rows = -(-len(images) // columns)
    below = _CAPTION if captions else 0
    sheet = np.full((rows * cell[1], min(columns, len(images)) * cell[0], 3), 255, np.uint8)
    for index, image in enumerate(images):
        small = fit_into(image, cell[0] - 8, cell[1] - 8 - below)
        y, x = index // columns * cell[1] + 4, index % columns * cell[0] + 4
        sheet[y : y + small.shape[0], x : x + small.shape[1]] = small
        if captions:
            _write_caption(sheet[y + cell[1] - 8 - below : y + cell[1] - 8, x : x + cell[0] - 8], captions[index])
    return sheet


def _write_caption(room: Image, text: str) -> None:
    """Write the end of a text that fits, since file names differ there."""
    font = _font(_CAPTION * 2 // 3)
    cut = 0
    while cut < len(text) and font.getlength(text[cut:]) > room.shape[1]:
        cut += 1
    strip = PIL.Image.new("RGB", (room.shape[1], room.shape[0]), "white")
    PIL.ImageDraw.Draw(strip).text((0, room.shape[0] / 2), text[cut:], fill=(20, 20, 20), font=font, anchor="lm")
    room[:] = np.asarray(strip)
