"""A task of two numbers, so that the loop's arithmetic can be checked and its faults injected in milliseconds."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ocrtune.config.load import build_config
from ocrtune.config.schema import TrainConfig
from ocrtune.task import Evaluation, Spread, alone
from ocrtune.training.loop import FINAL, Trainer


class Points:
    """Points on a line, y = 3 x - 1, the same for the same (epoch, index)."""

    def __len__(self) -> int:
        return 16

    def order(self, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        return rng.permutation(len(self))

    def name(self, index: int) -> str:
        return f"point {index}"

    def sample(self, epoch: int, index: int) -> tuple[float, float]:
        x = float(np.random.default_rng([epoch, index]).uniform(-1, 1))
        return x, 3 * x - 1


class Mortal(Points):
    """The process that makes one of the samples dies of it, the first time."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def sample(self, epoch: int, index: int) -> tuple[float, float]:
        if index == 9 and not self._marker.exists():
            self._marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().sample(epoch, index)


class Line:
    """A task that fits a line; `answers` replaces what the evaluations say."""

    def __init__(self, samples: Points | None = None, answers: Sequence[float] = ()) -> None:
        self._samples = samples or Points()
        self._answers = iter(answers)

    @property
    def monitor(self) -> str:
        return "hmean"

    @property
    def lr_factor(self) -> float:
        return 1.0

    @property
    def samples(self) -> Points:
        return self._samples

    def network(self) -> nn.Module:
        model = nn.Conv2d(1, 1, 1)
        nn.init.zeros_(model.weight)
        assert model.bias is not None
        nn.init.zeros_(model.bias)
        return model

    def lr_scales(self, network: nn.Module) -> Mapping[str, float] | None:
        return None

    def backbone_names(self, network: nn.Module) -> Sequence[str]:
        return ["weight"]

    def collate(self, samples: Sequence[tuple[float, float]]) -> Tensor:
        return torch.tensor(samples, dtype=torch.float32)

    def loss(self, network: nn.Module, batch: Tensor) -> Mapping[str, Tensor]:
        predicted = network(batch[:, :1, None, None])[:, 0, 0, 0]
        return {"loss": (predicted - batch[:, 1]).square().mean()}

    def evaluate(self, network: nn.Module, spread: Spread = alone) -> Evaluation:
        weight, bias = (float(network.get_parameter(name).detach()) for name in ("weight", "bias"))
        error = abs(weight - 3) + abs(bias + 1)
        figure = next(self._answers, -error)
        return Evaluation(figure, {"hmean": figure}, {"thresholds": {}})


def config(**sections: dict[str, object]) -> TrainConfig:
    values: dict[str, dict[str, object]] = {
        "data": {"train": "x", "batch_size": 4, "num_workers": 0},
        "optimizer": {"type": "SGD", "lr": 0.2, "weight_decay": 0.0},
        "schedule": {"steps": 60, "warmup_epochs": 0},
        "trainer": {"precision": "fp32", "ema": False, "num_gpus": 0},
    }
    for section, keys in sections.items():
        values.setdefault(section, {}).update(keys)
    return build_config(values)


def train(
    folder: Path, task: Line, *, echo: Callable[[str], None] = lambda line: None, **sections: dict[str, object]
) -> tuple[Trainer, dict[str, Tensor]]:
    """Train in a folder; the trainer, and the weights at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(task, config(**sections), folder, echo)
    trainer.run()
    return trainer, torch.load(folder / FINAL, weights_only=True)
