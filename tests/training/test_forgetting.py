"""The guard around a task of two numbers, so that every part of it can be computed by hand."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from ocrtune.config.load import build_config
from ocrtune.config.schema import TrainConfig
from ocrtune.errors import ConfigError, Interrupted
from ocrtune.page import Page
from ocrtune.task import Evaluation, Spread, alone
from ocrtune.training.forgetting import GuardedTask, Watch, relative_distance, start_network
from ocrtune.training.loop import BEST, FINAL, Trainer
from ocrtune.training.runlog import read_metrics


class Points:
    """Points of y = slope * x, the same for the same (epoch, index)."""

    def __init__(self, slope: float) -> None:
        self.slope = slope

    def __len__(self) -> int:
        return 12

    def order(self, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        return rng.permutation(len(self))

    def name(self, index: int) -> str:
        return f"point {index}"

    def sample(self, epoch: int, index: int) -> tuple[float, float]:
        x = float(np.random.default_rng([epoch, index]).uniform(0.5, 1))
        return x, self.slope * x


class Slope:
    """Learns a slope of 3 from a start of 1; pages stand for a slope of 1, which the start network has."""

    def __init__(self) -> None:
        self.samples = Points(3.0)

    monitor = "hmean"
    lr_factor = 1.0

    def network(self) -> nn.Module:
        model = nn.Conv2d(1, 1, 1, bias=False)
        nn.init.ones_(model.weight)
        return model

    def lr_scales(self, network: nn.Module) -> Mapping[str, float] | None:
        return None

    def backbone_names(self, network: nn.Module) -> Sequence[str]:
        return []

    def collate(self, samples: Sequence[tuple[float, float]]) -> Tensor:
        return torch.tensor(samples, dtype=torch.float32)

    def loss(self, network: nn.Module, batch: Tensor) -> Mapping[str, Tensor]:
        return {"loss": (network(batch[:, :1, None, None])[:, 0, 0, 0] - batch[:, 1]).square().mean()}

    def loss_beside(
        self, network: nn.Module, base: Callable[[Tensor], Tensor], batch: Tensor
    ) -> tuple[Mapping[str, Tensor], Tensor]:
        x = batch[:, :1, None, None]
        return self.loss(network, batch), (network(x) - base(x)).square().mean()

    def replayed(self, pages: Sequence[Page]) -> Points:
        return Points(1.0)

    def measure_on(self, pages: Sequence[Page]) -> Callable[[nn.Module, Mapping[str, Any]], float]:
        return lambda network, details: 1 - abs(slope_of(network) - 1) / 10

    def evaluate(self, network: nn.Module, spread: Spread = alone) -> Evaluation:
        figure = 1 - abs(slope_of(network) - 3) / 10
        return Evaluation(figure, {"hmean": figure}, {})


def slope_of(network: nn.Module) -> float:
    return float(network.get_parameter("weight").detach())


def config(forgetting: dict[str, object], **trainer: object) -> TrainConfig:
    return build_config(
        {
            "data": {"train": "x", "batch_size": 4, "num_workers": 0},
            "optimizer": {"type": "SGD", "lr": 0.1, "weight_decay": 0.0},
            "schedule": {"steps": 40, "warmup_epochs": 0},
            "trainer": {"precision": "fp32", "ema": False, "num_gpus": 0, "evals": 4, **trainer},
            "forgetting": forgetting,
        }
    )


def guard(settings: TrainConfig, base: float = 1.0) -> GuardedTask:
    task, spec = Slope(), settings.forgetting
    watch = Watch(task.measure_on([]), base, spec.tolerance, spec.stop) if spec.anchor else None
    return GuardedTask(task, settings, task.network().eval(), watch, [Page(np.zeros((8, 8, 3), np.uint8))])


def trained(folder: Path, forgetting: dict[str, object]) -> tuple[Trainer, float]:
    folder.mkdir(parents=True, exist_ok=True)
    settings = config(forgetting)
    trainer = Trainer(guard(settings), settings, folder)
    trainer.run()
    return trainer, float(torch.load(folder / FINAL, weights_only=True)["weight"])


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> float:
    """Where training without any guard ends."""
    return trained(tmp_path_factory.mktemp("plain"), {})[1]


@pytest.mark.parametrize("setting", [{"l2_sp": 1.0}, {"distill": 1.0}, {"anchor": "x", "replay": 0.5}])
def test_each_means_keeps_the_network_nearer_to_its_start(
    setting: dict[str, object], plain: float, tmp_path: Path
) -> None:
    _, slope = trained(tmp_path, setting)
    assert plain > 2.5
    assert 1.0 < slope < plain - 0.3


def test_l2_sp_is_relative_to_the_size_of_the_weights() -> None:
    layers = [nn.Linear(3, 3), nn.Linear(3, 3)]
    with torch.no_grad():
        layers[1].weight.mul_(1e-4)
    moved = [copy.deepcopy(layer) for layer in layers]
    with torch.no_grad():
        for layer in moved:
            layer.weight.mul_(1.1)
            layer.bias.add_(5.0)
    start, network = nn.Sequential(*layers), nn.Sequential(*moved)
    assert relative_distance(network, start).item() == pytest.approx(0.01, rel=1e-4), "biases do not count"
    layers[0].weight.requires_grad_(False)
    with torch.no_grad():
        moved[0].weight.add_(7.0)
    assert relative_distance(network, start).item() == pytest.approx(0.01, rel=1e-4), "nor does what is held still"


def test_the_loss_tells_its_parts() -> None:
    task = guard(config({"l2_sp": 2.0, "distill": 3.0}))
    network = task.network()
    with torch.no_grad():
        network.get_parameter("weight").fill_(1.5)
    parts = task.loss(network, torch.tensor([[1.0, 3.0]]))
    assert parts["l2_sp"].item() == pytest.approx(2 * 0.25)
    assert parts["distill"].item() == pytest.approx(3 * 0.25)
    assert parts["loss"].item() == pytest.approx(1.5**2 + 2 * 0.25 + 3 * 0.25)


def test_the_anchor_is_measured_in_every_evaluation_and_its_loss_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    settings = config({"anchor": "x", "tolerance": 0.05})
    trainer = Trainer(guard(settings), settings, tmp_path, said.append)
    state = trainer.run()
    rows = [row for row in read_metrics(tmp_path / "metrics.csv") if row["name"] == "anchor_hmean"]
    assert [int(row["step"]) for row in rows] == [10, 20, 30, 40]
    at_best = next(float(row["value"]) for row in rows if int(row["step"]) == state.best_step)
    assert state.best_details["anchor"] == at_best
    assert state.step == 40
    assert any("forgets: hmean on the anchor 1.0000 →" in line and "where 5 are allowed" in line for line in said)


def test_a_run_that_forgets_ends_and_keeps_the_state_before(tmp_path: Path) -> None:
    settings = config({"anchor": "x", "tolerance": 0.1, "stop": True}, evals=40)
    trainer = Trainer(guard(settings), settings, tmp_path)
    state = trainer.run()
    assert state.stopped_early
    assert 1 < state.best_step < state.step < 40
    kept = 1 - abs(float(torch.load(tmp_path / BEST, weights_only=True)["weight"]) - 1) / 10
    assert 0.9 <= kept < 1.0
    again = Trainer(guard(settings), settings, tmp_path)
    assert again.run(resume=True).step == state.step, "a run that was ended stays ended"


def test_resumed_equals_uninterrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    setting: dict[str, object] = {"anchor": "x", "replay": 0.3, "l2_sp": 0.5, "distill": 0.5}
    _, whole = trained(tmp_path / "whole", setting)
    folder = tmp_path / "parts"
    folder.mkdir()
    settings = config(setting, checkpoint_minutes=0)
    first = Trainer(guard(settings), settings, folder)
    monkeypatch.setattr(first, "_watch", lambda progress: _interrupt_at(13, progress.step))
    with pytest.raises(Interrupted):
        first.run()
    second = Trainer(guard(settings), settings, folder)
    second.run(resume=True)
    assert float(torch.load(folder / FINAL, weights_only=True)["weight"]) == whole
    rows = [row for row in read_metrics(folder / "metrics.csv") if row["kind"] == "val"]
    assert rows == [row for row in read_metrics(tmp_path / "whole" / "metrics.csv") if row["kind"] == "val"]


def _interrupt_at(wanted: int, step: int) -> None:
    if step == wanted:
        raise Interrupted("stopped by the test")


def test_workers_get_nothing_but_what_makes_samples() -> None:
    settings = config({"anchor": "x", "replay": 0.3, "distill": 1.0})
    task = guard(settings)
    sent = pickle.loads(pickle.dumps(task))
    assert sent.samples.sample(2, 13) == task.samples.sample(2, 13)
    assert torch.equal(sent.collate([(1.0, 2.0)]), task.collate([(1.0, 2.0)]))
    assert not hasattr(sent, "_start")


def test_the_start_is_kept_for_a_run_that_goes_on(tmp_path: Path) -> None:
    class Fresh(Slope):
        def network(self) -> nn.Module:
            return nn.Conv2d(1, 1, 1, bias=False)

    first = start_network(Fresh(), tmp_path, resume=False)
    again = start_network(Fresh(), tmp_path, resume=True)
    assert slope_of(first) == slope_of(again)
    assert slope_of(start_network(Fresh(), tmp_path, resume=False)) != slope_of(first)


@pytest.mark.parametrize("setting", [{"replay": 0.2}, {"stop": True}])
def test_what_needs_an_anchor_says_so(setting: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="need an anchor"):
        config(setting)
