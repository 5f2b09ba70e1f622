"""The range test on a task whose good rates are known."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from torch import Tensor, nn

from ocrtune.errors import GateError
from ocrtune.report.settings import lr_range_figure
from ocrtune.training.lr_range import SPAN, LrRange, lr_range_test
from support.line_task import LineTask, line_config

OWN = 0.02


def test_it_finds_where_the_loss_falls_and_where_it_explodes() -> None:
    task = LineTask()
    found = lr_range_test(task, line_config(optimizer={"type": "SGD", "lr": OWN}), 80)
    assert found.rates[0] == pytest.approx(OWN / SPAN)
    assert found.own == OWN
    # a mean over points with x in -1 .. 1: gradient descent with momentum explodes from a rate of about 1 on
    assert found.diverged is not None
    assert 0.1 < found.diverged < 6
    assert found.suggested is not None
    assert 0.01 < found.suggested < 0.6
    assert found.suggested == pytest.approx(found.lowest / 2)
    assert len(found.as_dict()["steps"]) == len(found.rates) < 80, "a test that has diverged is over"
    assert lr_range_figure(found).startswith(b"\x89PNG")


def test_noise_between_batches_is_no_fall() -> None:
    rng = np.random.default_rng(0)
    start = rng.uniform(1, 5, 100)
    flat = LrRange(np.geomspace(1e-5, 1, 100), start * rng.normal(1, 0.002, 100), start, 1e-3)
    assert flat.suggested is None
    assert "falls at no rate" in flat.sentence()
    falling = LrRange(flat.rates, start * (1 - 0.1 * (flat.rates > 1e-3) + 5 * (flat.rates > 0.1)), start, 1e-3)
    assert falling.suggested == pytest.approx(falling.lowest / 2)
    assert 1e-3 < falling.lowest < 0.1
    assert falling.diverged is not None


def test_advice_only_where_the_rate_is_off() -> None:
    rates, start = np.geomspace(1e-5, 1, 101), np.ones(101)
    losses = 1 - 0.3 * np.exp(-(np.log10(rates / 1e-2) ** 2))
    near, far = LrRange(rates, losses, start, 2e-3), LrRange(rates, losses, start, 1e-1)
    assert "leave it" in near.sentence()
    assert near.settings == ()
    assert far.settings == ("optimizer.lr=0.005",)
    assert far.settings[0] in far.sentence()


def test_a_start_that_is_broken_is_said() -> None:
    class Broken(LineTask):
        def loss(self, network: nn.Module, batch: Tensor) -> Mapping[str, Tensor]:
            return {"loss": super().loss(network, batch)["loss"] * float("nan")}

    with pytest.raises(GateError, match="not finite"):
        lr_range_test(Broken(), line_config(), 20)
