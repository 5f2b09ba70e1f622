"""Training targets of DB: shrink map and threshold map with their masks.

Source: Liao et al., "DB" (2020), section 3.3; Vatti clipping (1992) for the offset D = A * (1 - r^2) / L. Two ways of
drawing: ``whole`` pixels as in PaddleOCR (for parity and imported configurations) and ``subpixel``, which offsets in 1/64
pixel and draws coverage, because whole pixels make maps too fat for small texts (docs/studies/detection-recipe.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
import pyclipper

from ocrtune.config.schema import TargetSpec
from ocrtune.page import Polygon, bounds, perimeter, signed_area

Map: TypeAlias = npt.NDArray[np.float32]
"""float32 [H, W]."""
_SUBPIXEL_SCALE = 64  # offsets are computed in 1/64 pixel
_GAP_REACH = 0.6  # of a text's height; a gap is what two neighbours reach over
_SUPERSAMPLING = 4  # coverage is drawn at 4x and averaged


class Targets(NamedTuple):
    """What a detector is trained towards; each float32 [H, W].

    Attributes:
        shrink_map: 1 inside the shrunk texts.
        shrink_mask: weight of each pixel: 0 where nothing is to be learnt (ignored and too small texts), else 1, and more
            in the gaps between neighbouring texts.
        threshold_map: from min far from an outline to max on it.
        threshold_mask: 1 inside the grown texts.
    """

    shrink_map: Map
    shrink_mask: Map
    threshold_map: Map
    threshold_mask: Map


def make_targets(
    polygons: Sequence[Polygon],
    ignored: Sequence[bool],
    size: tuple[int, int],
    spec: TargetSpec,
    epoch: int = 0,
    with_threshold: bool = True,
) -> tuple[Targets, list[bool]]:
    """Draw all maps.

    Args:
        polygons: outlines in pixels of the map, each float32 [N, 2].
        ignored: which of them do not count.
        size: width and height of the maps.
        spec: how to draw.
        epoch: for a ratio that depends on it.
        with_threshold: False leaves the threshold maps empty ([0, 0]); they cost more than the others.

    Returns:
        the maps, and which polygons are masked in the shrink map in the end (ignored, too small, vanished).
    """
    ratio = spec.ratio(epoch)
    shrink_map, shrink_mask, masked = _shrink_maps(polygons, ignored, size, ratio, spec)
    gaps = _gaps(polygons, size) if spec.gap_weight > 0 else None
    if gaps is not None:
        at = gaps[shrink_map.reshape(-1)[gaps] < 0.5]
        shrink_mask.reshape(-1)[at] *= 1 + spec.gap_weight
    if with_threshold:
        return Targets(shrink_map, shrink_mask, *_threshold_maps(polygons, ignored, size, ratio, spec)), masked
    empty = np.zeros((0, 0), np.float32)
    return Targets(shrink_map, shrink_mask, empty, empty), masked


def _gaps(polygons: Sequence[Polygon], size: tuple[int, int]) -> npt.NDArray[np.int64] | None:
    """Where at least two texts overlap, each lengthened at both ends by 0.6 of its height; None: nowhere.

    Merged neighbours of one line are what a good base still gets wrong, and their gaps are a thousandth of the page.

    Returns:
        indices of pixels in a map [H, W] that is laid out row by row.
    """
    width, height = size
    if len(polygons) < 2:
        return None
    outlines = [_lengthened(polygon) for polygon in polygons]
    low, high = bounds(outlines)
    limit = (width - 1, height - 1)
    low, high = (np.clip(edge, 0, limit).astype(int) for edge in (np.floor(low), np.ceil(high)))
    meets = ((low[:, None] <= high[None]) & (low[None] <= high[:, None])).all(axis=2)
    crowded = np.flatnonzero(meets.sum(axis=1) > 1)
    if not len(crowded):
        return None
    covered = np.zeros((height, width), np.uint16)
    for index in crowded.tolist():
        (x0, y0), (x1, y1) = low[index].tolist(), high[index].tolist()
        window = np.zeros((y1 - y0 + 1, x1 - x0 + 1), np.uint8)
        cv2.fillPoly(window, [np.rint(outlines[index] - low[index]).astype(np.int32)], 1)
        covered[y0 : y1 + 1, x0 : x1 + 1] += window
    return np.flatnonzero(covered >= 2)


def _lengthened(polygon: Polygon) -> Polygon:
    """A text reaching over both its ends by 0.6 of its height; outlines of more than four points grow on every side."""
    if len(polygon) != 4:
        centre, (a, b), angle = cv2.minAreaRect(polygon)
        margin = 2 * _GAP_REACH * min(a, b)
        return np.asarray(cv2.boxPoints((centre, (a + margin, b + margin), angle)), np.float32)
    (ax, ay), (bx, by), _, (dx, dy) = polygon.tolist()
    reach = _GAP_REACH * math.hypot(dx - ax, dy - ay) / max(math.hypot(bx - ax, by - ay), 1e-6)
    x, y = (bx - ax) * reach, (by - ay) * reach
    return polygon + np.array([(-x, -y), (x, y), (x, y), (-x, -y)], np.float32)


def shrink(polygon: Polygon, ratio: float, subpixel: bool = True) -> list[npt.NDArray[np.float64]]:
    """The kernel of a text: its outline moved inwards by A * (1 - ratio^2) / L.

    Larger multiples of the ratio are tried until exactly one outline results, as in PaddleOCR; the last try is taken
    when none does. An empty list means that the text vanishes.
    """
    area, length = abs(signed_area(polygon)), perimeter(polygon)
    if area == 0:
        return []
    outlines: list[npt.NDArray[np.float64]] = []
    for multiple in np.arange(ratio, 1, ratio):
        outlines = _offset(polygon, -area * (1 - multiple**2) / length, subpixel)
        if len(outlines) == 1:
            break
    return outlines


def _shrink_maps(
    polygons: Sequence[Polygon], ignored: Sequence[bool], size: tuple[int, int], ratio: float, spec: TargetSpec
) -> tuple[Map, Map, list[bool]]:
    width, height = size
    shrink_map = np.zeros((height, width), np.float32)
    mask = np.ones((height, width), np.float32)
    canvas = _Coverage(size) if spec.drawing == "subpixel" else None
    masked = []
    corner = np.array((width - 1, height - 1), np.float32)
    for outline, ignore in zip(polygons, ignored, strict=True):
        polygon = np.minimum(np.maximum(outline, np.float32(0)), corner)
        kernels = []
        if not ignore and abs(signed_area(polygon)) >= 1 and np.ptp(polygon, axis=0).min() >= spec.min_text_size:
            kernels = shrink(polygon, ratio, subpixel=canvas is not None)
        masked.append(not kernels)
        if not kernels:
            cv2.fillPoly(mask, [polygon.astype(np.int32)], 0)
        elif canvas is not None:
            canvas.draw(kernels)
        else:
            for kernel in kernels:
                cv2.fillPoly(shrink_map, [kernel.astype(np.int32)], 1)
    return (shrink_map if canvas is None else canvas.average()), mask, masked


def _threshold_maps(
    polygons: Sequence[Polygon], ignored: Sequence[bool], size: tuple[int, int], ratio: float, spec: TargetSpec
) -> tuple[Map, Map]:
    width, height = size
    reach = spec.threshold_max - spec.threshold_min
    threshold = np.full((height, width), spec.threshold_min, np.float32)
    mask = np.zeros((height, width), np.float32)
    subpixel = spec.drawing == "subpixel"
    for polygon, ignore in zip(polygons, ignored, strict=True):
        if ignore:
            continue
        area, length = abs(signed_area(polygon)), perimeter(polygon)
        if area == 0:
            continue
        distance = area * (1 - ratio**2) / length
        grown = _offset(polygon, distance, subpixel)
        if not grown:
            continue
        outer = grown[0].astype(np.int32)
        cv2.fillPoly(mask, [outer], 1)
        (x0, y0), (x1, y1) = outer.min(axis=0).tolist(), outer.max(axis=0).tolist()
        outside = x0 >= width or y0 >= height or x1 < 0 or y1 < 0
        if outside and subpixel:
            continue
        # PaddleOCR clamps a box outside the map to its edge and so draws one row or column of it there
        left, right = min(max(x0, 0), width - 1), min(max(x1, 0), width - 1)
        top, bottom = min(max(y0, 0), height - 1), min(max(y1, 0), height - 1)
        if subpixel:
            _draw_closeness(threshold, polygon, distance, (left, top, right, bottom), spec)
            continue
        gaps = _official_distance_to_outline(polygon, x0, y0, x1, y1)
        gaps = gaps[top - y0 : bottom - y0 + 1, left - x0 : right - x0 + 1]
        window = threshold[top : bottom + 1, left : right + 1]
        if gaps.shape == window.shape:
            closeness = (1 - np.minimum(gaps / distance, 1)).astype(np.float32)
            np.fmax(window, closeness * reach + spec.threshold_min, out=window)
    return threshold, mask


def _draw_closeness(
    threshold: Map, polygon: Polygon, distance: float, box: tuple[int, int, int, int], spec: TargetSpec
) -> None:
    """Raise a threshold map along an outline: from max on it down to min at ``distance`` pixels.

    Edge by edge, each in the part of ``box`` (x0, y0, x1, y1; inclusive) that it can reach: the nearest edge gives the
    highest value. A rectangle is drawn in one go.
    """
    slope = (spec.threshold_min - spec.threshold_max) / distance
    points = polygon.tolist()
    if _is_rectangle(points):
        _raise(threshold, box, _distance_to_rectangle(points, box), slope, spec.threshold_max)
        return
    for (ax, ay), (bx, by) in zip(points, [*points[1:], *points[:1]], strict=True):
        length = math.hypot(bx - ax, by - ay)
        if length == 0:
            continue
        x0, x1 = max(box[0], math.floor(min(ax, bx) - distance)), min(box[2], math.ceil(max(ax, bx) + distance))
        y0, y1 = max(box[1], math.floor(min(ay, by) - distance)), min(box[3], math.ceil(max(ay, by) + distance))
        if x0 > x1 or y0 > y1:
            continue
        ex, ey = (bx - ax) / length, (by - ay) / length
        x = np.arange(x0 - ax, x1 - ax + 0.5, dtype=np.float32)[None]
        y = np.arange(y0 - ay, y1 - ay + 0.5, dtype=np.float32)[:, None]
        along = x * ex + y * ey
        beyond = along - np.minimum(np.maximum(along, np.float32(0)), np.float32(length))
        aside = y * ex - x * ey
        gaps = beyond * beyond
        gaps += aside * aside
        np.sqrt(gaps, out=gaps)
        _raise(threshold, (x0, y0, x1, y1), gaps, slope, spec.threshold_max)


def _raise(threshold: Map, box: tuple[int, int, int, int], gaps: Map, slope: float, highest: float) -> None:
    """Raise a window of a map to ``highest + slope * gaps`` where that is more; ``gaps`` is used up."""
    x0, y0, x1, y1 = box
    gaps *= slope
    gaps += highest
    window = threshold[y0 : y1 + 1, x0 : x1 + 1]
    np.maximum(window, gaps, out=window)


def _is_rectangle(points: list[list[float]]) -> bool:
    """Whether four corners are those of a rectangle, turned or not, to a thousandth of a pixel."""
    if len(points) != 4:
        return False
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = points
    middles = math.hypot(ax + cx - bx - dx, ay + cy - by - dy)
    diagonals = math.hypot(cx - ax, cy - ay) - math.hypot(dx - bx, dy - by)
    return middles < 2e-3 and abs(diagonals) < 1e-3


def _distance_to_rectangle(points: list[list[float]], box: tuple[int, int, int, int]) -> Map:
    """Distance in pixels from each whole pixel of a box (inclusive) to the nearest edge of a rectangle, float32 [h, w]."""
    (ax, ay), (bx, by), (cx, cy), _ = points
    width, height = math.hypot(bx - ax, by - ay), math.hypot(cx - bx, cy - by)
    if width < height:  # the longer side gives the direction
        ax, ay, bx, by, width, height = bx, by, cx, cy, height, width
    ex, ey = (bx - ax) / max(width, 1e-6), (by - ay) / max(width, 1e-6)
    middle_x, middle_y = (points[0][0] + points[2][0]) / 2, (points[0][1] + points[2][1]) / 2
    x = np.arange(box[0] - middle_x, box[2] - middle_x + 0.5, dtype=np.float32)[None]
    y = np.arange(box[1] - middle_y, box[3] - middle_y + 0.5, dtype=np.float32)[:, None]
    # an upright rectangle needs rows and columns only
    along = x * ex + y * ey if ex and ey else (x * ex if ex else y * ey)
    aside = y * ex - x * ey if ex and ey else (y * ex if ex else x * ey)
    along, aside = np.abs(along) - np.float32(width / 2), np.abs(aside) - np.float32(height / 2)
    inner = np.minimum(np.maximum(along, aside), np.float32(0))
    along, aside = np.maximum(along, np.float32(0)), np.maximum(aside, np.float32(0))
    outer = along * along + aside * aside
    np.sqrt(outer, out=outer)
    outer -= inner
    return outer


def _official_distance_to_outline(polygon: Polygon, x0: int, y0: int, x1: int, y1: int) -> npt.NDArray[np.float64]:
    """The same as PaddleOCR computes it, for parity only.

    It takes the law of cosines with the edge's length in single precision. Pixels on an edge may so become NaN, and where
    the edge is seen under less than 90 degrees the nearer end counts although the line may be closer.
    """
    points = (polygon - np.array((x0, y0), np.float32)).astype(np.float32)
    xs, ys = np.arange(x1 - x0 + 1, dtype=np.float64)[None, :], np.arange(y1 - y0 + 1, dtype=np.float64)[:, None]
    nearest = np.full((y1 - y0 + 1, x1 - x0 + 1), np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        for a, b in zip(points, np.roll(points, -1, axis=0), strict=True):
            edge = np.float64(np.square(a[0] - b[0]) + np.square(a[1] - b[1]))
            to_a = np.square(xs - np.float64(a[0])) + np.square(ys - np.float64(a[1]))
            to_b = np.square(xs - np.float64(b[0])) + np.square(ys - np.float64(b[1]))
            cosine = (edge - to_a - to_b) / (2 * np.sqrt(to_a * to_b))
            squared_sine = np.nan_to_num(1 - np.square(cosine))
            distance = np.sqrt(to_a * to_b * squared_sine / edge)
            acute = cosine < 0
            distance[acute] = np.sqrt(np.fmin(to_a, to_b))[acute]
            nearest = np.minimum(nearest, distance)  # NaN wins, as there
    return nearest


def _offset(polygon: Polygon, distance: float, subpixel: bool) -> list[npt.NDArray[np.float64]]:
    scale = _SUBPIXEL_SCALE if subpixel else 1
    offset = pyclipper.PyclipperOffset(2.0, 0.25 * scale if subpixel else 0.25)
    offset.AddPath((polygon * scale).tolist(), pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    return [np.array(outline, np.float64) / scale for outline in offset.Execute(distance * scale)]


class _Coverage:
    """Draws outlines at four times the resolution and gives the covered share of each pixel."""

    def __init__(self, size: tuple[int, int]) -> None:
        width, height = size
        self._canvas = np.zeros((height * _SUPERSAMPLING, width * _SUPERSAMPLING), np.uint8)
        self._drawn: list[tuple[int, int, int, int]] = []

    def draw(self, outlines: Sequence[npt.NDArray[np.float64]]) -> None:
        # pixel centres are at whole coordinates, so pixel x covers x - 0.5 .. x + 0.5
        shift = 4
        points = [((o + 0.5) * _SUPERSAMPLING - 0.5) * 2**shift for o in outlines]
        cv2.fillPoly(self._canvas, [np.rint(p).astype(np.int32) for p in points], 255, shift=shift)
        height, width = self._canvas.shape
        for outline in outlines:
            (left, top), (right, bottom) = outline.min(axis=0).tolist(), outline.max(axis=0).tolist()
            x0, x1 = max(0, math.floor(left) - 1), min(width // _SUPERSAMPLING, math.ceil(right) + 2)
            y0, y1 = max(0, math.floor(top) - 1), min(height // _SUPERSAMPLING, math.ceil(bottom) + 2)
            if x0 < x1 and y0 < y1:
                self._drawn.append((x0, y0, x1, y1))

    def average(self) -> Map:
        """The covered share of each pixel; only the boxes that were drawn in are looked at."""
        height, width = self._canvas.shape
        coverage = np.zeros((height // _SUPERSAMPLING, width // _SUPERSAMPLING), np.float32)
        for x0, y0, x1, y1 in self._drawn:
            fine = self._canvas[y0 * _SUPERSAMPLING : y1 * _SUPERSAMPLING, x0 * _SUPERSAMPLING : x1 * _SUPERSAMPLING]
            mean = cv2.resize(fine, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
            np.divide(mean, np.float32(255), out=coverage[y0:y1, x0:x1])
        return coverage
