"""The gate of ``onnx-boxes``: the file must find what the normal path finds on images of its size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from ocrtune.bundle import Bundle
from ocrtune.detection.metric import match_page, overlaps, score
from ocrtune.errors import GateError
from ocrtune.export.boxes.model import detector_with_boxes
from ocrtune.page import Page
from ocrtune.runtime.boxes import BoxDetector
from ocrtune.runtime.detector import TextDetector
from ocrtune.runtime.engines import OnnxBoxEngine, OnnxEngine
from ocrtune.runtime.load import detection_settings, part_for
from ocrtune.runtime.preprocess import DetectionPreprocess

SAME_IOU = 0.8
"""What two boxes of one text share at least. Whole pixels, which the normal path rounds to several times and the file
only where scores depend on it, are a tenth of a small box."""
MIN_BOXES_EQUAL = 0.95
"""Of small nearly square regions, rectangles at different angles are of equal area; others are close to a threshold."""
MAX_HMEAN_DROP = 0.005
MAX_LOST = 2
"""Boxes of a few pages that may count no longer, since one of them is more than that drop: an overlap with its label of
0.50 becomes one of 0.49."""


class StretchedPreprocess(DetectionPreprocess):
    """Every page is stretched to one size, as users of an ``onnx-boxes`` file do it."""

    width: int
    height: int

    def input_size(self, width: int, height: int) -> tuple[int, int]:
        return self.width, self.height


@dataclass(frozen=True)
class BoxesGate:
    """How a file compared with the normal path.

    Attributes:
        pages: pages that were compared.
        boxes: what the normal path found there.
        boxes_equal: share of boxes, of both, that the other found as well.
        hmean_before, hmean_after: on the pages' labels.
    """

    pages: int
    boxes: int
    boxes_equal: float
    hmean_before: float
    hmean_after: float

    def as_dict(self) -> dict[str, float]:
        return {
            "pages": self.pages,
            "boxes": self.boxes,
            "boxes_equal": round(self.boxes_equal, 6),
            "hmean_before": round(self.hmean_before, 6),
            "hmean_after": round(self.hmean_after, 6),
        }


def gated_boxes_onnx(bundle: Bundle, width: int, height: int, pages: Sequence[Page]) -> tuple[bytes, BoxesGate]:
    """A bundle's detector as an ``onnx-boxes`` file, and how it compared with the normal path.

    Args:
        bundle: for detection, or a pipeline that holds a detector.
        width, height: of the images that the file takes, in pixels.
        pages: labelled pages for the gate; they are stretched to that size.

    Raises:
        UsageError, BundleError: see `ocrtune.export.boxes.model.detector_with_boxes`.
        GateError: the file does not find the same.
    """
    bundle = part_for(bundle, "detection")
    preprocess, thresholds = detection_settings(bundle)
    model = detector_with_boxes(onnx.load(str(bundle.onnx)), preprocess, thresholds, width, height)
    content = bytes(model.SerializeToString())
    stretched = StretchedPreprocess(**preprocess.model_dump(), width=width, height=height)
    normal = TextDetector(OnnxEngine(bundle.onnx), stretched, thresholds)
    return content, check_boxes(normal, BoxDetector(OnnxBoxEngine(content)), pages)


def check_boxes(normal: TextDetector, file: BoxDetector, pages: Sequence[Page]) -> BoxesGate:
    """Compare what two detectors find.

    Args:
        normal: the normal path, stretching pages to the file's size.
        file: the file.
        pages: labelled pages.

    Raises:
        GateError: they differ by more than rounding explains.
    """
    same, total, boxes = 0, 0, 0
    before, after = [], []
    for page in pages:
        first, second = normal.predict(page), file.predict(page)
        before.append(match_page(page, first))
        after.append(match_page(page, second))
        found = overlaps(first.regions, second.regions)
        alike = found.iou >= SAME_IOU
        same += len(np.unique(found.label[alike])) + len(np.unique(found.prediction[alike]))
        total += len(first.regions) + len(second.regions)
        boxes += len(first.regions)
    equal = same / total if total else 1.0
    result = BoxesGate(len(pages), boxes, equal, score(before).hmean, score(after).hmean)
    allowed = max(MAX_HMEAN_DROP, MAX_LOST / max(boxes, 1))
    if equal < MIN_BOXES_EQUAL or result.hmean_before - result.hmean_after > allowed:
        raise GateError(
            f"the file differs from the normal path: {1 - equal:.1%} of the boxes, "
            f"hmean {result.hmean_before:.4f} -> {result.hmean_after:.4f}",
            expected=f"{MIN_BOXES_EQUAL:.0%} of the boxes alike, hmean at most {allowed:.4f} lower",
            hint="nothing was written; where many scores are close to the box threshold, 'ocrtune calibrate' finds a better "
            "one; otherwise please report this with the versions that 'ocrtune doctor' shows",
        )
    return result
