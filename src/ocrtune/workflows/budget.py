"""How many training steps fit into the time that a user has."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from statistics import median
from typing import Any

from ocrtune.config.schema import TrainConfig
from ocrtune.errors import BudgetError, UsageError
from ocrtune.nn.memory import freed_memory_kept, out_of_memory, release_memory
from ocrtune.task import Task
from ocrtune.training.bare import BareSteps
from ocrtune.training.loading import loaded_batches
from ocrtune.training.micro import fewer_at_once, samples_in
from ocrtune.training.outline import make_plan

_PROBE_STEPS = 8
_WARM_STEPS = 3
_MARGIN = 0.93  # machines get slower, seldom faster
MIN_STEPS = 20


def parse_budget(text: str) -> float:
    """``20m``, ``90s``, ``1.5h`` or plain minutes, as seconds.

    Raises:
        UsageError: the text is none of these, or not positive.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|m|min|h)?\s*", text)
    if not match or float(match[1]) <= 0:
        raise UsageError(f"'{text}' is no time", where="--budget", expected="20m, 90s or 1.5h")
    return float(match[1]) * {"s": 1, "h": 3600}.get(match[2] or "m", 60)


@dataclass(frozen=True)
class Clock:
    """Counts a budget down.

    Attributes:
        started: when, on the monotonic clock.
        seconds: the whole budget.
    """

    started: float
    seconds: float

    @classmethod
    def start(cls, seconds: float, used: float = 0.0) -> Clock:
        """A budget from now on, of which some seconds were used before."""
        return cls(time.monotonic() - used, seconds)

    @property
    def used(self) -> float:
        return time.monotonic() - self.started

    @property
    def left(self) -> float:
        return self.seconds - self.used


@freed_memory_kept()
def seconds_per_step(task: Task, config: TrainConfig, patience: float = float("inf")) -> float:
    """Usual time of a training step on this machine, with its data loading, on a copy of the network.

    The first steps take much longer: memory is touched for the first time, and kernels are made.

    Args:
        task, config: what is to be trained.
        patience: seconds after which the steps that were timed until then have to do.

    Raises:
        ConfigError: nothing would train.
        OcrtuneError: a sample cannot be read.
    """
    steps = BareSteps(task, config)
    stream = loaded_batches(
        task,
        first_batch=0,
        count=_PROBE_STEPS + _WARM_STEPS,
        batch_size=config.batch_size,
        seed=config.trainer.seed,
        num_workers=config.data.num_workers,
    )
    times = []
    pieces = 1
    started = time.monotonic()
    for loaded in stream:
        pieces = _step(steps, loaded.batch, pieces)
        now = time.monotonic()
        times.append(now - started)  # the wait for the batch included
        started = now
        if len(times) > _WARM_STEPS and sum(times) > patience:
            break
    timed = times[_WARM_STEPS:]
    return median(timed) * config.trainer.accumulate


def _step(steps: BareSteps, batch: Any, pieces: int) -> int:
    """A step that changes no weight; into how many pieces the batch had to be cut for it.

    Raises:
        GateError: memory is too small for a single sample.
    """
    while True:
        try:
            steps.step(batch, 0.0, pieces)
            return pieces
        except Exception as error:
            if not out_of_memory(error):
                raise
        release_memory()
        pieces = fewer_at_once(pieces, samples_in(batch))


def steps_within(seconds: float, step: float, config: TrainConfig, evaluation: float, pages: int) -> int:
    """Training steps that fit, evaluations included.

    Args:
        seconds: time for training.
        step: seconds a step.
        config: tells how often is evaluated.
        evaluation: seconds an evaluation.
        pages: training pages.

    Raises:
        BudgetError: not even a short run fits.
    """
    usable = seconds * _MARGIN
    steps = int(usable / step)
    for _ in range(3):  # the number of evaluations depends on the number of steps
        plan = make_plan(
            config.model_copy(update={"schedule": config.schedule.model_copy(update={"steps": max(1, steps)})}),
            pages,
            1,
        )
        steps = int((usable - evaluation * len(plan.eval_steps)) / step)
    if steps < MIN_STEPS:
        needed = (MIN_STEPS * step + evaluation) / _MARGIN
        raise BudgetError(
            f"{max(0, steps)} training steps of {step:.1f} s fit into the rest of the budget: too few to learn anything",
            expected=f"at least {MIN_STEPS} steps",
            hint=f"give --budget about {(needed - seconds) / 60 + 1:.0f} minutes more",
        )
    return steps
