"""The threshold map of DB's targets, drawn exactly or as PaddleOCR does (Liao et al., "DB" (2020), section 3.3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from ocrtune.config.schema import TargetSpec
from ocrtune.detection.offset import SUBPIXEL_SCALE, offset
from ocrtune.page import Polygon, perimeter, signed_area

Map: TypeAlias = npt.NDArray[np.float32]
"""float32 [H, W]."""
_DISTANCES = 1 << 18  # from places to edges that are computed at a time


def threshold_maps(
    polygons: Sequence[Polygon], ignored: Sequence[bool], size: tuple[int, int], ratio: float, spec: TargetSpec
) -> tuple[Map, Map]:
    """The map, and its mask; arguments as those of `ocrtune.detection.targets.make_targets`.

    Args:
        polygons, ignored: outlines, and which do not count.
        size: width and height of the maps.
        ratio: the shrink ratio.
        spec: how to draw.
    """
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
    if distance < 1 / SUBPIXEL_SCALE:
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
    grown = offset(polygon, distance, subpixel=False)
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
