"""`sweep`: many short runs of one configuration with different settings, and the best of them."""

from __future__ import annotations

import csv
import io
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from ocrtune.config.load import dump_yaml, load_config
from ocrtune.config.schema import TrainConfig
from ocrtune.errors import ConfigError, GateError
from ocrtune.files import write_whole
from ocrtune.task import Evaluation
from ocrtune.training.loggers import require_loggers
from ocrtune.training.loop import LAST, Trainer
from ocrtune.workflows.console import Console
from ocrtune.workflows.forgetting import guarded
from ocrtune.workflows.recipes import RECIPES
from ocrtune.workflows.settings.folder import claim
from ocrtune.workflows.settings.prepared import prepared_task
from ocrtune.workflows.settings.space import Choice, Range, Space
from ocrtune.workflows.train import CONFIG

BEST = "best.yaml"
TABLE = "trials.csv"
STORAGE = "sweep.db"
_RANDOM_TRIALS = 5  # before a model of what is good (TPE) chooses; before anything is given up as well
_FIXED = ("task", "data.train", "data.val", "data.holdout", "output_dir")
_REASON, _MONITOR = "reason", "monitor"
State = Literal["complete", "pruned", "failed"]


@dataclass(frozen=True)
class SweepRequest:
    """What the user asked for.

    Attributes:
        config: configuration file.
        space: what is searched and what is fixed.
        trials: how many runs.
        out: folder for everything.
    """

    config: Path
    space: Space
    trials: int
    out: Path

    def settings(self, values: dict[str, str]) -> tuple[str, ...]:
        """Overrides of a trial."""
        return (*self.space.fixed, *(f"{key}={value}" for key, value in values.items()))


@dataclass(frozen=True)
class TrialRow:
    """A trial in the table.

    Attributes:
        number: from 1; its run lies in ``trial_<number>``.
        values: of the searched settings.
        figure: best on the validation data; of one that was given up, as far as it came; None where it failed.
        state: ``complete``, ``pruned`` (given up) or ``failed``.
        minutes: that it took.
        reason: why it failed.
    """

    number: int
    values: dict[str, str]
    figure: float | None
    state: State
    minutes: float
    reason: str = ""


@dataclass(frozen=True)
class SweepResult:
    """What a sweep came to.

    Attributes:
        monitor: name of the figure.
        rows: all trials, the best first.
        best: the configuration of the best, as a file.
        table: all trials, as a file.
    """

    monitor: str
    rows: list[TrialRow]
    best: Path
    table: Path

    def as_dict(self) -> dict[str, Any]:
        return {
            "figure": self.monitor,
            "best_config": str(self.best),
            "table": str(self.table),
            "trials": [
                {
                    "number": row.number,
                    "settings": row.values,
                    self.monitor: row.figure,
                    "state": row.state,
                    "minutes": round(row.minutes, 2),
                    **({"reason": row.reason} if row.reason else {}),
                }
                for row in self.rows
            ],
        }


class _Hopeless(Exception):
    """The trial is worse than most were at this point."""


def sweep(request: SweepRequest, console: Console) -> SweepResult:
    """Train with different settings; whatever is far from good is given up early.

    Every trial sees the same data and the same seed. Where all combinations fit into the trials they are all tried, in
    random order; otherwise TPE chooses (Bergstra et al., "Algorithms for Hyper-Parameter Optimization", 2011). A trial is
    given up when its best figure so far lies below the median of the others at the same evaluation. The choices of trial
    n depend on the seed, on n and on what was found before, so that a sweep that was stopped goes on as if it had not been.

    Raises:
        ConfigError: a value does not fit its setting.
        DataError: the folder holds something else.
        GateError: every trial failed.
        Interrupted: the user stopped it; the same command goes on.
        OcrtuneError: data or weights cannot be used.
    """
    plain = _checked(request)
    seed = plain.trainer.seed
    claim(request.out, [dump_yaml(plain), *request.space.fixed, *map(repr, request.space.searched)])
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name="sweep",
        storage=f"sqlite:///{request.out / STORAGE}",
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_RANDOM_TRIALS - 1),
        load_if_exists=True,
    )
    trials = request.trials
    combinations = _combinations(request.space)
    if combinations is not None and len(combinations) <= trials:
        trials = len(combinations)
        for index in np.random.default_rng(seed).permutation(len(combinations)):
            study.enqueue_trial(combinations[int(index)], skip_if_exists=True)
    while (done := len(_finished(study))) < trials:
        study.sampler = optuna.samplers.TPESampler(seed=seed + done, n_startup_trials=_RANDOM_TRIALS)
        begun = next(iter(study.get_trials(deepcopy=False, states=[TrialState.RUNNING])), None)
        trial = study.ask() if begun is None else Trial(study, begun._trial_id)
        values = _suggested(trial, request.space)
        console.say(f"--- trial {done + 1} of {trials}: {_shown(values)}")
        known = _same(study, trial.params)
        if known is not None:
            console.say(f"the same as trial {known.number + 1}")
            study.tell(trial, known.value)
        else:
            _train(study, trial, set() if begun is None else set(begun.intermediate_values), values, request, console)
    return _result(request, study)


