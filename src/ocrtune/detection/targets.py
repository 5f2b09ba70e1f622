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
_DISTANCES = 1 << 18  # from places to edges that are computed at a time
_LEAST_TURN = 1e-3  # sine of the angle between two edges that count as two


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
        distance = area * (1 - multiple**2) / length
        inset = _inset(polygon, distance) if subpixel else None
        outlines = _offset(polygon, -distance, subpixel) if inset is None else [inset]
        if len(outlines) == 1:
            break
    return outlines


def _shrink_maps(
    polygons: Sequence[Polygon], ignored: Sequence[bool], size: tuple[int, int], ratio: float, spec: TargetSpec
) -> tuple[Map, Map, list[bool]]:
    width, height = size
    shrink_map = np.zeros((height, width), np.float32)
    mask = np.ones((height, width), np.float32)
    subpixel = spec.drawing == "subpixel"
    masked = []
    corner = np.array((width - 1, height - 1), np.float32)
    for outline, ignore in zip(polygons, ignored, strict=True):
        polygon = np.minimum(np.maximum(outline, np.float32(0)), corner)
        kernels = []
        if not ignore and abs(signed_area(polygon)) >= 1 and np.ptp(polygon, axis=0).min() >= spec.min_text_size:
            kernels = shrink(polygon, ratio, subpixel)
        masked.append(not kernels)
        if not kernels:
            cv2.fillPoly(mask, [polygon.astype(np.int32)], 0)
        elif subpixel:
            _draw_coverage(shrink_map, kernels)
        else:
            for kernel in kernels:
                cv2.fillPoly(shrink_map, [kernel.astype(np.int32)], 1)
    return shrink_map, mask, masked


def _threshold_maps(
    polygons: Sequence[Polygon], ignored: Sequence[bool], size: tuple[int, int], ratio: float, spec: TargetSpec
) -> tuple[Map, Map]:
    width, height = size
    threshold = np.full((height, width), spec.threshold_min, np.float32)
    mask = np.zeros((height, width), np.float32)
    draw = _draw_threshold if spec.drawing == "subpixel" else _draw_official_threshold
    for polygon, ignore in zip(polygons, ignored, strict=True):
        area = abs(signed_area(polygon))
        if area > 0 and not ignore:
            draw(threshold, mask, polygon, area * (1 - ratio**2) / perimeter(polygon), spec)
    return threshold, mask


def _draw_threshold(threshold: Map, mask: Map, polygon: Polygon, distance: float, spec: TargetSpec) -> None:
    """Raise a threshold map along an outline, from max on it down to min at ``distance`` pixels; mask what it encloses."""
    if distance < 1 / _SUBPIXEL_SCALE:
        return
    height, width = threshold.shape
    points = polygon.tolist()
    xs, ys = [x for x, _ in points], [y for _, y in points]
    x0, x1 = max(0, math.ceil(min(xs) - distance)), min(width, math.floor(max(xs) + distance) + 1)
    y0, y1 = max(0, math.ceil(min(ys) - distance)), min(height, math.floor(max(ys) + distance) + 1)
    if x0 >= x1 or y0 >= y1:
        return
    window, masked = threshold[y0:y1, x0:x1], mask[y0:y1, x0:x1]
    x, y = np.arange(x0, x1, dtype=np.float32)[None], np.arange(y0, y1, dtype=np.float32)[:, None]
    if _is_rectangle(points):
        gaps = _signed_distance_to_rectangle(points, x, y)
        masked[gaps <= distance] = 1
        np.abs(gaps, out=gaps)
    else:
        gaps = _distance_to_edges(polygon, x, y)
        masked[gaps <= distance] = 1
        cv2.fillPoly(masked, [np.rint(polygon - (x0, y0)).astype(np.int32)], 1)
    gaps *= (spec.threshold_min - spec.threshold_max) / distance
    gaps += spec.threshold_max
    np.maximum(window, gaps, out=window)


def _is_rectangle(points: list[list[float]]) -> bool:
    """Whether four corners are those of a rectangle, turned or not, to a thousandth of a pixel."""
    if len(points) != 4:
        return False
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = points
    middles = math.hypot(ax + cx - bx - dx, ay + cy - by - dy)
    diagonals = math.hypot(cx - ax, cy - ay) - math.hypot(dx - bx, dy - by)
    return middles < 2e-3 and abs(diagonals) < 1e-3


def _signed_distance_to_rectangle(points: list[list[float]], x: Map, y: Map) -> Map:
    """Pixels from each place to the nearest edge of a rectangle, negative inside, float32 [h, w].

    ``x``, [1, w], and ``y``, [h, 1], are the places.
    """
    (ax, ay), (bx, by), (cx, cy), _ = points
    long, short = math.hypot(bx - ax, by - ay), math.hypot(cx - bx, cy - by)
    x, y = x - np.float32((ax + cx) / 2), y - np.float32((ay + cy) / 2)
    if long < short:  # the longer side gives the direction
        ax, ay, bx, by, long, short = bx, by, cx, cy, short, long
    ex, ey = (bx - ax) / max(long, 1e-6), (by - ay) / max(long, 1e-6)
    # an upright rectangle needs rows and columns only
    along = x * ex + y * ey if ex and ey else (x * ex if ex else y * ey)
    aside = y * ex - x * ey if ex and ey else (y * ex if ex else x * ey)
    along, aside = np.abs(along) - np.float32(long / 2), np.abs(aside) - np.float32(short / 2)
    inner = np.minimum(np.maximum(along, aside), np.float32(0))
    along, aside = np.maximum(along, np.float32(0)), np.maximum(aside, np.float32(0))
    outer = along * along + aside * aside
    np.sqrt(outer, out=outer)
    outer += inner
    return outer


