"""Cutting text lines out of a page: one implementation for training data, evaluation and use."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from ocrtune.page import Image, Polygon

TALL = 1.5
"""Height / width from which a crop may hold a text that runs downwards (PaddleOCR's ratio)."""


def crop_region(image: Image, polygon: Polygon, margin: float = 0.0) -> Image:
    """The upright rectangle, uint8 [h, w, 3], that a region covers, as its own reading direction sees it.

    Args:
        image: uint8 [H, W, 3].
        polygon: float32 [N, 2] in image pixels, clockwise from the text's own top left. A quad is rectified in
            perspective; of an outline with more points the minimal-area rectangle is taken, which starts at the corner
            nearest to the outline's first point.
        margin: what is cut around the region, as a share of its height; rounded up to whole pixels.

    Returns:
        the crop, at least 1 x 1 pixel; beyond the image's border its last pixels are repeated.
    """
    quad = grown_quad(polygon, margin)
    width, height = crop_size(quad)
    plain = _axis_aligned(quad, width, height)
    if plain is not None:
        x, y = plain
        if x >= 0 and y >= 0 and x + width <= image.shape[1] and y + height <= image.shape[0]:
            return image[y : y + height, x : x + width]
    # coordinates mean the edges of pixels, while OpenCV's mean their centres
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32) - 0.5
    matrix = cv2.getPerspectiveTransform(np.ascontiguousarray(quad, np.float32) - np.float32(0.5), target)
    crop = cv2.warpPerspective(image, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(crop, np.uint8)


def rectified_quad(polygon: Polygon) -> npt.NDArray[np.float32]:
    """The four corners that a region's crop is taken from, float32 [4, 2]."""
    return polygon if len(polygon) == 4 else _rectangle_around(polygon)


def crop_size(quad: npt.NDArray[np.float32]) -> tuple[int, int]:
    """Width and height in pixels of the crop of four corners: the longer ones of opposite sides, at least 1."""
    top, right, bottom, left = (float(np.linalg.norm(quad[i] - quad[(i + 1) % 4])) for i in range(4))
    return max(1, int(max(top, bottom))), max(1, int(max(left, right)))


def grown_quad(polygon: Polygon, margin: float) -> npt.NDArray[np.float32]:
    """A region's corners, moved outwards along and across the text; negative margins move them inwards.

    Args:
        polygon: float32 [N, 2] in image pixels, clockwise from the text's own top left.
        margin: as a share of the region's height; rounded to whole pixels away from 0, so that a plain rectangle stays on
            the image's own pixels.
    """
    quad = rectified_quad(polygon)
    if margin == 0:
        return quad
    along = (quad[1] - quad[0] + quad[2] - quad[3]) / 2
    across = (quad[3] - quad[0] + quad[2] - quad[1]) / 2
    height = max(float(np.linalg.norm(across)), 1e-6)
    pixels = math.copysign(math.ceil(abs(margin) * height), margin)
    x = along / max(float(np.linalg.norm(along)), 1e-6) * pixels
    y = across / height * pixels
    return (quad + np.array([-x - y, x - y, x + y, -x + y])).astype(np.float32)


def is_tall(crop: Image) -> bool:
    """Whether a crop may hold text that runs downwards (or just one narrow character)."""
    return crop.shape[0] >= TALL * crop.shape[1]


def turned_left(crop: Image) -> Image:
    """A crop turned by 90 degrees against the clock, so that text that ran downwards reads left to right."""
    return np.ascontiguousarray(np.rot90(crop))


def turned_over(crop: Image) -> Image:
    """A crop turned by 180 degrees."""
    return np.ascontiguousarray(crop[::-1, ::-1])


def _axis_aligned(quad: npt.NDArray[np.float32], width: int, height: int) -> tuple[int, int] | None:
    """Top left of a quad that is a plain rectangle on whole pixels, for which no resampling is needed."""
    x, y = quad[0]
    if x != int(x) or y != int(y):
        return None
    corners = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], np.float32)
    return (int(x), int(y)) if np.array_equal(quad, corners) else None


def _rectangle_around(polygon: Polygon) -> npt.NDArray[np.float32]:
    box = cv2.boxPoints(cv2.minAreaRect(polygon.astype(np.float32)))  # clockwise on screen
    first = int(np.argmin(np.linalg.norm(box - polygon[0], axis=1)))
    return np.roll(box, -first, axis=0).astype(np.float32)
