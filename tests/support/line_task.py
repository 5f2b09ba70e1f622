"""A task of two numbers, y = 3 x - 1, with the configuration of a run that learns it at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ocrtune.config.load import build_config
from ocrtune.config.schema import TrainConfig
from ocrtune.task import Evaluation, Spread, alone

Point = tuple[float, float]


class Points:
    """Points on the line with some noise, the same for the same (epoch, index)."""

    def __len__(self) -> int:
        return 16

    def order(self, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        return rng.permutation(len(self))

    def name(self, index: int) -> str:
        return f"point {index}"

    def sample(self, epoch: int, index: int) -> Point:
        rng = np.random.default_rng([epoch, index])
        x = float(rng.uniform(-1, 1))
        return x, 3 * x - 1 + 0.05 * float(rng.normal())


class LineTask:
    """Fits the line; the figure is 1 for a perfect fit and falls with the distance of the two numbers."""

    monitor = "hmean"
    lr_factor = 1.0

    def __init__(self, config: TrainConfig | None = None) -> None:
        self.config = config or line_config()
        self.samples = Points()

    def network(self) -> nn.Module:
        model = nn.Conv2d(1, 1, 1)
        for parameter in model.parameters():
            nn.init.zeros_(parameter)
        return model

    def lr_scales(self, network: nn.Module) -> Mapping[str, float] | None:
        return None

    def backbone_names(self, network: nn.Module) -> Sequence[str]:
        return ["weight"]

    def collate(self, samples: Sequence[Point]) -> Tensor:
        return torch.tensor(samples, dtype=torch.float32)

    def largest_sample(self) -> Point:
        return 1.0, 2.0

    def loss(self, network: nn.Module, batch: Tensor) -> Mapping[str, Tensor]:
        predicted = network(batch[:, :1, None, None])[:, 0, 0, 0]
        return {"loss": (predicted - batch[:, 1]).square().mean()}

    def evaluate(self, network: nn.Module, spread: Spread = alone) -> Evaluation:
        weight, bias = (float(network.get_parameter(name).detach()) for name in ("weight", "bias"))
        figure = 1 / (1 + abs(weight - 3) + abs(bias + 1))
        return Evaluation(figure, {"hmean": figure}, {"thresholds": {}})


def line_config(**sections: dict[str, object]) -> TrainConfig:
    """A configuration for the task."""
    values: dict[str, dict[str, object]] = {
        "data": {"train": "x", "batch_size": 4, "num_workers": 0},
        "optimizer": {"type": "SGD", "lr": 0.2, "weight_decay": 0.0},
        "schedule": {"steps": 24, "warmup_epochs": 0},
        "trainer": {"precision": "fp32", "ema": False, "num_gpus": 0, "evals": 4},
    }
    for section, keys in sections.items():
        values.setdefault(section, {}).update(keys)
    return build_config(values)
