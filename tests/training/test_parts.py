from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from ocrtune.config.load import build_config
from ocrtune.config.schema import FreezeConfig, OptimizerConfig, ScheduleConfig, TrainConfig
from ocrtune.errors import ConfigError, GateError, UsageError
from ocrtune.training.averaging import MovingAverage
from ocrtune.training.freeze import Freeze, lr_factors, parts, table_lines, table_rows
from ocrtune.training.optim import automatic_lr, build_optimizer, set_lr
from ocrtune.training.outline import make_plan
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


class Net(nn.Module):
    """A backbone with normalisation, a neck and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.BatchNorm2d(2))
        self.neck = nn.Conv2d(2, 2, 1)
        self.head = nn.Conv2d(2, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.neck(self.backbone(x)))

    @property
    def statistics(self) -> torch.Tensor:
        return self.get_buffer("backbone.1.running_mean")


BACKBONE = ["backbone.0.weight", "backbone.1.weight", "backbone.1.bias"]


def test_stages_unfreeze_in_their_order_and_normalisation_stays_with_its_weights() -> None:
    net = Net()
    config = FreezeConfig(backbone_epochs=2, layers={"neck": 1, "head.bias": None})
    freeze = Freeze(net, config, BACKBONE, steps_per_epoch=3)
    for step, moving in ((0, {"head"}), (2, {"head"}), (3, {"head", "neck"}), (6, {"head", "neck", "backbone"})):
        net.train()
        freeze.apply(step)
        assert {name.partition(".")[0] for name, p in net.named_parameters() if p.requires_grad} == moving
        assert net.backbone[1].training == ("backbone" in moving), "running statistics stay with frozen weights"
    assert not net.get_parameter("head.bias").requires_grad
    optimizer = build_optimizer(net, OptimizerConfig(), 1e-3)
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert id(net.neck.weight) in held
    assert id(net.get_parameter("head.bias")) not in held, "what never trains takes no optimiser state"


def test_statistics_of_a_frozen_normalisation_do_not_move() -> None:
    net = Net()
    freeze = Freeze(net, FreezeConfig(layers={"backbone": None}), [], steps_per_epoch=1)
    net.train()
    freeze.apply(0)
    net(torch.randn(4, 1, 3, 3) + 5)
    assert not net.statistics.any()
    net.train()
    net(torch.randn(4, 1, 3, 3) + 5)
    assert net.statistics.any(), "the same batch moves them where nothing is frozen"


def test_the_last_pattern_that_fits_counts_and_one_that_fits_nothing_is_refused() -> None:
    net = Net()
    start = Freeze(net, FreezeConfig(layers={"*": None, "head": 0, "*.bias": 2}), [], steps_per_epoch=4).start
    assert start["backbone.0.weight"] == float("inf")
    assert (start["head.weight"], start["head.bias"]) == (0, 8)
    factors = lr_factors(net, {"backbone": 0.1, "backbone.1.*": 0.5})
    assert (factors["backbone.0.weight"], factors["backbone.1.bias"], factors["head.bias"]) == (0.1, 0.5, 1.0)
    with pytest.raises(ConfigError, match="fits no parameter") as caught:
        Freeze(net, FreezeConfig(layers={"bakcbone": None}), [], steps_per_epoch=1)
    assert "backbone" in str(caught.value.hint)


def test_learning_rates_of_parts() -> None:
    net = Net()
    optimizer = build_optimizer(net, OptimizerConfig(lr_factors={"backbone": 0.1}), 1e-2, {"neck.weight": 3.0})
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert rates[id(net.backbone[0].weight)] == pytest.approx(1e-3)
    assert rates[id(net.neck.weight)] == pytest.approx(3e-2)
    assert rates[id(net.head.weight)] == pytest.approx(1e-2)


def test_what_trains_is_a_table() -> None:
    net = Net()
    start = Freeze(net, FreezeConfig(backbone_epochs=2, layers={"neck": None}), BACKBONE, steps_per_epoch=5).start
    rows = table_rows(parts(net, start, lr_factors(net, {"head": 2.0})), 1e-3, relative=False)
    assert rows == [
        ("backbone", "3", "6", "from step 11", "0.001"),
        ("neck", "2", "6", "never", "-"),
        ("head", "2", "3", "always", "0.002"),
    ]
    lines = table_lines(rows)
    assert lines[0].split() == ["part", "tensors", "parameters", "trains", "learning", "rate"]
    assert lines[1].index("from step") == lines[3].index("always")


@pytest.mark.parametrize(
    "frozen",
    [{"layers": {"*": None}}, {"layers": {"*": 3}}, {"backbone_epochs": 5, "layers": {"neck": 5, "head": None}}],
)
def test_a_run_without_anything_to_train_is_refused(frozen: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="everything is frozen: none of the 15 parameters") as caught:
        Freeze(Net(), FreezeConfig.model_validate(frozen), BACKBONE, steps_per_epoch=1)
    assert caught.value.code == "nothing-trains"
    assert "freeze.layers" in str(caught.value.hint)


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
