"""The gate of ``--sanity`` on a task whose network has two numbers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from ocrtune.config.load import build_config
from ocrtune.config.schema import TrainConfig
from ocrtune.training.diagnose.sanity import STEPS, overfit_one_batch
from support.tiny import Line, Points


class Paired(Points):
    """Eight places with two points each, on the line or with two values that no line has."""

    def __init__(self, contradicting: bool) -> None:
        self.contradicting = contradicting

    def order(self, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        return np.arange(len(self))

    def sample(self, epoch: int, index: int) -> tuple[float, float]:
        x = index // 2 - 3.5
        return (x, 1.0 if index % 2 else -0.6) if self.contradicting else (x, 3 * x - 1)


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
    found = overfit_one_batch(Line(Paired(False)), config(), lr=0.01)
    assert (found.code, found.severity) == ("sanity-passed", "info")
    assert found.evidence["loss_best"] < 0.7 * found.evidence["loss_first"]
    assert found.evidence["steps"] < STEPS, "it stops when it is enough"
    assert torch.equal(torch.rand(1), expected), "the training that follows has the same chance"


def test_a_loss_that_jumps_and_is_then_zeroed_has_not_been_learnt() -> None:
    class Zeroed(Line):
        def loss(self, network: nn.Module, batch: Tensor) -> Mapping[str, Tensor]:
            loss = super().loss(network, batch)["loss"]
            return {"loss": torch.where(loss < 1e6, loss, 0 * loss)}  # as CTC's zero_infinity does

    found = overfit_one_batch(Zeroed(Paired(False)), config(), lr=10.0)
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
    found = overfit_one_batch(Line(Paired(contradicting)), config(), lr)
    assert (found.code, found.severity) == ("sanity-failed", "error")
    assert why in found.message
    assert found.remedies
