"""Geometry for detection: scale, rotation, flip, perspective and crop as one view of the page, rendered once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Literal, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
import shapely

from ocrtune.page import Image, Polygon, TextRegion, bounds

Matrix: TypeAlias = npt.NDArray[np.float64]
"""float64 [3, 3], from page pixels to view pixels in homogeneous coordinates; its last element is 1."""
_MAX_CUT = 0.05  # a region that loses more of its area at the border of the view is not a label any more
_CUT_CANDIDATES = 12
_BETWEEN_TRIES = 50
_MIN_SIDE = 0.1  # of the page's; a smaller piece between texts is not taken
_MAX_ENLARGEMENT = 2.0  # of a piece between texts
_EXACT = 1e-6


@dataclass(frozen=True)
class RandomView:
    """A view of fixed size of a scaled, rotated, tilted page, cut out so that few texts are cut.

    Attributes:
        size: width and height of the view in pixels.
        base_scale: maps a page's (width, height) to the scale at which the model will see it in use.
        scale: range of a random factor on that scale, drawn uniformly in its logarithm.
        stretch: range of a further factor on the width alone.
        rotate: largest angle in degrees, either way.
        rotate_prob: share of views that are rotated at all.
        flip_prob: share of views that are mirrored left to right; mirrored text is no text, so 0 by default.
        perspective: how far a corner of the page moves inwards at most, as a share of its sides, below 0.5.
        perspective_prob: share of views whose corners move at all.
        crop: ``window``: of some random places that of the window which cuts the fewest texts; ``between``: a piece
            whose borders touch no text that counts, scaled into the view (EAST's crop, as PaddleOCR has it).
    """

    size: tuple[int, int]
    base_scale: Callable[[int, int], float]
    scale: tuple[float, float] = (0.75, 1.33)
    stretch: tuple[float, float] = (1.0, 1.0)
    rotate: float = 10.0
    rotate_prob: float = 0.5
    flip_prob: float = 0.0
    perspective: float = 0.0
    perspective_prob: float = 0.5
    crop: Literal["window", "between"] = "window"

    def __call__(
        self, image: Image, regions: Sequence[TextRegion], rng: np.random.Generator
    ) -> tuple[Image, list[TextRegion]]:
        height, width = image.shape[:2]
        matrix, used, kept = self.draw(width, height, regions, rng)
        return self.framed(warp(image, matrix, used)), kept

    def framed(self, view: Image) -> Image:
        """A view in its full size, uint8 [h, w, 3]: black to the right of and below a smaller piece."""
        right, below = self.size[0] - view.shape[1], self.size[1] - view.shape[0]
        if not (right or below):
            return view
        return np.asarray(cv2.copyMakeBorder(view, 0, below, 0, right, cv2.BORDER_CONSTANT), np.uint8)

    def draw(
        self, width: int, height: int, regions: Sequence[TextRegion], rng: np.random.Generator
    ) -> tuple[Matrix, tuple[int, int], list[TextRegion]]:
        """A random view of a page of this size: everything but the pixels.

        Returns:
            the matrix; width and height of the part of the view that shows the page, from the top left; the visible
            regions in pixels of the view.
        """
        matrix, extent = self._moved(width, height, rng)
        care = [region.polygon for region in regions if not region.ignore]
        low, high = bounds(transform_polygons(care, matrix))
        used = self.size
        if self.crop == "between":
            (x0, y0), (x1, y1) = _between(low, high, extent, rng)
            factor = min(self.size[0] / (x1 - x0), self.size[1] / (y1 - y0), _MAX_ENLARGEMENT)
            matrix = np.diag([factor, factor, 1.0]) @ _shifted(matrix, (x0, y0))
            columns, rows = math.ceil((x1 - x0) * factor), math.ceil((y1 - y0) * factor)
            used = min(self.size[0], columns), min(self.size[1], rows)
        else:
            offset = self._place(low, high, extent, rng)
            matrix = _shifted(matrix, _on_whole_pixels(matrix, offset))
        return matrix, used, moved_regions(regions, matrix, used)

    def _moved(self, width: int, height: int, rng: np.random.Generator) -> tuple[Matrix, npt.NDArray[np.float64]]:
        """The matrix, with the moved page's bounding box at the origin, and that box's size."""
        scale = self.base_scale(width, height) * float(np.exp(rng.uniform(*np.log(self.scale))))
        stretch = float(np.exp(rng.uniform(*np.log(self.stretch))))
        angle = rng.uniform(-self.rotate, self.rotate) if rng.random() < self.rotate_prob else 0.0
        mirror = -1.0 if rng.random() < self.flip_prob else 1.0
        sine, cosine = np.sin(np.radians(angle)), np.cos(np.radians(angle))
        matrix = np.eye(3)
        matrix[:2, :2] = np.array([[cosine, -sine], [sine, cosine]]) @ np.diag([scale * stretch * mirror, scale])
        corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        if self.perspective > 0 and rng.random() < self.perspective_prob:
            inwards = rng.uniform(0, self.perspective, (4, 2)) * [[1, 1], [-1, 1], [-1, -1], [1, -1]]
            tilted = (corners + inwards * (width, height)).astype(np.float32)
            matrix = matrix @ cv2.getPerspectiveTransform(corners, tilted)
            matrix /= matrix[2, 2]
        low, high = bounds([transform_polygon(corners, matrix)])
        return _shifted(matrix, low[0]), (high - low)[0].astype(np.float64)

    def _place(
        self,
        low: npt.NDArray[np.float32],
        high: npt.NDArray[np.float32],
        extent: npt.NDArray[np.float64],
        rng: np.random.Generator,
    ) -> npt.NDArray[np.float64]:
        """Top left of the window in the scaled page: of some random places the one that cuts the fewest texts.

        A place has to show at least one text if any does; where the page is smaller than the window, the page lies
        anywhere inside. ``low`` and ``high``, [N, 2], bound the texts that count.
        """
        size = np.array(self.size, np.float64)
        room = extent - size
        places = np.where(room > 0, 1, -1) * rng.random((_CUT_CANDIDATES, 2)) * np.abs(room)
        if not len(low):
            return places[0]
        left_top, right_bottom = low[None] - places[:, None], high[None] - places[:, None]
        inside = ((left_top >= 0) & (right_bottom <= size)).all(axis=2)
        touching = ((left_top < size) & (right_bottom > 0)).all(axis=2)
        whole = inside.sum(axis=1)
        # the share of the visible texts that are whole; the number of whole ones decides among equals
        share = whole / np.maximum(touching.sum(axis=1), 1) + 1e-3 * whole / len(low)
        return places[int(np.argmax(share))]


def _between(
    low: npt.NDArray[np.float32],
    high: npt.NDArray[np.float32],
    extent: npt.NDArray[np.float64],
    rng: np.random.Generator,
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Two corners of a random piece of the page that shows a text and whose borders touch none.

    The whole page where no such piece is found, or nothing is labelled.
    """
    page = (0.0, 0.0), (float(extent[0]), float(extent[1]))
    ends = []  # of each axis: where pieces start and end, [tries, 2]
    for axis in (0, 1):
        free = np.ones(max(2, int(extent[axis]) + 1), bool)
        for start, end in zip(low[:, axis].tolist(), high[:, axis].tolist(), strict=True):
            free[max(0, int(start)) : max(0, int(end) + 2)] = False
        line = np.flatnonzero(free)
        if not len(low) or len(line) < 2:
            return page
        ends.append(np.sort(line[rng.integers(0, len(line), (_BETWEEN_TRIES, 2))], axis=1))
    starts, stops = np.stack(ends, axis=1).transpose(2, 0, 1)
    large = (stops - starts >= np.maximum(1, _MIN_SIDE * extent)).all(axis=1)
    whole = ((low >= starts[:, None]) & (high <= stops[:, None])).all(axis=2).any(axis=1)
    if not (large & whole).any():
        return page
    chosen = int(np.argmax(large & whole))
    (x0, y0), (x1, y1) = starts[chosen].tolist(), stops[chosen].tolist()
    return (x0, y0), (x1, y1)


def transform_polygon(polygon: Polygon, matrix: Matrix) -> Polygon:
    """An outline, float32 [N, 2], where a matrix takes it; edges stay straight."""
    points = polygon @ matrix[:2, :2].T + matrix[:2, 2]
    if matrix[2, 0] or matrix[2, 1]:
        points /= (polygon @ matrix[2, :2] + matrix[2, 2])[:, None]
    return points.astype(np.float32)


def transform_polygons(polygons: Sequence[Polygon], matrix: Matrix) -> list[Polygon]:
    """`transform_polygon` for many outlines at once."""
    if not polygons:
        return []
    points = transform_polygon(np.concatenate(polygons), matrix)
    ends = list(accumulate(map(len, polygons)))
    return [points[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _shifted(matrix: Matrix, origin: npt.ArrayLike) -> Matrix:
    """The matrix to coordinates whose origin lies at ``origin``."""
    x, y = np.asarray(origin, np.float64)
    return np.array([[1, 0, -x], [0, 1, -y], [0, 0, 1]]) @ matrix


def _is_upright(matrix: Matrix) -> bool:
    """Whether a matrix only scales and shifts."""
    return bool((matrix[[0, 1, 2, 2], [1, 0, 0, 1]] == 0).all() and matrix[0, 0] > 0 and matrix[1, 1] > 0)


def _on_whole_pixels(matrix: Matrix, offset: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A window's place, moved by less than a pixel so that an upright view can be resized instead of warped.

    Its border then falls between two pixels of the page, or the page's border between two of its own.
    """
    if not _is_upright(matrix):
        return offset
    step = 2 ** _halvings(matrix) * matrix[[0, 1], [0, 1]]
    return np.where(offset > 0, np.round(offset / step) * step, np.round(offset))


def _halvings(matrix: Matrix) -> int:
    """How often a page is halved by averaging before it is resampled: until no more than a factor of 2 is left."""
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))
    return max(0, int(np.ceil(-np.log2(2 * scale)))) if scale > 0 else 0


def warp(image: Image, matrix: Matrix, size: tuple[int, int]) -> Image:
    """The view, uint8 [h, w, 3], of an image under a matrix; outside it is black.

    Pixel centres follow cv2.resize, so that a view without rotation looks like a resized page; strong reduction
    averages first. Only the part of the image that is seen is touched.
    """
    halvings = _halvings(matrix)
    unit = 2**halvings
    (x0, y0), (x1, y1) = _seen(matrix, size, image, unit)
    if x0 >= x1 or y0 >= y1:
        return np.zeros((size[1], size[0], 3), np.uint8)
    part = image[y0:y1, x0:x1]
    for _ in range(halvings):
        part = np.asarray(cv2.resize(part, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    matrix = matrix @ np.array([[unit, 0, x0], [0, unit, y0], [0, 0, 1]])
    matrix = matrix / matrix[2, 2]
    if _is_upright(matrix):
        resized = _resized(part, matrix, size)
        if resized is not None:
            return resized
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    centred = np.linalg.inv(half) @ matrix @ half
    if matrix[2, 0] or matrix[2, 1]:
        return np.asarray(cv2.warpPerspective(part, centred, size, flags=cv2.INTER_LINEAR), np.uint8)
    return np.asarray(cv2.warpAffine(part, centred[:2], size, flags=cv2.INTER_LINEAR), np.uint8)


def _seen(matrix: Matrix, size: tuple[int, int], image: Image, unit: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The part (x0, y0), (x1, y1) of an image that a view shows, with what resampling needs around it.

    Its top left is a multiple of ``unit``, so that averaging of blocks of this size gives the same as on the whole.
    """
    corners = np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]], np.float32)
    back = np.linalg.inv(matrix)
    height, width = image.shape[:2]
    if (corners @ back[2, :2] + back[2, 2] <= 0).any():
        return (0, 0), (width, height)  # the view shows the horizon
    low, high = bounds([transform_polygon(corners, back / back[2, 2])])
    margin = 2 * unit
    x0, y0 = (max(0, int(np.floor(v - margin)) // unit * unit) for v in low[0])
    x1, y1 = (
        min(side, int(np.ceil((v + margin) / unit)) * unit) for v, side in zip(high[0], (width, height), strict=True)
    )
    return (x0, y0), (x1, y1)


def _resized(image: Image, matrix: Matrix, size: tuple[int, int]) -> Image | None:
    """`warp` for a view whose top left lies between pixels (see `_on_whole_pixels`): a third of the time; else None."""
    view = np.zeros((size[1], size[0], 3), np.uint8)
    sources, targets = [], []
    for axis in (0, 1):
        scale, shift = matrix[axis, axis], matrix[axis, 2]
        side = image.shape[1 - axis]
        first = max(0.0, -shift / scale)
        start = max(0.0, shift)
        if abs(first - round(first)) > _EXACT * side or abs(start - round(start)) > _EXACT * size[axis]:
            return None
        last = min(side, int(np.ceil((size[axis] - shift) / scale)) + 1)
        end = min(size[axis], round(start) + round((last - round(first)) * scale))
        sources.append((round(first), last, scale))
        targets.append((round(start), end))
    (x0, x1, fx), (y0, y1, fy) = sources
    (left, right), (top, bottom) = targets
    if left < right and top < bottom and x0 < x1 and y0 < y1:
        resized = cv2.resize(image[y0:y1, x0:x1], None, fx=fx, fy=fy, interpolation=cv2.INTER_LINEAR)
        view[top:bottom, left:right] = resized[: bottom - top, : right - left]
    return view


def moved_regions(regions: Sequence[TextRegion], matrix: Matrix, size: tuple[int, int]) -> list[TextRegion]:
    """Regions of a page as a view shows them; those outside are left out.

    One that loses more than a trace at the border becomes ignored. Outlines are kept whole, beyond the border if need
    be: cutting their corners would turn their edges.
    """
    polygons = transform_polygons([region.polygon for region in regions], matrix)
    low, high = bounds(polygons)
    visible = np.asarray((high > 0).all(axis=1) & (low < size).all(axis=1))
    cut = np.asarray((low < 0).any(axis=1) | (high > size).any(axis=1))
    window = shapely.box(0, 0, *size)
    kept = []
    for index in np.flatnonzero(visible).tolist():
        region, polygon = regions[index], polygons[index]
        ignore = region.ignore
        if cut[index] and not ignore:
            shape = shapely.Polygon(polygon)
            ignore = not shape.is_valid or shape.intersection(window).area < (1 - _MAX_CUT) * shape.area
        kept.append(replace(region, polygon=polygon, ignore=ignore))
    return kept
