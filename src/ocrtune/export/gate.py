"""The parity gate: an exported file must do the same as the network that it was made from, on real pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ocrtune.detection.metric import PageMatch, match_page, score
from ocrtune.errors import GateError
from ocrtune.page import Page
from ocrtune.runtime.detector import TextDetector

MAX_TENSOR_DIFFERENCE = 1e-3
MAX_PIXELS_BEYOND = 1e-4
"""Share of pixels; single ones on a steep slope may differ more by rounding alone."""
MAX_BOX_DIFFERENCE = 1.0  # pixels
MAX_HMEAN_DIFFERENCE = 1e-3


@dataclass(frozen=True)
class GateResult:
    """How far the exported file is from its network.

    Attributes:
        pages: pages that were compared.
        tensor: largest absolute difference of a probability.
        pixels_beyond: share of pixels that differ by more than the gate allows.
        boxes_equal: share of boxes that are the same within one pixel.
        hmean_before, hmean_after: on the pages' labels.
    """

    pages: int
    tensor: float
    pixels_beyond: float
    boxes_equal: float
    hmean_before: float
    hmean_after: float

    def __str__(self) -> str:
        return (
            f"{self.pages} pages, tensors within {self.tensor:.1e}, {self.boxes_equal:.1%} of the boxes equal, "
            f"hmean {self.hmean_before:.4f} -> {self.hmean_after:.4f}"
        )

    def as_dict(self) -> dict[str, float]:
        return {
            "pages": self.pages,
            "max_tensor_difference": round(self.tensor, 8),
            "pixels_beyond_tolerance": round(self.pixels_beyond, 8),
            "boxes_equal": round(self.boxes_equal, 6),
            "hmean_before": round(self.hmean_before, 6),
            "hmean_after": round(self.hmean_after, 6),
        }


def check_parity(
    before: TextDetector,
    after: TextDetector,
    pages: Sequence[Page],
    max_difference: float = MAX_TENSOR_DIFFERENCE,
) -> GateResult:
    """Compare two detectors: tensors, decoded boxes, and the metric.

    Args:
        before: the network.
        after: the exported file, with the same settings.
        pages: labelled real pages; their sizes are the sizes that are tested.
        max_difference: of a probability, for all but `MAX_PIXELS_BEYOND` of the pixels.

    Raises:
        GateError: a difference is larger than what rounding explains.
    """
    tensor, beyond, pixels, same, total = 0.0, 0, 0, 0, 0
    matches: tuple[list[PageMatch], list[PageMatch]] = ([], [])
    for page in pages:
        image = page.load()
        first, second = before.prob_map(image), after.prob_map(image)
        difference = np.abs(first - second)
        tensor = max(tensor, float(difference.max()))
        beyond += int((~(difference <= max_difference)).sum())  # NaN counts
        pixels += difference.size
        found = page.with_regions(before.regions(first, image)), page.with_regions(after.regions(second, image))
        for of_model, prediction in zip(matches, found, strict=True):
            of_model.append(match_page(page, prediction))
        boxes, others = ([region.polygon for region in prediction.regions] for prediction in found)
        total += max(len(boxes), len(others))
        same += sum(_has_equal(box, others) for box in boxes)
    share = beyond / max(pixels, 1)
    equal = same / total if total else 1.0
    result = GateResult(len(pages), tensor, share, equal, score(matches[0]).hmean, score(matches[1]).hmean)
    hmean_difference = abs(result.hmean_after - result.hmean_before)
    if share > MAX_PIXELS_BEYOND or hmean_difference > MAX_HMEAN_DIFFERENCE or result.boxes_equal < 0.99:
        raise GateError(
            f"the exported file differs from the network: tensors by up to {tensor:.2g}, "
            f"{1 - result.boxes_equal:.1%} of the boxes, hmean {result.hmean_before:.4f} -> {result.hmean_after:.4f}",
            expected=f"tensors within {max_difference:g} (but for 0.01 % of the pixels), "
            f"99 % of the boxes within a pixel, hmean within {MAX_HMEAN_DIFFERENCE:g}",
            hint="nothing was written; please report this with the versions that 'ocrtune doctor' shows",
        )
    return result


def _has_equal(box: np.ndarray, others: Sequence[np.ndarray]) -> bool:
    return any(box.shape == o.shape and np.abs(box - o).max() <= MAX_BOX_DIFFERENCE for o in others)
