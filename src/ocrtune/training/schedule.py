"""Learning rate over the steps of a run, as a factor on the peak rate."""

from __future__ import annotations

import math

from ocrtune.config.schema import ScheduleConfig

_WARMUP_SHARE = 10
"""A warm-up takes at most a tenth of the run: an epoch of lines would be most of a short one."""


def lr_factor(step: int, total: int, steps_per_epoch: float, schedule: ScheduleConfig) -> float:
    """The factor for a step (from 0) of a run of ``total`` steps.

    Linear warm-up from ``warmup_factor``, then cosine to ``final_factor`` at the last step, steps, or constant.
    """
    warmup = min(round(schedule.warmup_epochs * steps_per_epoch), total // _WARMUP_SHARE)
    if step < warmup:
        return schedule.warmup_factor + (1 - schedule.warmup_factor) * (step + 1) / (warmup + 1)
    if schedule.name == "cosine":
        progress = (step - warmup) / max(1, total - 1 - warmup)
        return schedule.final_factor + (1 - schedule.final_factor) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    if schedule.name == "step":
        epoch = step / steps_per_epoch
        return schedule.lr_decay_rate ** sum(epoch >= boundary for boundary in schedule.lr_decay_epochs)
    return 1.0
