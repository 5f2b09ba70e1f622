"""How likely a found box is right, by its score: fitted on labelled pages that were not trained on.

Source: isotonic regression by pooling adjacent violators, as Zadrozny and Elkan, "Transforming Classifier Scores into
Accurate Multiclass Probability Estimates" (2002), calibrate scores with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ocrtune.detection.metric import PageMatch
from ocrtune.errors import GateError

MIN_BOXES = 50
_BIN = 20  # boxes of neighbouring scores that are counted together


@dataclass(frozen=True)
class BoxConfidence:
    """The share of right boxes by score.

    Attributes:
        scores: mean score of each group of boxes, growing.
        shares: share of right ones in it, never falling.
    """

    scores: tuple[float, ...]
    shares: tuple[float, ...]

    def __call__(self, score: float) -> float:
        """How likely a box with this score is right, 0 to 1."""
        return float(np.interp(score, self.scores, self.shares))


def fit_box_confidence(matches: Sequence[PageMatch]) -> BoxConfidence:
    """Fit the confidence to how boxes met the labels of pages.

    Args:
        matches: of pages that were not trained on, predicted with a box threshold low enough to hold wrong boxes as well.

    Raises:
        GateError: the boxes are too few to say anything.
    """
    observed = sorted(pair for match in matches for pair in match.scored)
    if len(observed) < MIN_BOXES:
        raise GateError(
            f"{len(observed)} boxes are too few to tell right ones from wrong ones by their scores",
            expected=f"at least {MIN_BOXES} on labelled pages that were not trained on",
            hint="label more pages",
        )
    groups = np.array_split(np.array(observed, np.float64), max(1, len(observed) // _BIN))
    pooled: list[tuple[float, float, int]] = []  # sum of scores, right ones, boxes
    for group in groups:
        entry = (float(group[:, 0].sum()), float(group[:, 1].sum()), len(group))
        while pooled and pooled[-1][1] * entry[2] >= entry[1] * pooled[-1][2]:
            scores, right, boxes = pooled.pop()
            entry = (scores + entry[0], right + entry[1], boxes + entry[2])
        pooled.append(entry)
    # half a box on either side: some right boxes are no proof that all are
    return BoxConfidence(
        tuple(scores / boxes for scores, _, boxes in pooled),
        tuple(np.maximum.accumulate([(right + 0.5) / (boxes + 1) for _, right, boxes in pooled]).tolist()),
    )
