"""A run's facts in the form in which a diagnosis takes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ocrtune.page import Page
from ocrtune.training.diagnose import Diagnosis, before
from ocrtune.training.diagnose.course import Course, Setting
from ocrtune.training.diagnose.limits import Outcome, after
from ocrtune.training.loop import Trainer
from ocrtune.training.runlog import METRICS, read_metrics
from ocrtune.workflows.recipes.base import Recipe, Result, StartFigures


def run_course(folder: Path, monitor: str) -> Course:
    """What a run has recorded so far."""
    path = folder / METRICS
    return Course.read(read_metrics(path), monitor) if path.is_file() else Course()


def run_setting(trainer: Trainer, start: StartFigures) -> Setting:
    """What a run was set to."""
    parameters = sum(part.parameters for part in trainer.parts)
    trained = sum(part.parameters for part in trainer.parts if part.start < trainer.plan.total_steps)
    return Setting(
        task=trainer.config.task,
        monitor=trainer.task.monitor,
        total_steps=trainer.plan.total_steps,
        lr=trainer.lr,
        automatic_lr=trainer.automatic_lr,
        trained_share=trained / parameters,
        base=start.figure,
        base_signs=start.signs,
        data=trainer.config.train_data,
    )


def before_training(
    recipe: Recipe[Any, Any],
    trainer: Trainer,
    pages: Sequence[Page],
    prepared: Sequence[Page],
    start: StartFigures,
) -> list[Diagnosis]:
    """What can be said before the first step.

    Args:
        recipe: of the task.
        trainer: ready to run.
        pages: training pages as they were read.
        prepared: the same as the task is trained on them.
        start: figures of the start network.
    """
    task, config, plan = trainer.task, trainer.config, trainer.plan
    found = [
        *before.labels(pages, config.train_data),
        *before.frozen(trainer.parts, plan.total_steps),
        *before.rate(trainer.lr, trainer.automatic_lr, plan.effective_batch, config.optimizer.type),
        *recipe.before(task, prepared, plan.total_steps / plan.steps_per_epoch, start),
    ]
    if start.figure is not None:
        found += before.base_far(task.monitor, start.figure, config.train_data, str(config.model.pretrained))
    return found


def after_training(
    recipe: Recipe[Any, Any], trainer: Trainer, setting: Setting, result: Result, val: Sequence[Page], trained: float
) -> list[Diagnosis]:
    """What can be said of the result.

    Args:
        recipe: of the task.
        trainer: that has run.
        setting: of the run.
        result: on the validation data.
        val: those data.
        trained: the monitored figure on training data.
    """
    task: Any = trainer.task
    outcome = Outcome(
        val=result.figure,
        train=trained,
        remains=recipe.remains(task, result, val),
        arch=task.start.arch,
        page_size=task.config.input.page_size if setting.task == "detection" else None,
        data=setting.data,
        run=str(trainer.folder),
    )
    return after(run_course(trainer.folder, setting.monitor), setting, outcome)
