"""From a probability map to text polygons (DB post-processing).

Source: Liao et al., "Real-time Scene Text Detection with Differentiable Binarization" (2020), section 3.4, in the
form of PaddleOCR's DBPostProcess: OpenCV contours, minimal-area rectangles, Vatti offset on whole pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
import pyclipper
from pydantic import BaseModel, ConfigDict, Field

from ocrtune.page import Polygon

ProbMap: TypeAlias = npt.NDArray[np.float32]
_MIN_SIDE = 3  # shorter sides are dropped before the offset, and (plus 2) after it: PaddleOCR's min_size


class DetectionThresholds(BaseModel):
    """How a probability map becomes boxes; stored in the bundle and fitted by calibration.

    Attributes:
        bin_thresh: pixels above it are text.
        box_thresh: regions with a lower mean probability are dropped.
        unclip_ratio: offset distance = area * unclip_ratio / perimeter.
        max_candidates: only this many contours, in OpenCV's order, are looked at.
        box_type: ``quad`` gives minimal-area rectangles, ``poly`` outlines.
        score_mode: ``fast`` averages over the rectangle, ``slow`` over the contour (``poly`` is always fast).
        dilation: dilate the binary map by 2x2 first.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    bin_thresh: float = Field(0.3, gt=0, lt=1)
    box_thresh: float = Field(0.6, ge=0, le=1)
    unclip_ratio: float = Field(1.5, ge=0)
    max_candidates: int = Field(1000, ge=1)
    box_type: Literal["quad", "poly"] = "quad"
    score_mode: Literal["fast", "slow"] = "fast"
    dilation: bool = False


@dataclass(frozen=True)
class Candidates:
    """What a binarised map holds before boxes are dropped and grown; independent of box threshold and unclip ratio.

    Attributes:
        outlines: each [N, 2] in map pixels: rectangle corners (float32) for ``quad``, simplified contours for ``poly``.
        scores: float64 [K], mean probability inside.
        map_size: width and height of the map.
    """

    outlines: list[npt.NDArray[Any]]
    scores: npt.NDArray[np.float64]
    map_size: tuple[int, int]


def decode_map(
    prob: ProbMap, thresholds: DetectionThresholds, source_size: tuple[int, int]
) -> tuple[list[Polygon], npt.NDArray[np.float32]]:
    """Boxes in source pixels from one probability map.

    Args:
        prob: float32 [H, W], 0 to 1.
        thresholds: how to decode.
        source_size: width and height in pixels of the image that the boxes are for.

    Returns:
        polygons, each float32 [N, 2] in whole source pixels, clockwise from the top left (N = 4 for ``quad``),
        and their scores, float32 [K].
    """
    return grow_candidates(find_candidates(prob, thresholds), thresholds, source_size)


def find_candidates(prob: ProbMap, thresholds: DetectionThresholds) -> Candidates:
    """Binarise a map, float32 [H, W], and score its contours."""
    prob = np.ascontiguousarray(prob)
    binary = cv2.compare(prob, thresholds.bin_thresh, cv2.CMP_GT)
    if thresholds.dilation:
        binary = cv2.dilate(binary, np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(binary, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    outlines: list[npt.NDArray[Any]] = []
    scores: list[float] = []
    for contour in contours[: thresholds.max_candidates]:
        if thresholds.box_type == "quad":
            rect = cv2.minAreaRect(contour)
            if min(rect[1]) < _MIN_SIDE:
                continue
            outline = order_corners(cv2.boxPoints(rect))
            scored = contour[:, 0] if thresholds.score_mode == "slow" else outline
        else:
            outline = scored = cv2.approxPolyDP(contour, 0.002 * cv2.arcLength(contour, True), True)[:, 0]
            if len(outline) < 4:
                continue
        outlines.append(outline)
        scores.append(_mean_inside(prob, scored))
    return Candidates(outlines, np.array(scores, np.float64), (prob.shape[1], prob.shape[0]))


def grow_candidates(
    candidates: Candidates, thresholds: DetectionThresholds, source_size: tuple[int, int]
) -> tuple[list[Polygon], npt.NDArray[np.float32]]:
    """Drop weak candidates and undo the shrinking of the others; see `decode_map` for the result."""
    map_size, limit = np.array(candidates.map_size, np.float64), np.array(source_size, np.float64)
    polygons: list[Polygon] = []
    scores: list[float] = []
    for outline, score in zip(candidates.outlines, candidates.scores.tolist(), strict=True):
        if score < thresholds.box_thresh:
            continue
        area, length = cv2.contourArea(outline), cv2.arcLength(outline, True)
        grown = _offset(outline, area * thresholds.unclip_ratio / length)
        if grown is None:
            continue
        rect = cv2.minAreaRect(grown)
        if min(rect[1]) < _MIN_SIDE + 2:
            continue
        box = order_corners(cv2.boxPoints(rect)) if thresholds.box_type == "quad" else grown
        polygons.append(np.clip(np.round(box / map_size * limit), 0, limit).astype(np.float32))
        scores.append(score)
    return polygons, np.array(scores, np.float32)


def order_corners(corners: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Four corners as top left, top right, bottom right, bottom left.

    The two leftmost give the left side and the two rightmost the right side, each ordered by y (PaddleOCR's rule).
    """
    a, b, c, d = sorted(corners.tolist())
    if a[1] > b[1]:
        a, b = b, a
    if c[1] > d[1]:
        c, d = d, c
    return np.array((a, c, d, b), dtype=np.float32)


def _mean_inside(prob: ProbMap, points: npt.NDArray[Any]) -> float:
    """Mean probability inside an outline whose points are truncated to whole pixels."""
    height, width = prob.shape
    low, high = points.min(axis=0), points.max(axis=0)
    x0, y0 = min(max(int(np.floor(low[0])), 0), width - 1), min(max(int(np.floor(low[1])), 0), height - 1)
    x1, y1 = min(max(int(np.ceil(high[0])), 0), width - 1), min(max(int(np.ceil(high[1])), 0), height - 1)
    mask = np.zeros((y1 - y0 + 1, x1 - x0 + 1), np.uint8)
    cv2.fillPoly(mask, [(points - (x0, y0)).astype(np.int32)], 1)
    return float(cv2.mean(prob[y0 : y1 + 1, x0 : x1 + 1], mask)[0])


def _offset(points: npt.NDArray[Any], distance: float) -> npt.NDArray[np.int32] | None:
    """The outline grown by ``distance`` pixels with round corners; None unless exactly one outline results."""
    offset = pyclipper.PyclipperOffset()
    offset.AddPath(points.tolist(), pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    grown = offset.Execute(distance)
    return np.array(grown[0], dtype=np.int32) if len(grown) == 1 else None
