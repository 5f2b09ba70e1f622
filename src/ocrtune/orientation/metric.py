"""How well the direction of lines is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ocrtune.recognition.metric import wilson
from ocrtune.runtime.orientation import LABELS

MAX_WRONG_TURNS = 0.002
"""Share of upright lines that a fitted threshold may turn over: they would be read as nonsense."""


@dataclass(frozen=True)
class OrientationResult:
    """What a direction classifier did on lines, each seen upright and turned by 180 degrees.

    Attributes:
        probabilities: that a line is turned, float32 [N].
        turned: whether it is, bool [N].
        threshold: above which a line counts as turned.
    """

    probabilities: npt.NDArray[np.float32]
    turned: npt.NDArray[np.bool_]
    threshold: float

    @property
    def lines(self) -> int:
        return len(self.turned)

    @property
    def confusion(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Lines by (is turned, was called turned): ((upright right, upright wrong), (turned wrong, turned right))."""
        called = self.probabilities > self.threshold
        rows = []
        for truth in (False, True):
            chosen = called[self.turned == truth]
            rows.append((int((~chosen).sum()), int(chosen.sum())))
        return rows[0], rows[1]

    @property
    def accuracy(self) -> float:
        (upright, _), (_, turned) = self.confusion
        return (upright + turned) / max(self.lines, 1)

    @property
    def figure(self) -> float:
        return self.accuracy

    def tallies(self) -> npt.NDArray[np.float64]:
        """float64 [lines, 2]: the accuracy is the sum of the first column over that of the second."""
        right = (self.probabilities > self.threshold) == self.turned
        return np.stack([right, np.ones(self.lines)], axis=1).astype(np.float64)

    @property
    def called_turned(self) -> float:
        """Share of the lines that are called turned; a half is right."""
        return float((self.probabilities > self.threshold).mean()) if self.lines else 0.0

    @property
    def collapsed(self) -> int | None:
        """The direction in degrees that every line is given, whatever it is; None where both occur."""
        (a, b), (c, d) = self.confusion
        if self.lines < 10 or (a + c and b + d):
            return None
        return LABELS[0] if a + c else LABELS[1]

    def as_dict(self) -> dict[str, Any]:
        """The interface's JSON object, without ``task``."""
        low, high = wilson(round(self.accuracy * self.lines), self.lines)
        return {
            "lines": self.lines,
            "accuracy": round(self.accuracy, 6),
            "accuracy_ci95": [round(low, 6), round(high, 6)],
            "confusion": [list(row) for row in self.confusion],
            "threshold": round(self.threshold, 4),
        }


def fit_threshold(probabilities: npt.NDArray[np.float32], turned: npt.NDArray[np.bool_]) -> float:
    """The threshold of the best accuracy among those that turn hardly any upright line over (`MAX_WRONG_TURNS`).

    Args:
        probabilities: that a line is turned, float32 [N].
        turned: whether it is, bool [N].
    """
    grid: Sequence[float] = np.concatenate([np.linspace(0.5, 0.95, 10), [0.97, 0.98, 0.99, 0.995]]).tolist()
    upright = probabilities[~turned]
    safe = [t for t in grid if (upright > t).mean() <= MAX_WRONG_TURNS] or [grid[-1]]
    accuracies = [float(((probabilities > t) == turned).mean()) for t in safe]
    # of equally good thresholds the middle one is furthest from either mistake
    best = [t for t, accuracy in zip(safe, accuracies, strict=True) if accuracy == max(accuracies)]
    return best[len(best) // 2]
