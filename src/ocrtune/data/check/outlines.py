"""Rules about outlines: of pixels, inside the image, not crossing themselves, large enough, not on top of each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
import shapely

from ocrtune.data.check.findings import Severity, called
from ocrtune.data.formats._shapes import LARGEST, in_order
from ocrtune.page import Polygon, TextRegion, clockwise_from_top_left, signed_area

Found: TypeAlias = Callable[[TextRegion, str, Severity, str, str | None], None]
"""Takes a finding: its region, code, severity, message after the region's name, and what ``--fix`` does."""
LEARNABLE_SIDE = 3.0  # pixels at the training size; what is smaller leaves nothing when shrunk
_SLACK = 2.0  # pixels that a label may reach over the image's border before it is worth a word
_OVERLAP = 0.6  # IoU from which two labels are on top of each other
_MIN_AREA = 1.0  # square pixels


@dataclass(frozen=True)
class _Shapes:
    """Of all outlines of a page: float32 [n, 2] corners of the bounding boxes, bool [n] simple, float64 [n] areas."""

    low: npt.NDArray[np.float32]
    high: npt.NDArray[np.float32]
    simple: npt.NDArray[np.bool_]
    area: npt.NDArray[np.float64]


def mend_outlines(
    regions: Sequence[TextRegion], width: int, height: int, scale: float, found: Found
) -> list[TextRegion]:
    """Check the outlines of a page, and mend what can be mended.

    Args:
        regions: as labelled.
        width, height: of the image in pixels.
        scale: of the page at the training size.
        found: takes what is wrong.

    Returns:
        the regions that are of use, mended.
    """
    sound = []
    for region in regions:
        if (np.abs(region.polygon) <= LARGEST).all():
            sound.append(region)
        else:
            what = "has a coordinate that is no number, or too large to be a pixel"
            found(region, "polygon-not-pixels", "error", what, "drops the region")
    if not sound:
        return []
    shapes = _shapes(sound)
    suspect = (shapes.low < 0).any(axis=1) | (shapes.high > (width, height)).any(axis=1)
    suspect |= ~shapes.simple | (shapes.area < _MIN_AREA)
    kept = []
    for region, doubtful in zip(sound, suspect.tolist(), strict=True):
        mended = _mended(region, width, height, found) if doubtful else region
        if mended is None:
            continue
        side = min(cv2.minAreaRect(mended.polygon)[1]) * scale
        if not mended.ignore and side < LEARNABLE_SIDE:
            what = f"is only {side:.1f} pixels high at the training size and leaves nothing when shrunk"
            found(mended, "text-too-small", "warning", what, None)
        kept.append(mended)
    return _without_repeats(kept, found)


def _shapes(regions: Sequence[TextRegion]) -> _Shapes:
    polygons = [region.polygon for region in regions]
    if len({len(polygon) for polygon in polygons}) == 1:
        points = np.stack(polygons)
        low, high = points.min(axis=1), points.max(axis=1)
        x, y = np.moveaxis(points.astype(np.float64), 2, 0)
        area = 0.5 * (x * np.roll(y, -1, axis=1) - np.roll(x, -1, axis=1) * y).sum(axis=1)
    else:
        low = np.array([polygon.min(axis=0) for polygon in polygons])
        high = np.array([polygon.max(axis=0) for polygon in polygons])
        area = np.array([signed_area(polygon) for polygon in polygons])
    return _Shapes(low, high, shapely.is_valid(outline_shapes(polygons)), area)


def outline_shapes(polygons: Sequence[Polygon]) -> npt.NDArray[Any]:
    """Outlines, float32 [N, 2] each, as shapely polygons."""
    if len({len(polygon) for polygon in polygons}) == 1:
        return np.asarray(shapely.polygons(np.stack(polygons).astype(np.float64)))
    return np.array([shapely.Polygon(polygon) for polygon in polygons], dtype=object)


