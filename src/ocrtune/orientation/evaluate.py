"""Measure a direction classifier on labelled lines; no torch needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ocrtune.data.lines import tells_direction
from ocrtune.orientation.metric import OrientationResult
from ocrtune.page import Page
from ocrtune.runtime.crop import crop_region, turned_over
from ocrtune.runtime.orientation import LineOrientation


def evaluate_orientation(
    classifier: LineOrientation, pages: Sequence[Page], each: Callable[[], None] = lambda: None
) -> OrientationResult:
    """Show every labelled line to the classifier as it is and turned over.

    Args:
        classifier: the model with its threshold.
        pages: pages whose labels start at the text's own top left.
        each: called after each page.

    Raises:
        ImageError: a page's image is missing or damaged.
    """
    probabilities, turned = [np.empty(0, np.float32)], [np.empty(0, bool)]
    for page in pages:
        image = page.load()
        crops = [crop_region(image, region.polygon) for region in page.regions if tells_direction(region)]
        both = [*crops, *(turned_over(crop) for crop in crops)]
        probabilities.append(classifier.probabilities(both))
        turned.append(np.repeat([False, True], len(crops)))
        each()
    return OrientationResult(np.concatenate(probabilities), np.concatenate(turned), classifier.thresholds.turn_thresh)
