"""The gate of ``--sanity`` on a task whose network has two numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from ocrtune.config.load import build_config
from ocrtune.config.schema import TrainConfig
from ocrtune.task import Evaluation, Spread, alone
from ocrtune.training.diagnose.sanity import STEPS, overfit_one_batch


class Points:
    """Sixteen points, each with the value that its label gives it."""

    def __init__(self, contradicting: bool) -> None:
        self.contradicting = contradicting

    def __len__(self) -> int:
        return 16

    def order(self, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        return np.arange(len(self))

    def name(self, index: int) -> str:
        return f"point {index}"

    def sample(self, epoch: int, index: int) -> tuple[float, float]:
        x = index // 2 - 3.5
        return (x, 1.0 if index % 2 else -1.0) if self.contradicting else (x, 3 * x - 1)


class Line:
    """Fits a line to points."""

    monitor = "hmean"
    lr_factor = 1.0

    def __init__(self, contradicting: bool = False) -> None:
        self.samples = Points(contradicting)

    def network(self) -> nn.Module:
        model = nn.Conv2d(1, 1, 1)
        nn.init.zeros_(model.weight)
        return model

    def lr_scales(self, network: nn.Module) -> Mapping[str, float] | None:
        return None

    def backbone_names(self, network: nn.Module) -> Sequence[str]:
        return []

    def collate(self, samples: Sequence[tuple[float, float]]) -> Tensor:
        return torch.tensor(samples, dtype=torch.float32)

    def loss(self, network: nn.Module, batch: Tensor) -> Mapping[str, Tensor]:
        return {"loss": (network(batch[:, :1, None, None])[:, 0, 0, 0] - batch[:, 1]).square().mean()}

    def evaluate(self, network: nn.Module, spread: Spread = alone) -> Evaluation:
        return Evaluation(0.0, {}, {})


def config() -> TrainConfig:
    return build_config(
        {
            "data": {"train": "x", "batch_size": 16, "num_workers": 0},
            "optimizer": {"type": "SGD", "weight_decay": 0.0},
            "trainer": {"precision": "fp32", "num_gpus": 0},
        }
    )


def test_a_batch_that_can_be_learnt_passes_and_nothing_is_left_behind() -> None:
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    found = overfit_one_batch(Line(), config(), lr=0.01)
    assert (found.code, found.severity) == ("sanity-passed", "info")
    assert found.evidence["loss_best"] < 0.7 * found.evidence["loss_first"]
    assert found.evidence["steps"] < STEPS, "it stops when it is enough"
    assert torch.equal(torch.rand(1), expected), "the training that follows has the same chance"


def test_a_loss_that_jumps_and_is_then_zeroed_has_not_been_learnt() -> None:
    class Zeroed(Line):
        def loss(self, network: nn.Module, batch: Tensor) -> Mapping[str, Tensor]:
            loss = super().loss(network, batch)["loss"]
            return {"loss": torch.where(loss < 1e6, loss, 0 * loss)}  # as CTC's zero_infinity does

    found = overfit_one_batch(Zeroed(), config(), lr=10.0)
    assert found.code == "sanity-failed"
    assert "the learning rate is too high" in found.message


@pytest.mark.parametrize(
    ("lr", "contradicting", "why"),
    [
        (10.0, False, "the learning rate is too high"),
        (1e-9, False, "it does not move at all"),
        (0.01, True, "labels contradict their images"),
    ],
)
def test_what_cannot_be_learnt_fails_with_its_reason(lr: float, contradicting: bool, why: str) -> None:
    found = overfit_one_batch(Line(contradicting), config(), lr)
    assert (found.code, found.severity) == ("sanity-failed", "error")
    assert why in found.message
    assert found.remedies
