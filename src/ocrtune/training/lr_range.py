"""The learning rate range test: how the loss answers to a rate that grows from step to step.

Source: Smith, "Cyclical Learning Rates for Training Neural Networks" (2017), section 3.3. Two things differ. The rate grows
by a factor instead of a summand, over five decades. And the loss is divided by what an untouched copy of the start network
has on the same batch: a network that is fine-tuned gains a few per cent at best, and batches differ by more.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ocrtune.config.schema import TrainConfig
from ocrtune.errors import GateError
from ocrtune.nn.memory import freed_memory_kept
from ocrtune.task import Task
from ocrtune.training.bare import BareSteps
from ocrtune.training.loading import loaded_batches

SPAN = 300.0
"""The rate grows from the run's own divided by this to the same multiplied by it."""
_DIVERGED = 2.0  # times the loss of the start network: nothing is learnt beyond
_MIN_FALL = 0.01  # share of the loss; less is no answer
_BELOW = 2.0  # the suggestion keeps this far away from the lowest loss, behind which it explodes
_DECADES = 0.2  # standard deviation of the smoothing, in decades of the rate
_NEAR = 3.0  # factor within which two rates do the same


@dataclass(frozen=True)
class LrRange:
    """What a range test found.

    Attributes:
        rates: learning rate of each step, ``optimizer.lr`` as the configuration means it, float64 [steps].
        losses: loss before each step, float64 [steps].
        start_losses: the start network's on the same batches, float64 [steps].
        own: the run's own peak rate.
    """

    rates: npt.NDArray[np.float64]
    losses: npt.NDArray[np.float64]
    start_losses: npt.NDArray[np.float64]
    own: float

    @property
    def relative(self) -> npt.NDArray[np.float64]:
        """The smoothed loss as a share of the start network's, float64 [steps]."""
        finite = np.isfinite(self.losses)
        place = np.log10(self.rates)
        weights = np.exp(-0.5 * ((place[:, None] - place[None, finite]) / _DECADES) ** 2)
        return np.asarray((weights @ self.losses[finite]) / (weights @ self.start_losses[finite]))

    @property
    def lowest(self) -> float:
        """The rate at which the smoothed loss is lowest."""
        return float(self.rates[int(np.argmin(self.relative))])

    @property
    def suggested(self) -> float | None:
        """Half of the rate at which the smoothed loss is lowest, for the peak of a schedule that warms up and sinks again;
        None where the loss falls nowhere."""
        return self.lowest / _BELOW if self.relative.min() < 1 - _MIN_FALL else None

    @property
    def diverged(self) -> float | None:
        """The rate at which the test was broken off; None where it came to its end."""
        last = self.losses[-1]
        return None if np.isfinite(last) and last < _DIVERGED * self.start_losses[-1] else float(self.rates[-1])

    @property
    def settings(self) -> tuple[str, ...]:
        """The override that is worth it; none where nothing is suggested, or the run's own rate is near enough."""
        rate = self.suggested
        return () if rate is None or 1 / _NEAR <= rate / self.own <= _NEAR else (f"optimizer.lr={rate:.2g}",)

    def sentence(self) -> str:
        """What it means for the run."""
        if self.suggested is None:
            return (
                "The loss falls at no rate: look at the labels, at what is frozen, and at the loss itself before anything "
                "else (ocrtune data check; ocrtune data show --augment)."
            )
        if self.settings:
            return f"Suggested: {' '.join(self.settings)}; the run's own is {self.own:.2g}."
        return (
            f"The run's own rate, {self.own:.2g}, is within a factor of {_NEAR:g} of the suggested "
            f"{self.suggested:.2g}: leave it."
        )

    def as_dict(self) -> dict[str, Any]:
        return {
            "suggested_lr": self.suggested,
            "settings": list(self.settings),
            "own_lr": self.own,
            "lowest_loss_at": self.lowest,
            "diverged_at": self.diverged,
            "steps": [
                {"lr": float(rate), "loss": float(loss) if math.isfinite(loss) else None, "start_loss": float(start)}
                for rate, loss, start in zip(self.rates, self.losses, self.start_losses, strict=True)
            ],
        }


@freed_memory_kept()
def lr_range_test(task: Task, config: TrainConfig, steps: int, each: Callable[[], None] = lambda: None) -> LrRange:
    """Train a copy of the start network with a growing rate, until the end or until the loss has doubled.

    Args:
        task: what would be trained.
        config: of the run.
        steps: from the lowest to the highest rate.
        each: called after each step.

    Raises:
        GateError: the loss is not finite before anything was learnt.
        OcrtuneError: a sample cannot be made.
    """
    trained, start = BareSteps(task, config, scaled=True), BareSteps(task, config)
    factors = np.geomspace(1 / SPAN, SPAN, steps)
    stream = loaded_batches(
        task,
        first_batch=0,
        count=steps,
        batch_size=config.batch_size,
        seed=config.trainer.seed,
        num_workers=config.data.num_workers,
    )
    losses, start_losses = [], []
    for factor, loaded in zip(factors.tolist(), stream, strict=True):
        start_losses.append(start.loss(loaded.batch))
        losses.append(trained.step(loaded.batch, factor))
        if not math.isfinite(start_losses[-1]):
            raise GateError(
                "the start network's own loss is not finite: no rate can be found",
                hint="set trainer.precision=fp32, and look at the labels with ocrtune data check",
            )
        each()
        if not losses[-1] < _DIVERGED * start_losses[-1]:  # NaN as well
            break
    done = len(losses)
    return LrRange(trained.lr * factors[:done], np.array(losses), np.array(start_losses), trained.lr)
