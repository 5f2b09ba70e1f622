"""``--sanity``: a network that cannot learn a single batch by heart will learn nothing from many."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from ocrtune.config.schema import TrainConfig
from ocrtune.errors import GateError
from ocrtune.nn.memory import out_of_memory
from ocrtune.task import Task
from ocrtune.training.bare import BareSteps
from ocrtune.training.diagnose.diagnosis import Diagnosis, Remedy
from ocrtune.training.loading import loaded_batches

STEPS = 40
TARGET = 0.7
"""Share of the first loss that has to be reached within `STEPS` steps."""
_LEARNT = 1e-3
_JUMP, _JUMP_LEAST = 5.0, 1.0  # times the first loss, and at least so much: it will not find its way back


def overfit_one_batch(
    task: Task, config: TrainConfig, lr: float, say: Callable[[str], None] = lambda line: None
) -> Diagnosis:
    """Train a copy of the start network on one batch, at the peak learning rate, with what trains in the first step.

    Args:
        task: what is trained.
        config: how.
        lr: peak learning rate.
        say: takes a line before the work.

    Raises:
        ConfigError: nothing would train.
        OcrtuneError: a sample cannot be read.
    """
    say(f"sanity: can the network learn one batch of {config.batch_size} by heart within {STEPS} steps?")
    losses = _losses(task, config, lr)
    first, best, largest = losses[0], min(losses), max(losses)
    evidence = {"loss_first": first, "loss_best": best, "loss_largest": largest, "steps": len(losses) - 1, "lr": lr}
    jumped = _has_jumped(losses)
    if not jumped and best <= max(TARGET * first, _LEARNT):
        message = f"one batch can be learnt by heart: its loss fell from {first:.3g} to {best:.3g}"
        return Diagnosis("sanity-passed", "before", "info", message, evidence)
    if jumped or losses[-1] > first:
        why = "it rises: the learning rate is too high"
        remedy = Remedy(f"optimizer.lr={lr / 10:.2g}", "a tenth of the rate")
    elif largest - best < 0.02 * first:
        why = "it does not move at all: too little trains, the rate is too low, or the weights are saturated"
        remedy = Remedy("optimizer.lr=auto freeze.layers={}", "the automatic rate, and everything trains")
    else:
        why = "it falls too slowly: labels contradict their images, or the rate is too low"
        remedy = Remedy(f"ocrtune data show {config.train_data} --draw drawn", "draws the labels on their images")
    return Diagnosis(
        "sanity-failed",
        "before",
        "error",
        f"the network cannot learn one batch by heart: its loss was {first:.3g} at first and is {losses[-1]:.3g} after "
        f"{len(losses) - 1} steps; {why}",
        evidence,
        (remedy,),
    )


def _losses(task: Task, config: TrainConfig, lr: float) -> list[float]:
    """The loss of the same batch before each step, and after the last; ends early when it is low enough, or far too high."""
    with torch.random.fork_rng():
        steps = BareSteps(task, config, scaled=True)
        (loaded,) = loaded_batches(
            task, first_batch=0, count=1, batch_size=config.batch_size, seed=config.trainer.seed, num_workers=0
        )
        losses: list[float] = []
        try:
            while True:
                losses.append(steps.step(loaded.batch, lr / steps.lr))
                if losses[-1] <= max(TARGET * losses[0], _LEARNT) or len(losses) > STEPS or _has_jumped(losses):
                    return losses
        except Exception as error:
            if not out_of_memory(error):
                raise
            raise GateError(
                "memory is too small for learning a whole batch at once",
                where=f"data.batch_size={config.batch_size}",
                hint="halve it and double trainer.accumulate; without --sanity the training does so by itself",
            ) from error


def _has_jumped(losses: list[float]) -> bool:
    lost = losses[-1] == 0 and losses[0] > 0  # so CTC zeroes what is infinite
    return lost or not math.isfinite(losses[-1]) or max(losses) > max(_JUMP * losses[0], _JUMP_LEAST)
