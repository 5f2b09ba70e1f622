"""What the number of labels decides in an adapt job: few rules, each with its reason; a user's own settings win."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ocrtune.data.lines import COUNTED
from ocrtune.page import Page


@dataclass(frozen=True)
class SizePreset:
    """Settings for so many labels.

    Attributes:
        name: ``few``, ``some`` or ``many``.
        evals: evaluations during the run.
        most_views: how often a sample is shown at most.
        reason: why, as one sentence.
    """

    name: str
    evals: int
    most_views: float
    reason: str

    def most_steps(self, samples: int, batch: int) -> float:
        """Steps after which every sample has been shown so often."""
        return max(1.0, self.most_views * samples / batch)


FEW = SizePreset(
    "few",
    evals=4,
    most_views=200,
    reason="a small held-out part says little, and the best of many looks at it would be chosen by luck: 4 evaluations; "
    "after 200 views of each sample there is nothing new to see: the rest of the budget is saved",
)
SOME = SizePreset(
    "some", evals=6, most_views=math.inf, reason="what the defaults were tuned on: 6 evaluations, all of the budget"
)
MANY = SizePreset(
    "many",
    evals=10,
    most_views=math.inf,
    reason="the held-out part is large enough to tell states apart: 10 evaluations, all of the budget",
)
BOUNDS = {"detection": (50, 1000), "recognition": (1000, 20_000), "orientation": (1000, 20_000)}
"""From how many on labels are some, and many: pages for a detector, lines for what reads or turns them."""


def labels_for(task: str, pages: Sequence[Page]) -> int:
    """How many labels a task has on pages: pages for a detector, lines that count for the others."""
    return len(pages) if task == "detection" else sum(COUNTED[task](r) for page in pages for r in page.regions)


def size_preset(task: str, labels: int) -> SizePreset:
    """The settings for so many labels of a task."""
    some, many = BOUNDS[task]
    return FEW if labels < some else SOME if labels < many else MANY
