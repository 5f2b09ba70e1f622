"""The parity gate: an exported file must do the same as the network that it was made from, on real pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ocrtune.detection.evaluate import evaluate_detector
from ocrtune.errors import GateError
from ocrtune.page import Page
from ocrtune.runtime.detector import TextDetector

MAX_TENSOR_DIFFERENCE = 1e-3
MAX_BOX_DIFFERENCE = 1.0  # pixels
MAX_HMEAN_DIFFERENCE = 1e-3


@dataclass(frozen=True)
class GateResult:
    """How far the exported file is from its network.

    Attributes:
        pages: pages that were compared.
        tensor: largest absolute difference of a probability.
        boxes_equal: share of boxes that are the same within one pixel.
        hmean_before, hmean_after: on the pages' labels.
    """

    pages: int
    tensor: float
    boxes_equal: float
    hmean_before: float
    hmean_after: float

    def as_dict(self) -> dict[str, float]:
        return {
            "pages": self.pages,
            "max_tensor_difference": round(self.tensor, 8),
            "boxes_equal": round(self.boxes_equal, 6),
            "hmean_before": round(self.hmean_before, 6),
            "hmean_after": round(self.hmean_after, 6),
        }


def check_parity(before: TextDetector, after: TextDetector, pages: Sequence[Page]) -> GateResult:
    """Compare two detectors: tensors, decoded boxes, and the metric.

    Args:
        before: the network.
        after: the exported file, with the same settings.
        pages: labelled real pages; their sizes are the sizes that are tested.

    Raises:
        GateError: a difference is larger than what rounding explains.
    """
    tensor = 0.0
    for page in pages:
        image = page.load()
        tensor = max(tensor, float(np.abs(before.prob_map(image) - after.prob_map(image)).max()))
    first, second = evaluate_detector(before, pages), evaluate_detector(after, pages)
    same = total = 0
    for a, b in zip(first.predictions, second.predictions, strict=True):
        boxes = [region.polygon for region in a.regions]
        others = [region.polygon for region in b.regions]
        total += max(len(boxes), len(others))
        same += sum(_has_equal(box, others) for box in boxes)
    result = GateResult(len(pages), tensor, same / total if total else 1.0, first.score.hmean, second.score.hmean)
    difference = abs(result.hmean_after - result.hmean_before)
    if tensor > MAX_TENSOR_DIFFERENCE or difference > MAX_HMEAN_DIFFERENCE or result.boxes_equal < 0.99:
        raise GateError(
            f"the exported file differs from the network: tensors by up to {tensor:.2g}, "
            f"{1 - result.boxes_equal:.1%} of the boxes, hmean {result.hmean_before:.4f} -> {result.hmean_after:.4f}",
            expected=f"tensors within {MAX_TENSOR_DIFFERENCE:g}, 99 % of the boxes within a pixel, "
            f"hmean within {MAX_HMEAN_DIFFERENCE:g}",
            hint="nothing was written; please report this with the versions that 'ocrtune doctor' shows",
        )
    return result


def _has_equal(box: np.ndarray, others: Sequence[np.ndarray]) -> bool:
    return any(box.shape == o.shape and np.abs(box - o).max() <= MAX_BOX_DIFFERENCE for o in others)
