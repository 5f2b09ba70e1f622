"""One training run from a configuration to a run folder with a bundle and a report; what is trained is the recipe's."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ocrtune.bundle import Bundle
from ocrtune.config.load import Loaded, dump_yaml, load_config
from ocrtune.config.schema import TrainConfig, TrainerConfig
from ocrtune.data.content import fingerprint
from ocrtune.data.formats import read_dataset
from ocrtune.data.lines import has_counted, spread_sample
from ocrtune.data.split import split_pages
from ocrtune.errors import BundleError, DataError, GateError, ProcessLost
from ocrtune.files import write_whole
from ocrtune.page import Page
from ocrtune.report.figures import training_curves
from ocrtune.report.html import Picture, Report, Table, write_report
from ocrtune.task import Evaluation, Task
from ocrtune.training.diagnose import Diagnosis, Diagnostics
from ocrtune.training.diagnose.during import during
from ocrtune.training.diagnose.sanity import overfit_one_batch
from ocrtune.training.freeze import COLUMNS
from ocrtune.training.loggers import require_loggers
from ocrtune.training.loop import BEST, LAST, Progress, State, Trainer
from ocrtune.training.outline import Outline, make_outline
from ocrtune.training.processes import join, process_count
from ocrtune.training.runlog import read_metrics
from ocrtune.workflows.console import Console
from ocrtune.workflows.diagnosing import after_training, before_training, run_course, run_setting
from ocrtune.workflows.forgetting import Retention, export_retained, guarded
from ocrtune.workflows.launch import launched
from ocrtune.workflows.recipes import RECIPES
from ocrtune.workflows.recipes.base import Recipe, Result, StartFigures

CONFIG = "config.yaml"
BASELINE = "baseline.json"


@dataclass(frozen=True)
class TrainResult:
    """What a run came to.

    Attributes:
        folder: the run folder.
        bundle: its best bundle.
        val: figures of that bundle on the validation data, measured on the exported file.
        base: the start network's monitored figure on the same data; None for fresh weights.
        monitor: name of that figure.
        row: the table's line of ``val``, and its heads.
        retention: what is left of what the base could do; None without an anchor.
        notes: what to know about how it was trained, one sentence each.
        diagnosis: what was found wrong before, during and after the training, the gravest first.
        what_trained: which parts of the network, from when on, how fast.
    """

    folder: Path
    bundle: Bundle
    val: Result
    base: float | None
    monitor: str
    columns: list[str] = field(default_factory=list)
    row: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    retention: Retention | None = None
    diagnosis: list[Diagnosis] = field(default_factory=list)
    what_trained: Table | None = None


def new_run_folder(output_dir: str) -> Path:
    """``OUTPUT_DIR/exp_<timestamp>``, with a number behind it where that exists already."""
    stamp = time.strftime("exp_%Y%m%d_%H%M%S")
    for attempt in range(1, 1000):
        folder = Path(output_dir) / (stamp if attempt == 1 else f"{stamp}_{attempt}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise DataError(f"the run folder cannot be made: {error.strerror}", where=folder) from error
        return folder
    raise DataError("no free name for a run folder", where=output_dir)


def read_run_config(folder: Path) -> Loaded:
    """The configuration that a run was started with.

    Raises:
        BundleError: the folder holds no run.
    """
    if not (folder / CONFIG).is_file():
        raise BundleError(f"the folder holds no run: there is no {CONFIG}", where=folder, expected="a run folder")
    return load_config(folder / CONFIG)


def run_pages(config: TrainConfig) -> tuple[list[Page], list[Page]]:
    """Training and validation pages of a configuration.

    Raises:
        DataError: a data set is missing or faulty, or nothing in it can be learnt.
    """
    sources = [config.data.train] if isinstance(config.data.train, str) else config.data.train
    train = [page for source in sources for page in read_dataset(source)]
    if config.data.val is not None:
        val = read_dataset(config.data.val)
    else:
        train, val = split_pages(train, [1 - config.data.holdout, config.data.holdout])
    if not has_counted(train, config.task):
        raise _nothing_to_learn(train, config)
    if not has_counted(val, config.task):
        raise DataError(
            "no text of the validation data counts: the best state could not be chosen",
            where=config.data.val or "the part held out of the training data",
            hint="label more pages, or name others as data.val",
        )
    return train, val


def _nothing_to_learn(pages: Sequence[Page], config: TrainConfig) -> DataError:
    texts = sum(len(page.regions) for page in pages)
    ignored = sum(region.ignore for page in pages for region in page.regions)
    return DataError(
        f"there is nothing to learn: of {texts} labelled texts on {len(pages)} pages, {ignored} are marked as ignored (### "
        f"or *)" + ("" if ignored == texts else f", and the others do not say what {config.task} needs"),
        where=config.train_data,
        expected="some texts that count",
        hint=f"write what the texts say instead of ###; 'ocrtune data check {config.train_data}' shows where",
        code="nothing-to-learn",
        evidence={"texts": texts, "ignored": ignored, "pages": len(pages)},
    )


def train(
    config: TrainConfig,
    folder: Path,
    *,
    resume: bool = False,
    console: Console | None = None,
    resume_command: str | None = None,
    launcher: Launcher | None = None,
    deadline: float | None = None,
    sanity: bool = False,
) -> TrainResult:
    """Train, choose the best state, export it through the gate, and write the run's report.

    Args:
        config: the configuration.
        folder: an existing run folder.
        resume: go on from the folder's last checkpoint; starts afresh where the run died before the first one.
        console: where to report to.
        resume_command: told to the user when the run is interrupted.
        launcher: runs the processes of the training; None: on this machine, as many as the configuration says.
        deadline: when training should be done, on the monotonic clock; None: whenever it is.
        sanity: see first whether the network can learn a single batch, and refuse to train if not.

    Raises:
        Interrupted: the run was stopped; its state is saved.
        OcrtuneError: data, weights or configuration cannot be used, or the export differs from the network.
    """
    console = console or Console()
    launcher = launcher or _local_launcher(config.trainer)
    require_loggers(config.trainer.loggers)
    diagnostics = Diagnostics(folder, config.task, console.say)
    with diagnostics.of_errors():
        return _train(config, folder, resume, console, resume_command, launcher, deadline, sanity, diagnostics)


def _train(
    config: TrainConfig,
    folder: Path,
    resume: bool,
    console: Console,
    resume_command: str | None,
    launcher: Launcher | None,
    deadline: float | None,
    sanity: bool,
    diagnostics: Diagnostics,
) -> TrainResult:
    recipe: Recipe[Any, Any] = RECIPES[config.task]
    train_pages, val_pages = run_pages(config)
    prepared = recipe.pages(train_pages, "train", folder, console.bar)
    val = recipe.pages(val_pages, "val", folder, console.bar)
    task = recipe.task(config, prepared, val, console.say)
    resolved = task.config
    write_whole(folder / CONFIG, dump_yaml(resolved))
    start = measured_start(recipe, task, folder, console)
    job = Job(resolved, folder, resume and (folder / LAST).is_file(), resume_command, deadline)
    guard = guarded(recipe, task, resolved, folder, job.resume, console)
    trained: Task = guard.task if guard else task
    outline = _outline(trained, resolved, task.start.folded, launcher)
    setting = run_setting(task, outline, start)
    diagnostics.add(before_training(recipe, task, outline, train_pages, prepared, start))
    if sanity and not job.resume:
        learnt = overfit_one_batch(task, resolved, outline.lr, console.say)
        diagnostics.add([learnt])
        if learnt.severity == "error":
            raise GateError(learnt.message, where=folder, hint=learnt.remedies[0].do, code=learnt.code)

    def look() -> None:
        diagnostics.renew(during(run_course(folder, task.monitor), setting))

    def watch(progress: Progress) -> None:
        console.watch(progress)
        if progress.evaluated:
            look()

    diagnostics.phase = "during"
    try:
        state = _trained(job, trained, replace(console, watch=watch), launcher)
    except GateError:
        look()
        raise
    diagnostics.phase = "after"
    model = task.network()
    model.load_state_dict(torch.load(folder / BEST, map_location="cpu", weights_only=True))
    provenance = {
        "base": task.start.provenance,
        "run": folder.name,
        "data": {
            name: {"pages": len(pages), "fingerprint": fingerprint(pages)}
            for name, pages in (("train", train_pages), ("val", val_pages))
        },
        "config": resolved.model_dump(mode="json"),
    }

    def export(network: nn.Module, details: Mapping[str, Any], name: str) -> Bundle:
        return recipe.export(task, network, details, folder / name, val, provenance)

    kept: Retention | None = None
    if guard is None or guard.watched is None:
        bundle = export(model, state.best_details, "bundle")
    else:
        bundle, kept = export_retained(guard.watched, recipe.unit, task, model, state, resolved, export, console)
    console.say("exported; the ONNX file passed the parity gate")
    result = recipe.evaluate(bundle, val, task, console.bar("evaluating the exported file", len(val)))
    bundle = with_metrics(bundle, {"val": {**result.as_dict(), "data": config.data.val or "held out of train"}})
    mixed = kept is not None and kept.choice.chosen.alpha < 1
    trained_on = spread_sample(prepared, recipe.trained_sample)
    on_trained = recipe.evaluate(bundle, trained_on, task, console.bar("the same on training data", len(trained_on)))
    diagnostics.add(after_training(recipe, task, folder, setting, result, val, on_trained.figure, mixed))
    notes = [*recipe.notes(task), *_notes(state, resolved.early_stopping.patience), *fault_notes(state)]
    if kept is not None:
        notes.append(kept.sentence())
    outcome = TrainResult(
        folder,
        bundle,
        result,
        start.figure,
        task.monitor,
        list(recipe.columns),
        recipe.row("fine-tuned, exported", result),
        notes,
        kept,
        diagnostics.found,
        Table("What trained", COLUMNS, outline.what_trains),
    )
    _write_report(recipe, outcome, resolved, val)
    return outcome


@dataclass(frozen=True)
class Job:
    """A training whose run folder is prepared: what each of its processes has to know.

    Attributes:
        config: with every ``auto`` that concerns the task resolved.
        folder: the run folder; every process sees it, and the data, at the same path.
        resume: go on from its last checkpoint.
        resume_command: told to the user when the run is interrupted.
        deadline: when training should be done, on the monotonic clock of this machine; None: whenever it is.
    """

    config: TrainConfig
    folder: Path
    resume: bool
    resume_command: str | None
    deadline: float | None = None


Launcher = Callable[[Job, Console], State]
"""Runs the processes of a job; returns how the first one ended."""


def _local_launcher(config: TrainerConfig) -> Launcher | None:
    """Starts processes on this machine; None where this one trains: alone, or as one of torchrun's.

    Raises:
        MissingExtraError: there are fewer GPUs than the configuration asks for.
    """
    if join().world_size > 1:
        return None
    count = process_count(config)
    return None if count == 1 else lambda job, console: launched(partial(take_part, job), count, console)


def _outline(task: Task, config: TrainConfig, folded: bool, launcher: Launcher | None) -> Outline:
    """What the processes of the training will find when they begin."""
    processes = join().world_size if launcher is None else config.trainer.processes
    return make_outline(task, config, task.network(), folded, processes)


def _trained(job: Job, task: Task, console: Console, launcher: Launcher | None) -> State:
    """Run the loop, in processes of its own or here: alone, or as the first of the processes that torchrun started.

    Raises:
        ProcessLost: one of them has died.
    """
    try:
        if launcher is not None:
            return launcher(job, console)
        join().on_first(lambda: job)
        return take_part(job, console, task)
    except ProcessLost as error:
        raise ProcessLost(
            error.what,
            where=job.folder,
            hint=f"a machine that runs out of memory kills processes; from the last checkpoint: {job.resume_command}",
        ) from error


def follow() -> None:
    """Take part in a run as one of torchrun's other processes: wait until the first one has prepared it, then train.

    Raises:
        OcrtuneError: the run failed, here or elsewhere; the first process tells it too, but for `ProcessLost`.
    """
    take_part(join().on_first(lambda: None), Console())  # type: ignore[arg-type]


def take_part(job: Job, console: Console, task: Task | None = None) -> State:
    """What each process of a job does.

    Args:
        job: the same for all.
        console: where the first one reports to.
        task: what is trained, where this process has it already.

    Raises:
        OcrtuneError: the job failed in one of its processes; the same error in all.
    """

    def prepared() -> Task:
        recipe: Recipe[Any, Any] = RECIPES[job.config.task]
        train, val = (
            recipe.pages(pages, name, job.folder, Console().bar)
            for pages, name in zip(run_pages(job.config), ("train", "val"), strict=True)
        )
        task = recipe.task(job.config, train, val, Console().say)
        # the first process has measured the start already, and kept it
        guard = guarded(recipe, task, job.config, job.folder, True, Console())
        return guard.task if guard else task

    known = task
    ready = join().together(prepared if known is None else lambda: known)
    return Trainer(ready, job.config, job.folder, console.say, console.watch, job.resume_command, job.deadline).run(
        job.resume
    )


def with_metrics(bundle: Bundle, metrics: dict[str, Any]) -> Bundle:
    """The bundle with further figures in its manifest."""
    return bundle.rewritten(bundle.path, metrics={**bundle.manifest.metrics, **metrics})


def measured_start(recipe: Recipe[Any, Any], task: Any, folder: Path, console: Console) -> StartFigures:
    """The start network's figures, measured once a run and kept in its folder."""
    path = folder / BASELINE
    if path.is_file():
        known = json.loads(path.read_text(encoding="utf-8"))
        return StartFigures(known[task.monitor], known["seconds"], known.get("figures", {}), known.get("signs", {}))
    started = time.monotonic()
    found: Evaluation | None = recipe.start(task)
    seconds = round(time.monotonic() - started, 3)
    start = (
        StartFigures(None, seconds)
        if found is None
        else StartFigures(found.monitor, seconds, found.figures, found.signs)
    )
    shown = {"seconds": seconds, "figures": dict(start.figures), "signs": dict(start.signs)}
    write_whole(path, json.dumps({task.monitor: start.figure, **shown}))
    if start.figure is not None:
        console.say(f"base on the validation {recipe.unit}: {task.monitor} {start.figure:.4f}")
    return start


