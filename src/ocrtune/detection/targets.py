"""Training targets of DB: shrink map and threshold map with their masks.

Source: Liao et al., "DB" (2020), section 3.3. Two ways of drawing: ``whole`` pixels as in PaddleOCR (for parity and imported
configurations) and ``subpixel``, which offsets in 1/64 pixel and draws coverage, because whole pixels make maps too fat for
small texts (docs/studies/detection-recipe.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from ocrtune.config.schema import TargetSpec
from ocrtune.detection.offset import shrink
from ocrtune.detection.threshold_map import Map, threshold_maps
from ocrtune.page import Polygon, bounds, signed_area

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
        return Targets(shrink_map, shrink_mask, *threshold_maps(polygons, ignored, size, ratio, spec)), masked
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
