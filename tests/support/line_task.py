"""The task of two numbers with some noise, as what looks for settings needs it."""

from __future__ import annotations

import numpy as np
from torch import nn

from ocrtune.config.schema import TrainConfig
from ocrtune.task import Evaluation, Spread, alone
from support.tiny import Line, Points, config


class NoisyPoints(Points):
    """Points on the line with some noise."""

    def sample(self, epoch: int, index: int) -> tuple[float, float]:
        rng = np.random.default_rng([epoch, index])
        x = float(rng.uniform(-1, 1))
        return x, 3 * x - 1 + 0.05 * float(rng.normal())


class LineTask(Line):
    """Fits the line; the figure is 1 for a perfect fit and falls with the distance of the two numbers."""

    def __init__(self, config: TrainConfig | None = None) -> None:
        super().__init__(NoisyPoints())
        self.config = config or line_config()

    def largest_sample(self) -> tuple[float, float]:
        return 1.0, 2.0

    def evaluate(self, network: nn.Module, spread: Spread = alone) -> Evaluation:
        figure = 1 / (1 - super().evaluate(network).monitor)
        return Evaluation(figure, {"hmean": figure}, {"thresholds": {}})


def line_config(**sections: dict[str, object]) -> TrainConfig:
    """A configuration for the task."""
    short: dict[str, dict[str, object]] = {"schedule": {"steps": 24, "warmup_epochs": 0}, "trainer": {"evals": 4}}
    return config(**{name: {**short.get(name, {}), **sections.get(name, {})} for name in {*short, *sections}})
