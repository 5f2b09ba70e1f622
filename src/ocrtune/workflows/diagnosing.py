"""A run's facts in the form in which a diagnosis takes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ocrtune.page import Page
from ocrtune.training.diagnose import Diagnosis, before
from ocrtune.training.diagnose.course import Course, Setting
from ocrtune.training.diagnose.limits import Outcome, after
from ocrtune.training.outline import Outline
from ocrtune.training.runlog import METRICS, read_metrics
from ocrtune.workflows.recipes.base import Recipe, Result, StartFigures


def run_course(folder: Path, monitor: str) -> Course:
    """What a run has recorded so far."""
    return Course.read(read_metrics(folder / METRICS), monitor)


def run_setting(task: Any, outline: Outline, start: StartFigures) -> Setting:
    """What a run was set to."""
    parameters = sum(part.parameters for part in outline.parts)
    trained = sum(part.parameters for part in outline.parts if part.start < outline.plan.total_steps)
    return Setting(
        task=task.config.task,
        monitor=task.monitor,
        total_steps=outline.plan.total_steps,
        lr=outline.lr,
        automatic_lr=outline.automatic_lr,
        trained_share=trained / parameters,
        base=start.figure,
        base_signs=start.signs,
        data=task.config.train_data,
    )


def before_training(
    recipe: Recipe[Any, Any],
    task: Any,
    outline: Outline,
    pages: Sequence[Page],
    prepared: Sequence[Page],
    start: StartFigures,
) -> list[Diagnosis]:
    """What can be said before the first step.

    Args:
        recipe, task: of the run.
        outline: of its training.
        pages: training pages as they were read.
        prepared: the same as the task is trained on them.
        start: figures of the start network.
    """
    config, plan = task.config, outline.plan
    found = [
        *before.labels(pages, config.train_data),
        *before.frozen(outline.parts, plan.total_steps),
        *before.rate(outline.lr, outline.automatic_lr, plan.effective_batch, config.optimizer.type),
        *recipe.before(task, prepared, plan.total_steps / plan.steps_per_epoch, start),
    ]
    if start.figure is not None:
        found += before.base_far(task.monitor, start.figure, config.train_data, str(config.model.pretrained))
    return found


def after_training(
    recipe: Recipe[Any, Any],
    task: Any,
    folder: Path,
    setting: Setting,
    result: Result,
    val: Sequence[Page],
    trained: float,
    mixed: bool,
) -> list[Diagnosis]:
    """What can be said of the result.

    Args:
        recipe, task: of the run.
        folder: the run folder.
        setting: of the run.
        result: on the validation data.
        val: those data.
        trained: the monitored figure on training data.
        mixed: whether the result is a mixture of base and fine-tuned weights.
    """
    outcome = Outcome(
        val=result.figure,
        train=trained,
        remains=recipe.remains(task, result, val),
        arch=task.start.arch,
        page_size=task.config.input.page_size if setting.task == "detection" else None,
        data=setting.data,
        run=str(folder),
        mixed=mixed,
    )
    return after(run_course(folder, setting.monitor), setting, outcome)
