"""Measure a direction classifier on labelled lines; no torch needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from ocrtune.data.lines import tells_direction
from ocrtune.orientation.metric import OrientationResult
from ocrtune.page import Page
from ocrtune.runtime.crop import crop_region, turned_over
from ocrtune.runtime.orientation import LineOrientation
from ocrtune.task import Spread, alone


def evaluate_orientation(
    classifier: LineOrientation,
    pages: Sequence[Page],
    each: Callable[[], None] = lambda: None,
    spread: Spread = alone,
) -> OrientationResult:
    """Show every labelled line to the classifier as it is and turned over.

    Args:
        classifier: the model with its threshold.
        pages: pages whose labels start at the text's own top left.
        each: called after each page.
        spread: shares the pages out over processes.

    Raises:
        ImageError: a page's image is missing or damaged.
    """

    def shown(share: Sequence[Page]) -> list[npt.NDArray[np.float32]]:
        found = []
        for page in share:
            image = page.load()
            crops = [crop_region(image, region.polygon) for region in page.regions if tells_direction(region)]
            found.append(classifier.probabilities([*crops, *(turned_over(crop) for crop in crops)]))
            each()
        return found

    probabilities = spread(pages, shown)
    turned = [np.repeat([False, True], len(found) // 2) for found in probabilities]
    return OrientationResult(
        np.concatenate([np.empty(0, np.float32), *probabilities]),
        np.concatenate([np.empty(0, bool), *turned]),
        classifier.thresholds.turn_thresh,
    )
