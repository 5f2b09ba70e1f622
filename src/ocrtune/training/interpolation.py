"""Weights between those of a base and those that were fine-tuned from it.

Source: Wortsman et al., "Robust fine-tuning of zero-shot models" (2022), "WiSE-FT": on the straight line between the two
lie networks that keep most of what the base could do and have most of what was learnt.

Tensors are mixed in the form that was trained, the running statistics of normalisation layers with the weights. Measuring
the statistics anew, as is done after averaging distant networks, would take them from the new data alone: the base's would
be lost even at a share of 0. Between a network and its own fine-tune both ways agree to first order. A folded network has
no statistics; mixing it or folding the mixture differs in second order only, and only the trained form can be trained on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_CAUTION = 0.5
"""Share of the tolerance that may be used up where a share is chosen: the best of several looks better than it is."""


@dataclass(frozen=True)
class Point:
    """A network on the line between base and fine-tuned, and what it does.

    Attributes:
        alpha: share of the fine-tuned weights: 0 is the base, 1 the fine-tuned network.
        target: the monitored figure on the validation data.
        merit: what states are compared by on these data; higher is better.
        anchor: the monitored figure on the anchor.
        details: what the evaluation found, such as thresholds.
    """

    alpha: float
    target: float
    merit: float
    anchor: float
    details: Mapping[str, Any]


@dataclass(frozen=True)
class Choice:
    """Which point was chosen.

    Attributes:
        points: all of them, by their share.
        chosen: of those that keep the anchor and beat the base, the one with the largest sum of both figures; without
            any, the fine-tuned.
        kept: whether it keeps the anchor.
    """

    points: tuple[Point, ...]
    chosen: Point
    kept: bool

    @property
    def offered(self) -> Point | None:
        """What to take where the chosen one loses too much of the anchor after all; None where nothing is between.

        The next smaller share where the chosen one seemed to keep the anchor; otherwise the best difference between what
        is gained and what is lost.
        """
        base = self.points[0]
        smaller = [point for point in self.points[1:] if point.alpha < self.chosen.alpha]
        if not smaller:
            return None
        if self.kept:
            return smaller[-1]
        return max(smaller, key=lambda point: point.target - base.target + point.anchor - base.anchor)


def interpolated(base: Mapping[str, Tensor], tuned: Mapping[str, Tensor], alpha: float) -> dict[str, Tensor]:
    """State dict (1 - alpha) * base + alpha * tuned; equal to one of them at 0 and at 1. Counters are the fine-tuned's.

    Raises:
        ValueError: names or shapes differ.
    """
    if base.keys() != tuned.keys() or any(base[name].shape != tuned[name].shape for name in tuned):
        raise ValueError("the two networks are not of one kind")
    return {
        name: torch.lerp(base[name].to(tensor), tensor, alpha) if tensor.is_floating_point() else tensor
        for name, tensor in tuned.items()
    }


def choose(points: Sequence[Point], tolerance: float) -> Choice:
    """The best trade-off: a point of either figure counts alike, as long as the anchor is kept.

    The best on the validation data alone would be taken from the edge of what is allowed, for differences that are chance.

    Args:
        points: the base, the fine-tuned network and what is between, by their share.
        tolerance: how much of the anchor's figure may be lost.
    """
    base, tuned = points[0], points[-1]
    lowest = base.anchor - _CAUTION * tolerance
    good = [point for point in points[1:] if point.anchor >= lowest and point.merit > base.merit]
    if not good:
        return Choice(tuple(points), tuned, kept=tuned.anchor >= lowest)
    return Choice(tuple(points), max(good, key=lambda point: point.target + point.anchor), kept=True)