def _mended(region: TextRegion, width: int, height: int, found: Found) -> TextRegion | None:
    polygon = region.polygon
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    if (high <= 0).any() or low[0] >= width or low[1] >= height:
        what = f"lies outside the image of {width}x{height} pixels: {_box(polygon)}"
        found(region, "polygon-outside", "error", what, "drops the region")
        return None
    if not shapely.Polygon(polygon).is_valid and cv2.contourArea(cv2.convexHull(polygon)) >= _MIN_AREA:
        ordered = _reordered(polygon)
        fix = "puts the four points in order" if ordered is not None else "drops the region"
        what = f"has an outline that crosses or touches itself: {_box(polygon)}"
        found(region, "polygon-crossing", "error", what, fix)
        if ordered is None:
            return None
        polygon = ordered
    elif abs(signed_area(polygon)) < _MIN_AREA:
        found(region, "polygon-no-area", "error", f"has an area below one pixel: {_box(polygon)}", "drops the region")
        return None
    elif signed_area(polygon) < 0:
        found(region, "polygon-counter-clockwise", "info", "runs counter-clockwise", "turns it around")
        polygon = clockwise_from_top_left(polygon)
    if (low < -_SLACK).any() or high[0] > width + _SLACK or high[1] > height + _SLACK:
        what = f"reaches over the border of the image ({width}x{height}): {_box(polygon)}"
        found(region, "polygon-over-border", "warning", what, "moves the points to the border")
        clipped = _clipped(polygon, width, height)
        if clipped is None:
            return None
        polygon = clipped
    return replace(region, polygon=polygon)


def _clipped(polygon: Polygon, width: int, height: int) -> Polygon | None:
    """An outline with its points moved to the border; None where nothing of use is left."""
    clipped = np.clip(polygon, 0, (width, height)).astype(np.float32)
    if not shapely.Polygon(clipped).is_valid:  # a slanted edge may have been moved over another one
        reordered = _reordered(clipped)
        if reordered is None:
            return None
        clipped = reordered
    return clipped if abs(signed_area(clipped)) >= _MIN_AREA else None


def _reordered(polygon: Polygon) -> Polygon | None:
    """Four shuffled corners in order, as training would read them; None for what still crosses or touches itself."""
    ordered = in_order(polygon)
    return ordered if shapely.Polygon(ordered).is_valid else None


def _without_repeats(regions: Sequence[TextRegion], found: Found) -> list[TextRegion]:
    """The regions without second labels of the same outline; others that lie on top of each other are told."""
    seen: set[bytes] = set()
    kept = []
    for region in regions:
        key = np.round(region.polygon).astype(np.int32).tobytes()
        if key in seen:
            what = "is labelled twice with the same outline"
            found(region, "region-twice", "warning", what, "drops the second one")
        else:
            kept.append(region)
        seen.add(key)
    counted = [region for region in kept if not region.ignore]
    for i, j, overlap in _overlapping([region.polygon for region in counted]):
        other = called(counted[i], "another region")
        found(counted[j], "region-overlap", "warning", f"shares {overlap:.0%} of its area with {other}", None)
    return kept


def _overlapping(polygons: Sequence[Polygon]) -> list[tuple[int, int, float]]:
    """(earlier, later, IoU) of outlines that are mostly the same place."""
    if len(polygons) < 2:
        return []
    shapes = outline_shapes(polygons)
    first, second = shapely.STRtree(shapes).query(shapes)
    ordered = first < second
    first, second = first[ordered], second[ordered]
    shared = shapely.area(shapely.intersection(shapes[first], shapes[second]))
    area = shapely.area(shapes)
    iou = shared / np.maximum(area[first] + area[second] - shared, 1e-6)
    return [(int(first[k]), int(second[k]), float(iou[k])) for k in np.flatnonzero(iou > _OVERLAP)]


def _box(polygon: Polygon) -> str:
    (x0, y0), (x1, y1) = polygon.min(axis=0), polygon.max(axis=0)
    return f"x {x0:g}..{x1:g}, y {y0:g}..{y1:g}"
