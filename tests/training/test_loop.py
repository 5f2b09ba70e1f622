"""The loop with a task of a few numbers, so that its arithmetic can be checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from ocrtune.config.load import build_config
from ocrtune.config.schema import TrainConfig
from ocrtune.errors import GateError, ImageError
from ocrtune.task import Evaluation, Spread, alone
from ocrtune.training.loop import BEST, FINAL, Trainer


class Points:
    """Points on a line, y = 3 x - 1, the same for the same (epoch, index)."""

    def __len__(self) -> int:
        return 16

    def order(self, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        return rng.permutation(len(self))

    def sample(self, epoch: int, index: int) -> tuple[float, float]:
        x = float(np.random.default_rng([epoch, index]).uniform(-1, 1))
        return x, 3 * x - 1


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


def train(folder: Path, task: Line, **sections: dict[str, object]) -> tuple[Trainer, dict[str, Tensor]]:
    folder.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(task, config(**sections), folder)
    trainer.run()
    return trainer, torch.load(folder / FINAL, weights_only=True)


def test_it_learns_the_line(tmp_path: Path) -> None:
    trainer, final = train(tmp_path, Line())
    assert float(final["weight"]) == pytest.approx(3, abs=0.1)
    assert float(final["bias"]) == pytest.approx(-1, abs=0.1)
    assert trainer.state.step == 60


def test_accumulated_batches_equal_a_large_one(tmp_path: Path) -> None:
    large = train(tmp_path / "a", Line(), data={"batch_size": 8}, schedule={"steps": 5})[1]
    accumulated = train(tmp_path / "b", Line(), trainer={"accumulate": 2}, schedule={"steps": 5})[1]
    for name, value in large.items():
        torch.testing.assert_close(accumulated[name], value, atol=1e-6, rtol=1e-5)


def test_frozen_part_does_not_move(tmp_path: Path) -> None:
    _, final = train(tmp_path, Line(), freeze={"backbone_epochs": 100})
    assert float(final["weight"]) == 0
    assert float(final["bias"]) != 0


def test_stops_early_and_keeps_the_best_state(tmp_path: Path) -> None:
    sections: dict[str, dict[str, object]] = {"early_stopping": {"patience": 2}, "trainer": {"evals": 6}}
    trainer, final = train(tmp_path, Line(answers=[0.5, 0.9, 0.8, 0.7, 0.99]), **sections)
    assert trainer.state.stopped_early
    assert (trainer.state.step, trainer.state.best_step, trainer.state.best) == (40, 20, 0.9)
    best = torch.load(tmp_path / BEST, weights_only=True)
    assert not torch.equal(best["weight"], final["weight"])
    again = Trainer(Line(), config(**sections), tmp_path)
    assert again.run(resume=True).step == 40, "a stopped run stays stopped"


def test_a_fault_in_a_sample_ends_the_run_as_it_is(tmp_path: Path) -> None:
    class Broken(Points):
        def sample(self, epoch: int, index: int) -> tuple[float, float]:
            if (epoch, index) == (0, 5):
                raise ImageError("the image is damaged", where="page 5")
            return super().sample(epoch, index)

    with pytest.raises(ImageError) as caught:
        train(tmp_path, Line(Broken()))
    assert caught.value.where == "page 5"


def test_infinite_loss_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GateError, match="not finite"):
        train(tmp_path, Line(), optimizer={"lr": 1e20})