def _train(
    study: optuna.Study,
    trial: Trial,
    reported: set[int],
    values: dict[str, str],
    request: SweepRequest,
    console: Console,
) -> None:
    """Train a trial, or go on with it; ``reported`` are the evaluations that the study knows already."""
    folder = request.out / f"trial_{trial.number + 1:03d}"
    folder.mkdir(exist_ok=True)
    config = load_config(request.config, request.settings(values)).config
    write_whole(folder / CONFIG, dump_yaml(config))
    task = prepared_task(config, request.out, console)
    resume = (folder / LAST).is_file()
    guard = guarded(RECIPES[config.task], task, task.config, folder, resume, console)
    study.set_user_attr(_MONITOR, task.monitor)

    def judge(step: int, result: Evaluation) -> None:
        number = sum(at <= step for at in trainer.plan.eval_steps)
        if number not in reported:
            trial.report(result.monitor, number)
        if trial.should_prune():
            raise _Hopeless

    command = "give the same command again: it goes on"
    trainer = Trainer(
        guard.task if guard else task, task.config, folder, console.say, console.watch, command, each_evaluation=judge
    )
    try:
        state = trainer.run(resume=resume)
    except _Hopeless:
        console.say("given up: worse than the median of the others at this point")
        study.tell(trial, state=TrialState.PRUNED)
    except GateError as error:
        console.say(f"failed: {error.what}")
        trial.set_user_attr(_REASON, error.what)
        study.tell(trial, state=TrialState.FAIL)
    else:
        study.tell(trial, state.best)


def _checked(request: SweepRequest) -> TrainConfig:
    """The configuration without what is searched; every value that could be tried fits.

    Raises:
        ConfigError: one does not, or results could not be compared.
    """
    plain = load_config(request.config, request.space.fixed).config
    require_loggers(plain.trainer.loggers)
    if plain.trainer.processes > 1:
        raise ConfigError(
            "a sweep trains in one process",
            where="trainer.num_processes, trainer.num_gpus",
            expected="1",
            hint="for the batch of several processes, set trainer.accumulate to their number",
        )
    for part in request.space.searched:
        if part.key in _FIXED:
            raise ConfigError(
                "trials with different values of it could not be compared", where=part.key, expected="one value"
            )
        values = part.values if isinstance(part, Choice) else (_typed(part.low, part), _typed(part.high, part))
        for value in values:
            load_config(request.config, request.settings({part.key: value}))
    return plain


def _combinations(space: Space) -> list[dict[str, str]] | None:
    """All that could be tried; None where that is without end."""
    choices = [part for part in space.searched if isinstance(part, Choice)]
    if len(choices) < len(space.searched):
        return None
    keys = [part.key for part in choices]
    return [dict(zip(keys, values, strict=True)) for values in itertools.product(*(part.values for part in choices))]


def _suggested(trial: Trial, space: Space) -> dict[str, str]:
    """The trial's values, as they would be typed."""
    values = {}
    for part in space.searched:
        if isinstance(part, Choice):
            values[part.key] = str(trial.suggest_categorical(part.key, part.values))
        elif part.whole:
            values[part.key] = _typed(trial.suggest_int(part.key, int(part.low), int(part.high), log=part.log), part)
        else:
            values[part.key] = _typed(trial.suggest_float(part.key, part.low, part.high, log=part.log), part)
    return values


def _typed(value: float, part: Range) -> str:
    return str(int(value)) if part.whole else f"{value:.4g}"


def _finished(study: optuna.Study) -> list[FrozenTrial]:
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]


def _same(study: optuna.Study, params: dict[str, Any]) -> FrozenTrial | None:
    """An earlier trial with the same values that came to its end."""
    complete = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    return next((trial for trial in complete if trial.params == params), None)


def _result(request: SweepRequest, study: optuna.Study) -> SweepResult:
    rows = sorted((_row(trial, request.space) for trial in _finished(study)), key=_rank)
    if rows[0].state != "complete":
        raise GateError(
            "no trial came to its end", where=request.out, hint=f"the first one failed because: {rows[0].reason}"
        )
    best = load_config(request.config, request.settings(rows[0].values)).config
    result = SweepResult(study.user_attrs[_MONITOR], rows, request.out / BEST, request.out / TABLE)
    write_whole(result.best, dump_yaml(best))
    keys = [part.key for part in request.space.searched]
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(["trial", *keys, result.monitor, "state", "minutes", "reason"])
    for row in rows:
        figure = "" if row.figure is None else f"{row.figure:.6f}"
        writer.writerow(
            [row.number, *(row.values[key] for key in keys), figure, row.state, f"{row.minutes:.2f}", row.reason]
        )
    write_whole(result.table, buffer.getvalue())
    return result


def _row(trial: FrozenTrial, space: Space) -> TrialRow:
    states: dict[TrialState, State] = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned"}
    reached = (
        trial.value if trial.state == TrialState.COMPLETE else max(trial.intermediate_values.values(), default=None)
    )
    values = {
        part.key: _typed(trial.params[part.key], part) if isinstance(part, Range) else str(trial.params[part.key])
        for part in space.searched
    }
    seconds = trial.duration.total_seconds() if trial.duration else 0.0
    state = states.get(trial.state, "failed")
    return TrialRow(trial.number + 1, values, reached, state, seconds / 60, trial.user_attrs.get(_REASON, ""))


def _rank(row: TrialRow) -> tuple[int, float]:
    """Complete trials first, the better ones before the others."""
    return ("complete", "pruned", "failed").index(row.state), -(row.figure or 0.0)


def _shown(values: dict[str, str]) -> str:
    return " ".join(f"{key}={value}" for key, value in values.items())
