"""From a probability map to text polygons (DB post-processing).

Source: Liao et al., "Real-time Scene Text Detection with Differentiable Binarization" (2020), section 3.4, in the
form of PaddleOCR's DBPostProcess: OpenCV contours, minimal-area rectangles, Vatti offset on whole pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
import pyclipper
from pydantic import BaseModel, ConfigDict, Field

from ocrtune.page import Polygon

ProbMap: TypeAlias = npt.NDArray[np.float32]
# positions of the four corners among the points sorted by x, by whether the lower one comes first on each side
_CORNER_ORDER = np.array([[[0, 2, 3, 1], [0, 3, 2, 1]], [[1, 2, 3, 0], [1, 3, 2, 0]]])
_NO_POINTS = np.empty((0, 2), np.int32)
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
    outlines, scored = _outlines(contours[: thresholds.max_candidates], thresholds)
    return Candidates(outlines, _means_inside(prob, scored), (prob.shape[1], prob.shape[0]))


def grow_candidates(
    candidates: Candidates, thresholds: DetectionThresholds, source_size: tuple[int, int]
) -> tuple[list[Polygon], npt.NDArray[np.float32]]:
    """Drop weak candidates and undo the shrinking of the others; see `decode_map` for the result."""
    offset = pyclipper.PyclipperOffset()
    quad = thresholds.box_type == "quad"
    grown: list[npt.NDArray[Any]] = []
    scores: list[float] = []
    for outline, score in zip(candidates.outlines, candidates.scores.tolist(), strict=True):
        if score < thresholds.box_thresh:
            continue
        area, length = cv2.contourArea(outline), cv2.arcLength(outline, True)
        offset.Clear()
        offset.AddPath(outline.tolist(), pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
        paths = offset.Execute(area * thresholds.unclip_ratio / length)
        if len(paths) != 1:
            continue
        larger = np.array(paths[0], dtype=np.int32)
        rect = cv2.minAreaRect(larger)
        if min(rect[1]) < _MIN_SIDE + 2:
            continue
        grown.append(cv2.boxPoints(rect) if quad else larger)
        scores.append(score)
    # one calculation for all points: NumPy's overhead for each box would cost more than the geometry
    points = order_corners(np.stack(grown)).reshape(-1, 2) if quad and grown else np.concatenate([_NO_POINTS, *grown])
    limit = np.array(source_size, np.float64)
    points = np.clip(np.round(points / np.array(candidates.map_size, np.float64) * limit), 0, limit).astype(np.float32)
    ends = np.cumsum([len(outline) for outline in grown])[:-1]
    return (np.split(points, ends) if grown else []), np.array(scores, np.float32)


def order_corners(corners: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Corners of quads, float32 [K, 4, 2], each as top left, top right, bottom right, bottom left.

    The two leftmost give the left side and the two rightmost the right side, each ordered by y (PaddleOCR's rule).
    """
    by_x = np.lexsort((corners[..., 1], corners[..., 0]), axis=1)
    left_to_right = np.take_along_axis(corners, by_x[..., None], axis=1)
    lower_first = (left_to_right[:, 0::2, 1] > left_to_right[:, 1::2, 1]).astype(np.intp)  # on the left, on the right
    order = _CORNER_ORDER[lower_first[:, 0], lower_first[:, 1]]
    return np.take_along_axis(left_to_right, order[..., None], axis=1)


def _outlines(
    contours: Sequence[npt.NDArray[Any]], thresholds: DetectionThresholds
) -> tuple[list[npt.NDArray[Any]], list[npt.NDArray[Any]]]:
    """Outlines of contours that are large enough, and the outlines over which their scores are taken."""
    if thresholds.box_type == "poly":
        simple = [cv2.approxPolyDP(c, 0.002 * cv2.arcLength(c, True), True)[:, 0] for c in contours]
        outlines = [outline for outline in simple if len(outline) >= 4]
        return outlines, outlines
    rects = [(contour, cv2.minAreaRect(contour)) for contour in contours]
    rects = [(contour, rect) for contour, rect in rects if min(rect[1]) >= _MIN_SIDE]
    if not rects:
        return [], []
    outlines = list(order_corners(np.stack([cv2.boxPoints(rect) for _, rect in rects])))
    return outlines, [contour[:, 0] for contour, _ in rects] if thresholds.score_mode == "slow" else outlines


def _means_inside(prob: ProbMap, outlines: Sequence[npt.NDArray[Any]]) -> npt.NDArray[np.float64]:
    """Mean probability inside each outline, whose points are truncated to whole pixels."""
    if not outlines:
        return np.empty(0, np.float64)
    height, width = prob.shape
    starts = np.cumsum([0, *(len(outline) for outline in outlines)])[:-1]
    points = np.concatenate(outlines)
    last = (width - 1, height - 1)
    low = np.clip(np.floor(np.minimum.reduceat(points, starts)).astype(np.intp), 0, last)
    high = np.clip(np.ceil(np.maximum.reduceat(points, starts)).astype(np.intp), 0, last)
    shifted = np.split((points - np.repeat(low, [len(o) for o in outlines], axis=0)).astype(np.int32), starts[1:])
    means = []
    for (x0, y0), (x1, y1), outline in zip(low.tolist(), high.tolist(), shifted, strict=True):
        mask = np.zeros((y1 - y0 + 1, x1 - x0 + 1), np.uint8)
        cv2.fillPoly(mask, [outline], 1)
        means.append(cv2.mean(prob[y0 : y1 + 1, x0 : x1 + 1], mask)[0])
    return np.array(means, np.float64)
