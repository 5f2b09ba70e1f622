"""One stage of an adapt job: a model trained within its time and compared with its base."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ocrtune.bundle import Bundle, TaskName
from ocrtune.config.load import build_config, load_config
from ocrtune.config.schema import TrainConfig
from ocrtune.errors import GateError
from ocrtune.nn.memory import freed_memory_kept
from ocrtune.report.html import Picture, Table
from ocrtune.training.diagnose import Diagnosis, ordered
from ocrtune.training.diagnose.limits import below
from ocrtune.training.loop import LAST
from ocrtune.workflows.adapt.job import AdaptRequest, Parts
from ocrtune.workflows.adapt.size import SizePreset, labels_for, size_preset
from ocrtune.workflows.budget import MIN_STEPS, seconds_per_step, steps_within
from ocrtune.workflows.console import Console
from ocrtune.workflows.forgetting import START_FIGURES, guarded
from ocrtune.workflows.recipes import RECIPES
from ocrtune.workflows.train import BASELINE, CONFIG, TrainResult, measured_start, run_pages, train

_MORE_EVALUATIONS = 3  # of an anchor's other pages, before and after
_PROBE_SHARE = 0.05  # of a stage's time, for finding out how long a step takes


@dataclass(frozen=True)
class Comparison:
    """A figure before and after.

    Attributes:
        name: of the figure; higher is better.
        before: of the base with everything but its weights fitted.
        after: of the fine-tuned model.
        data: what it was measured on.
    """

    name: str
    before: float
    after: float
    data: str

    @property
    def better(self) -> bool:
        return self.after > self.before

    @property
    def error_cut(self) -> float:
        """Share of the error before that is gone."""
        error = 1 - self.before
        return (self.after - self.before) / error if error > 0 else 0.0

    def sentence(self) -> str:
        change = f"{self.name} {self.before:.4f} → {self.after:.4f} on {self.data} that nothing was fitted to"
        if self.better:
            return f"Better: {change}; {self.error_cut:.0%} of the base's error is gone."
        return f"Not better than the base with fitted settings: {change}."


@dataclass(frozen=True)
class Stage:
    """What came out of one stage.

    Attributes:
        task: what was adapted.
        base: what it started from.
        bundle: the result.
        comparison: the figure that decides.
        table: before and after.
        figures_json: the same for programs.
        outcome: of the training.
        config: of the training.
        fitted_base: the base with the settings that were fitted for the comparison.
        tables, figures, worst: for the report.
    """

    task: TaskName
    base: str
    bundle: Bundle
    comparison: Comparison
    table: Table
    figures_json: Mapping[str, Any]
    outcome: TrainResult
    config: TrainConfig
    fitted_base: Bundle
    tables: list[Table] = field(default_factory=list)
    figures: list[Picture] = field(default_factory=list)
    worst: list[Picture] = field(default_factory=list)

    @property
    def diagnosis(self) -> list[Diagnosis]:
        """What was found wrong, the gravest first; a result that is not better than its base among it."""
        compared = self.comparison
        known = self.outcome.diagnosis
        if compared.better:  # on pages that decide more than those that chose the state
            return [diagnosis for diagnosis in known if diagnosis.code != "below-base"]
        if any(diagnosis.code == "below-base" for diagnosis in known):
            return known
        return ordered([*known, below(compared.name, compared.before, compared.after, compared.data)])

    def as_dict(self) -> dict[str, Any]:
        """Figures before and after, and the diagnosis."""
        return {**self.figures_json, "diagnosis": [diagnosis.as_dict() for diagnosis in self.diagnosis]}


@freed_memory_kept()
def training_run(
    values: Mapping[str, Any],
    request: AdaptRequest,
    base: str,
    parts: Parts,
    folder: Path,
    seconds: float,
    resumed: bool,
    console: Console,
) -> tuple[TrainResult, TrainConfig]:
    """Train in ``folder/run`` with as many steps as the time allows or the user chose, or go on with what began there.

    Args:
        values: settings of the stage; the user's win over them.
        request, parts: the job.
        base: what to start from.
        folder: of the stage.
        seconds: for the training, from now on; where steps take longer than planned, it ends sooner.
        resumed: the same job began earlier.
        console: where to report to.

    Memory is kept from the timing of the first steps to the end of the training.

    Raises:
        GateError: the time is too short to learn anything, or the exported file differs from the network.
        Interrupted: the user stopped it; the same command goes on.
    """
    ends = time.monotonic() + seconds
    run = folder / "run"
    run.mkdir(parents=True, exist_ok=True)
    if resumed and (run / LAST).is_file():
        config = load_config(run / CONFIG).config
        console.say(f"going on with the training in {run}")
    else:
        config = planned_config(values, request, base, parts, run, seconds, console)
    # the user's own number, or the fewest, are all trained
    limited = not _length_chosen(request, config.task) and config.schedule.steps != MIN_STEPS
    outcome = train(
        config,
        run,
        resume=resumed,
        console=console,
        resume_command="give the same command again: it goes on",
        deadline=ends - _seconds_after(config, run) if limited else None,
    )
    return outcome, config


def first_training(
    values: Mapping[str, Any],
    request: AdaptRequest,
    start: str,
    parts: Parts,
    folder: Path,
    seconds: float,
    resumed: bool,
    console: Console,
) -> tuple[Bundle, str]:
    """A training before the real one, which needs its model's opinion; see `training_run` for the arguments.

    Returns:
        its bundle, and what the real training starts from: that bundle, or the start once more where what that could do
        is to be kept, because a first training has begun to forget.
    """
    outcome, _ = training_run(values, request.unguarded(), start, parts, folder, seconds, resumed, console)
    return outcome.bundle, start if request.guarded else str(outcome.bundle.path)


def planned_config(
    values: Mapping[str, Any],
    request: AdaptRequest,
    base: str,
    parts: Parts,
    run: Path,
    seconds: float,
    console: Console,
) -> TrainConfig:
    """The training configuration, with as many steps as the time allows or the user chose; see `training_run`.

    Raises:
        GateError: the time is too short to learn anything.
    """
    task_name = values["task"]
    labels = labels_for(task_name, parts.train)
    size = size_preset(task_name, labels)
    console.say(
        f"{labels} {'pages' if task_name == 'detection' else 'lines'} to learn from ({size.name}): {size.reason}"
    )
    defaults = {
        **values,
        "model": {"pretrained": base},
        "data": {"train": parts.sources, "val": f"json:{parts.holdout_file}"},
        "trainer": {"evals": size.evals},
        **({} if request.anchor is None else {"forgetting": {"anchor": request.anchor}}),
    }
    overrides = request.overrides_for(task_name)
    loaded = load_config(None, (*_flat(defaults), *overrides))
    config = loaded.config
    if _length_chosen(request, task_name):
        return config
    started = time.monotonic()
    recipe = RECIPES[config.task]
    train_pages, val_pages = run_pages(config)
    lines = recipe.pages(train_pages, "train", run, console.bar), recipe.pages(val_pages, "val", run, console.bar)
    task = recipe.task(config, *lines, lambda line: None)
    evaluation = measured_start(recipe, task, run, console).seconds
    guard = guarded(recipe, task, config, run, False, console)
    if guard is not None:
        task = guard.task
        if guard.watched is not None:
            evaluation = guard.watched.seconds
    step = seconds_per_step(task, config, _PROBE_SHARE * seconds)
    left = seconds - (time.monotonic() - started) - _seconds_after(config, run)
    try:
        steps = steps_within(left, step, config, evaluation, len(task.samples))
    except GateError as error:
        if request.firm:
            raise
        console.say(f"this machine is slow, or busy: {error.what}; {MIN_STEPS} are trained all the same")
        steps = MIN_STEPS
    console.say(f"a step takes {step:.2f} s here, an evaluation {evaluation:.1f} s: {steps} steps fit into the budget")
    steps = worthwhile_steps(steps, size, len(task.samples), config.batch_size * config.trainer.accumulate, console)
    return build_config(
        {**config.model_dump(), "schedule": {**config.schedule.model_dump(), "steps": steps}}, loaded.origins
    )


def _length_chosen(request: AdaptRequest, task: str) -> bool:
    """Whether the user said how long to train, in steps or epochs, instead of leaving it to the budget."""
    return any(override.startswith(("schedule.steps=", "schedule.epochs=")) for override in request.overrides_for(task))


def _seconds_after(config: TrainConfig, run: Path) -> float:
    """What is measured between the last step and the export takes so long, as far as the start's measuring tells."""
    anchor, start = run / START_FIGURES, run / BASELINE
    if config.forgetting.anchor is not None and anchor.is_file():
        seconds: float = json.loads(anchor.read_text(encoding="utf-8"))["seconds"]
        return seconds * (len(config.forgetting.alphas) + _MORE_EVALUATIONS)
    return float(json.loads(start.read_text(encoding="utf-8"))["seconds"]) if start.is_file() else 0.0


def worthwhile_steps(steps: int, size: SizePreset, samples: int, batch: int, console: Console) -> int:
    """As many of the steps as the number of samples allows; what that means is said."""
    most = round(min(size.most_steps(samples, batch), steps))
    if most < steps:
        console.say(
            f"{most} are enough: by then each of the {samples} samples has been seen {size.most_views:.0f} times"
        )
    if most * batch < samples:
        console.say(f"only {most * batch / samples:.0%} of the samples are seen even once: a larger --budget sees more")
    return most


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[str]:
    flat = []
    for key, value in values.items():
        flat += _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [f"{prefix}{key}={json.dumps(value)}"]
    return flat
