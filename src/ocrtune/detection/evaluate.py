"""Measure a detector on labelled pages; no torch needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ocrtune.detection.metric import DetectionScore, PageMatch, match_page, score
from ocrtune.page import Page
from ocrtune.runtime.detector import TextDetector


@dataclass(frozen=True)
class DetectionResult:
    """What a detector did on labelled pages.

    Attributes:
        score: figures over all pages.
        predictions: the pages with what was found, in the order of the labels.
        matches: how each page's predictions met its labels.
    """

    score: DetectionScore
    predictions: list[Page]
    matches: list[PageMatch]

    @property
    def figure(self) -> float:
        return self.score.hmean

    def as_dict(self) -> dict[str, Any]:
        return self.score.as_dict()

    def tallies(self) -> npt.NDArray[np.float64]:
        """float64 [pages, 2]: hmean is the sum of the first column over that of the second."""
        return np.array([(2 * m.matched, m.predictions + m.labels) for m in self.matches], np.float64).reshape(-1, 2)


def evaluate_detector(
    detector: TextDetector, pages: Sequence[Page], each: Callable[[], None] = lambda: None
) -> DetectionResult:
    """Predict every page and compare.

    Args:
        detector: the model with its settings.
        pages: labelled pages.
        each: called after each page.

    Raises:
        ImageError: a page's image is missing or damaged.
    """
    predictions, matches = [], []
    for page in pages:
        predictions.append(detector.predict(page))
        matches.append(match_page(page, predictions[-1]))
        each()
    return DetectionResult(score(matches), predictions, matches)
