from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from ocrtune.config.load import build_config
from ocrtune.config.schema import OptimizerConfig, ScheduleConfig, TrainConfig
from ocrtune.errors import GateError, UsageError
from ocrtune.training.averaging import MovingAverage
from ocrtune.training.freeze import BackboneFreeze
from ocrtune.training.loop import make_plan
from ocrtune.training.optim import automatic_lr, build_optimizer, set_lr
from ocrtune.training.schedule import lr_factor
from ocrtune.workflows.budget import parse_budget, steps_within


def config(**sections: dict[str, object]) -> TrainConfig:
    return build_config({"data": {"train": "a"}, **sections})


def test_cosine_warms_up_and_ends_low() -> None:
    schedule = ScheduleConfig(warmup_epochs=2, warmup_factor=0.1, final_factor=0.01)
    factors = [lr_factor(step, 100, 5, schedule) for step in range(100)]
    assert factors[0] < factors[5] < factors[9] < factors[10] == 1.0
    assert all(a >= b for a, b in itertools.pairwise(factors[10:]))
    assert factors[-1] == pytest.approx(0.01)


def test_step_schedule_falls_where_it_should() -> None:
    schedule = ScheduleConfig(name="step", warmup_epochs=0, lr_decay_epochs=[2, 4], lr_decay_rate=0.1)
    factors = [lr_factor(step, 60, 10, schedule) for step in (0, 19, 20, 39, 40, 59)]
    assert factors == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


def test_plan_counts_pages_batches_and_evaluations() -> None:
    plan = make_plan(
        config(data={"train": "a", "batch_size": 4}, trainer={"accumulate": 2}, schedule={"epochs": 10}), 80, 1
    )
    assert (plan.effective_batch, plan.steps_per_epoch, plan.total_steps) == (8, 10, 100)
    assert len(plan.eval_steps) == 10
    assert max(plan.eval_steps) == 100
    short = make_plan(config(schedule={"steps": 3}), 80, 1)
    assert short.total_steps == max(short.eval_steps) == 3


def test_learning_rate_grows_with_the_batch_and_follows_the_weights_size() -> None:
    assert automatic_lr(32, relative=True) == pytest.approx(2 * automatic_lr(8, relative=True))
    model = nn.Linear(3, 2)
    optimizer = build_optimizer(model, OptimizerConfig(), 1e-2, {"weight": 5.0})
    rates = {group["params"][0].ndim: (group["lr"], group["weight_decay"]) for group in optimizer.param_groups}
    assert rates[2] == (pytest.approx(5e-2), 1e-4)
    assert rates[1] == (pytest.approx(1e-2), 0.0)
    set_lr(optimizer, 1.0)
    assert set_lr(optimizer, 0.5) == pytest.approx(5e-3)
    assert sorted(group["lr"] for group in optimizer.param_groups) == pytest.approx([5e-3, 2.5e-2])


def test_moving_average_follows_and_forgets_the_start() -> None:
    model = nn.Linear(1, 1)
    average = MovingAverage(model, decay=0.9)
    with torch.no_grad():
        model.weight.fill_(10.0)
    for _ in range(200):
        average.update(model)
    assert float(average.model.get_parameter("weight")) == pytest.approx(10.0, abs=1e-3)


def test_frozen_backbone_does_not_move_at_first() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1), nn.Conv2d(1, 1, 1))
    freeze = BackboneFreeze(model, ["0.weight", "1.weight"], steps=2)
    for step, frozen in ((0, True), (1, True), (2, False)):
        model.train()
        freeze.apply(step)
        assert model[0].weight.requires_grad != frozen
        assert model[1].training != frozen
        assert model[2].weight.requires_grad


@pytest.mark.parametrize(("text", "seconds"), [("20m", 1200), ("90s", 90), ("1.5h", 5400), ("5", 300), ("2 min", 120)])
def test_budgets(text: str, seconds: float) -> None:
    assert parse_budget(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-3m", "0s", "5 days"])
def test_what_is_no_budget(text: str) -> None:
    with pytest.raises(UsageError):
        parse_budget(text)


def test_steps_fill_the_time_and_refuse_too_little() -> None:
    some = config(trainer={"evals": 4})
    steps = steps_within(1000, 2.0, some, evaluation=10, pages=100)
    assert 400 < steps < 500
    assert steps * 2.0 + 4 * 10 <= 1000
    with pytest.raises(GateError, match="budget"):
        steps_within(20, 2.0, some, evaluation=10, pages=100)