def _distance_to_edges(polygon: Polygon, x: Map, y: Map) -> Map:
    """Pixels from each place to the nearest edge of an outline, float32 [h, w]; ``x`` and ``y`` as above."""
    start = polygon.astype(np.float32)
    edge = np.roll(start, -1, axis=0) - start
    length = np.maximum(np.hypot(edge[:, 0], edge[:, 1]), np.float32(1e-6))
    nearest = np.full((y.shape[0], x.shape[1]), np.inf, np.float32)
    together = max(1, _DISTANCES // nearest.size)
    for first in range(0, len(start), together):
        part = slice(first, first + together)
        (ax, ay), (ex, ey) = start[part].T[..., None, None], (edge / length[:, None])[part].T[..., None, None]
        dx, dy = x - ax, y - ay
        along = dx * ex + dy * ey
        # what lies beyond the edge's ends is left
        along -= np.minimum(np.maximum(along, np.float32(0)), length[part, None, None])
        aside = dy * ex - dx * ey
        along *= along
        aside *= aside
        along += aside
        np.minimum(nearest, along.min(axis=0), out=nearest)
    return np.sqrt(nearest)


def _draw_official_threshold(threshold: Map, mask: Map, polygon: Polygon, distance: float, spec: TargetSpec) -> None:
    """The same as PaddleOCR draws it, in whole pixels."""
    height, width = threshold.shape
    grown = _offset(polygon, distance, subpixel=False)
    if not grown:
        return
    outer = grown[0].astype(np.int32)
    cv2.fillPoly(mask, [outer], 1)
    (x0, y0), (x1, y1) = outer.min(axis=0).tolist(), outer.max(axis=0).tolist()
    # a box outside the map is clamped to its edge, so that one row or column of it is drawn there
    left, right = min(max(x0, 0), width - 1), min(max(x1, 0), width - 1)
    top, bottom = min(max(y0, 0), height - 1), min(max(y1, 0), height - 1)
    gaps = _official_distance_to_outline(polygon, x0, y0, x1, y1)
    gaps = gaps[top - y0 : bottom - y0 + 1, left - x0 : right - x0 + 1]
    window = threshold[top : bottom + 1, left : right + 1]
    if gaps.shape == window.shape:
        closeness = (1 - np.minimum(gaps / distance, 1)).astype(np.float32)
        np.fmax(window, closeness * (spec.threshold_max - spec.threshold_min) + spec.threshold_min, out=window)


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


def _inset(polygon: Polygon, distance: float) -> npt.NDArray[np.float64] | None:
    """Four corners moved inwards: their edges, moved and made to meet anew. None where they are not convex, or lose an edge.

    What clipping gives then, in a tenth of the time.
    """
    points = polygon.tolist()
    if len(points) != 4:
        return None
    directions = []
    for (ax, ay), (bx, by) in zip(points, [*points[1:], points[0]], strict=True):
        length = math.hypot(bx - ax, by - ay)
        if length == 0:
            return None
        directions.append(((bx - ax) / length, (by - ay) / length, length))
    turn = 0.0  # which way the outline goes round
    moved = []
    for (x, y), (ex, ey, _), (fx, fy, _) in zip(points, [directions[-1], *directions], directions, strict=False):
        sine, cosine = ex * fy - ey * fx, ex * fx + ey * fy
        turn = turn or math.copysign(1.0, sine)
        if sine * turn < _LEAST_TURN:
            return None
        # both edges' normals point inwards; their sum leads to where the moved edges meet
        step = turn * distance / (1 + cosine)
        moved.append((x - (ey + fy) * step, y + (ex + fx) * step))
    for (ax, ay), (bx, by), (ex, ey, _) in zip(moved, [*moved[1:], moved[0]], directions, strict=True):
        if (bx - ax) * ex + (by - ay) * ey <= 0:
            return None
    return np.array(moved, np.float64)


def _offset(polygon: Polygon, distance: float, subpixel: bool) -> list[npt.NDArray[np.float64]]:
    scale = _SUBPIXEL_SCALE if subpixel else 1
    offset = pyclipper.PyclipperOffset(2.0, 0.25 * scale if subpixel else 0.25)
    offset.AddPath((polygon * scale).tolist(), pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    return [np.array(outline, np.float64) / scale for outline in offset.Execute(distance * scale)]


def _draw_coverage(coverage: Map, outlines: Sequence[npt.NDArray[np.float64]]) -> None:
    """Raise a map to the share of each pixel that some outlines cover, drawn at four times the resolution."""
    height, width = coverage.shape
    points = np.concatenate(outlines)
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    x0, x1 = max(0, math.floor(left) - 1), min(width, math.ceil(right) + 2)
    y0, y1 = max(0, math.floor(top) - 1), min(height, math.ceil(bottom) + 2)
    if x0 >= x1 or y0 >= y1:
        return
    fine = np.zeros(((y1 - y0) * _SUPERSAMPLING, (x1 - x0) * _SUPERSAMPLING), np.uint8)
    # pixel centres are at whole coordinates, so pixel x covers x - 0.5 .. x + 0.5
    shift, corner = 4, np.array((x0, y0), np.float64) - 0.5
    drawn = [np.rint(((o - corner) * _SUPERSAMPLING - 0.5) * 2**shift).astype(np.int32) for o in outlines]
    cv2.fillPoly(fine, drawn, 255, shift=shift)
    share = cv2.resize(fine, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA) * np.float32(1 / 255)
    window = coverage[y0:y1, x0:x1]
    np.maximum(window, share, out=window)