def _notes(state: State, patience: int | None) -> list[str]:
    if not state.stopped_early:
        return []
    tired = patience is not None and state.evals_since_best >= patience
    reason = "the validation figure had stopped improving" if tired else "it lost more of the anchor than is allowed"
    return [f"The run stopped early: {reason}."]


def fault_notes(state: State) -> list[str]:
    """What went wrong in a training and was lived with, one sentence each."""
    notes = []
    if state.cut is not None:
        notes.append(
            f"Steps took longer than planned: training ended after {state.cut[1]}, its learning rate fell early. A larger "
            "budget, or nothing else running beside it, would give it all its steps."
        )
    if state.damaged:
        shown = ", ".join(state.damaged[:5]) + (" …" if len(state.damaged) > 5 else "")
        notes.append(f"{len(state.damaged)} training images are damaged and were replaced by others: {shown}.")
    if state.skipped:
        went_back = f", after {state.rollbacks} of them the weights went back" if state.rollbacks else ""
        notes.append(f"{state.skipped} steps came to nothing: their numbers were not finite{went_back}; see log.txt.")
    if state.pieces > 1:
        notes.append(
            f"Memory was too small: batches were cut into {state.pieces} pieces; the batch that a step learns "
            "from stayed the same."
        )
    return notes


def _write_report(recipe: Recipe[Any, Any], outcome: TrainResult, config: TrainConfig, val: list[Page]) -> None:
    """``report.html`` of a plain training run."""
    result, base, monitor = outcome.val, outcome.base, outcome.monitor
    metrics, retention = read_metrics(outcome.folder / "metrics.csv"), outcome.retention
    verdict = f"{monitor} {result.figure:.4f} on the validation {recipe.unit}"
    if base is not None:
        verdict += f"; the base has {base:.4f} on the same"
    report = Report(
        title=f"Training run {outcome.folder.name}",
        verdict=verdict + ". These data chose the best state: judge the model on others.",
        good=base is None or result.figure >= base,
        tables=[
            Table(f"Validation {recipe.unit}", recipe.columns, [outcome.row]),
            *(retention.tables if retention else []),
            *recipe.tables([("fine-tuned", result)], val),
            *([outcome.what_trained] if outcome.what_trained else []),
        ],
        notes=outcome.notes,
        diagnosis=outcome.diagnosis,
        figures=[
            Picture("Training", training_curves(metrics, monitor, base)),
            *([retention.picture(metrics)] if retention else []),
            *recipe.figures([("fine-tuned", result)]),
        ],
        pages=recipe.worst(result, val),
        config=dump_yaml(config),
        next_command=f"ocrtune eval {outcome.folder} PATH/TO/OTHER/DATA",
    )
    write_report(report, outcome.folder / "report.html")
