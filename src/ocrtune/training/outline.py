"""What a run will do, known before its first step: how many steps of what size, at what rate, which parts of the network."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import nn

from ocrtune.config.schema import TrainConfig
from ocrtune.task import Task
from ocrtune.training.freeze import Freeze, Part, lr_factors, parts, table_rows
from ocrtune.training.optim import automatic_lr

_MAX_EVALS = 10


@dataclass(frozen=True)
class Plan:
    """How many steps of which size a run has.

    Attributes:
        micro_batch: samples of one process in one forward pass.
        accumulate: forward passes a step.
        world_size: processes.
        total_steps: steps in all.
        steps_per_epoch: steps that show as many samples as there are pages.
        eval_steps: after how many steps the network is evaluated; the last one is always among them.
    """

    micro_batch: int
    accumulate: int
    world_size: int
    total_steps: int
    steps_per_epoch: float
    eval_steps: frozenset[int]

    @property
    def effective_batch(self) -> int:
        return self.micro_batch * self.accumulate * self.world_size


@dataclass(frozen=True)
class Outline:
    """How a network will be trained.

    Attributes:
        plan: steps and batches.
        lr, automatic_lr: peak learning rate, and what ``auto`` would have been.
        freeze: what is held still for how long.
        parts: the network's parts, and from when on they train.
        what_trains: the same as rows of a table.
    """

    plan: Plan
    lr: float
    automatic_lr: float
    freeze: Freeze
    parts: list[Part]
    what_trains: list[tuple[str, ...]]


def make_plan(config: TrainConfig, pages: int, world_size: int) -> Plan:
    """Resolve epochs, steps and evaluations."""
    batch = config.batch_size * config.trainer.accumulate * world_size
    steps_per_epoch = max(1.0, pages / batch)
    total = config.schedule.steps or max(1, math.ceil(config.schedule.epochs * steps_per_epoch))
    evals = min(config.trainer.evals or min(_MAX_EVALS, math.ceil(total / steps_per_epoch)), total)
    at = frozenset(round(total * (i + 1) / evals) for i in range(evals))
    return Plan(config.batch_size, config.trainer.accumulate, world_size, total, steps_per_epoch, at)


def make_outline(task: Task, config: TrainConfig, network: nn.Module, scaled: bool, world_size: int) -> Outline:
    """Resolve everything that is ``auto`` in how a network is trained.

    Args:
        task: what is trained.
        config: of the run.
        network: parameters that are held for the whole run take no gradients from here on.
        scaled: whether each weight has a rate of its own, as `Task.lr_scales` gives them.
        world_size: processes.

    Raises:
        ConfigError: a part of the network is named that does not exist, or nothing would train.
    """
    plan = make_plan(config, len(task.samples), world_size)
    automatic = task.lr_factor * automatic_lr(plan.effective_batch, scaled)
    lr = automatic if config.optimizer.lr == "auto" else config.optimizer.lr
    freeze = Freeze(network, config.freeze, task.backbone_names(network), plan.steps_per_epoch)
    found = parts(network, freeze.start, lr_factors(network, config.optimizer.lr_factors))
    return Outline(plan, lr, automatic, freeze, found, table_rows(found, lr, scaled))
