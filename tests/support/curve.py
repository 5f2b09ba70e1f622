"""A task of a few numbers for runs of several processes; it lies here because they have to be able to import it."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ocrtune.config.load import build_config
from ocrtune.config.schema import TrainConfig
from ocrtune.errors import GateError, ImageError, Interrupted, OcrtuneError
from ocrtune.task import Evaluation, Spread, alone
from ocrtune.training.loop import State, Trainer
from ocrtune.training.processes import Processes, join
from ocrtune.workflows.console import Console


class Points:
    """Points of a sine, the same for the same (epoch, index)."""

    def __len__(self) -> int:
        return 24

    def order(self, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        return rng.permutation(len(self))

    def name(self, index: int) -> str:
        return f"point {index}"

    def sample(self, epoch: int, index: int) -> tuple[float, float, float]:
        x = float(np.random.default_rng([epoch, index]).uniform(-2, 2))
        return x, float(np.sin(x)), float(100 * epoch + index)


@dataclass(frozen=True)
class Accident:
    """What happens to one process in one step: ``kill`` (-9), ``stop`` (SIGTERM), ``nan`` or ``image``."""

    what: str
    step: int
    rank: int = 1


@dataclass
class Curve:
    """Fits a sine by a network of two layers.

    Attributes:
        seen: folder where each process notes the samples of each batch.
        norm: with a normalisation layer.
        accident: what goes wrong.
    """

    seen: Path
    norm: bool = False
    accident: Accident | None = None
    samples: Points = field(default_factory=Points)
    batches: int = 0

    monitor = "hmean"
    lr_factor = 1.0

    def network(self) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            middle = [nn.BatchNorm2d(8)] if self.norm else []
            return nn.Sequential(nn.Conv2d(1, 8, 1), *middle, nn.Tanh(), nn.Conv2d(8, 1, 1))

    def lr_scales(self, network: nn.Module) -> Mapping[str, float] | None:
        return None

    def backbone_names(self, network: nn.Module) -> Sequence[str]:
        return ["0.weight", "0.bias"]

    def collate(self, samples: Sequence[tuple[float, float, float]]) -> Tensor:
        return torch.tensor(samples, dtype=torch.float32)

    def loss(self, network: nn.Module, batch: Tensor) -> Mapping[str, Tensor]:
        self.batches += 1
        rank = join().rank
        with (self.seen / f"seen_{rank}.txt").open("a") as file:
            file.write(" ".join(str(int(key)) for key in batch[:, 2]) + "\n")
        error = network(batch[:, :1, None, None])[:, 0, 0, 0] - batch[:, 1]
        if self.accident is not None and (self.batches, rank) == (self.accident.step, self.accident.rank):
            if self.accident.what == "nan":
                error = error * float("nan")
            else:
                os.kill(os.getpid(), signal.SIGKILL if self.accident.what == "kill" else signal.SIGTERM)
        return {"loss": error.square().mean()}

    def evaluate(self, network: nn.Module, spread: Spread = alone) -> Evaluation:
        @torch.inference_mode()
        def squares(share: Sequence[float]) -> list[float]:
            if (self.accident is not None and self.accident.what == "image") and join().rank == self.accident.rank:
                raise ImageError("the image is damaged", where="page 5")
            points = torch.tensor(share)[:, None, None, None]
            return [float(e) for e in (network.eval()(points) - points.sin()).square().flatten()]

        error = float(np.mean(spread([i / 7 for i in range(-7, 8)], squares)))
        return Evaluation(-error, {"hmean": -error}, {"thresholds": {}})


def config(**sections: Mapping[str, object]) -> TrainConfig:
    values: dict[str, dict[str, object]] = {
        "data": {"train": "x", "batch_size": 4, "num_workers": 0},
        "optimizer": {"lr": 0.05},
        "schedule": {"steps": 12, "warmup_epochs": 0},
        "trainer": {"precision": "fp32", "num_gpus": 0, "evals": 4, "checkpoint_minutes": 1000},
    }
    for section, keys in sections.items():
        values.setdefault(section, {}).update(keys)
    return build_config(values)


STAGES: dict[str, dict[str, Any]] = {
    "plain": {},
    "accumulated": {"trainer": {"accumulate": 2}, "optimizer": {"lr": 0.05, "clip_norm": 0.1}},
    "frozen": {"trainer": {"ema": False}, "freeze": {"backbone_epochs": 2}},
}
"""Settings whose result must not depend on the number of processes."""


def fit(
    folder: Path,
    console: Console,
    batch_size: int = 4,
    resume: bool = False,
    task: Mapping[str, Any] | None = None,
    **sections: Any,
) -> State:
    """One process's part of a run in ``folder``."""
    folder.mkdir(exist_ok=True)
    settings = config(**{**sections, "data": {"batch_size": batch_size}})
    curve = Curve(folder, **(task or {}))
    return Trainer(curve, settings, folder, console.say, console.watch, "the same again").run(resume)


def fit_all(root: Path, console: Console, batch_size: int = 4) -> State:
    """Runs whose results are compared between numbers of processes, and what only several processes have."""
    for name, sections in STAGES.items():
        state = fit(root / name, console, batch_size, **sections)
    fit(root / "norm", console, batch_size, task={"norm": True}, schedule={"steps": 1}, trainer={"evals": 1})
    if join().world_size > 1:
        _fail_together(root, console)
        _talk(root, join())
    return state


def _fail_together(root: Path, console: Console) -> None:
    """Runs that go wrong in one process; each process notes what it was told."""
    for accident in (Accident("stop", 5), Accident("nan", 3), Accident("image", 0)):
        try:
            fit(root / accident.what, console, task={"accident": accident}, trainer={"nonfinite": "raise"})
        except (GateError, ImageError, Interrupted) as error:
            (root / f"{accident.what}_{join().rank}.txt").write_text(f"{type(error).__name__}: {error}")
    fit(root / "stop", console, resume=True)


def _talk(root: Path, processes: Processes) -> None:
    with (root / f"words_{processes.rank}.txt").open("w") as file:
        print(processes.agree(False, processes.rank == 1), file=file)
        print(processes.mean({"loss": float(processes.rank)}), file=file)
        print(processes.spread(list(range(5)), lambda share: [(processes.rank, item) for item in share]), file=file)
        print(processes.on_first(lambda: f"from {processes.rank}"), file=file)
        for way in (processes.together, processes.on_first):
            try:
                way(partial(_refuse, processes.rank))
            except OcrtuneError as error:
                print(f"{error.what}, {error.where}", file=file)


def _refuse(rank: int) -> None:
    raise ImageError("damaged", where=rank)
