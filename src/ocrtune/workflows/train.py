"""One training run from a configuration to a run folder with a bundle and a report; what is trained is the recipe's."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ocrtune.bundle import Bundle
from ocrtune.config.load import Loaded, dump_yaml, load_config
from ocrtune.config.schema import TrainConfig
from ocrtune.data.content import fingerprint
from ocrtune.data.formats import read_dataset
from ocrtune.data.lines import has_counted, spread_sample
from ocrtune.data.split import split_pages
from ocrtune.errors import BundleError, DataError, GateError
from ocrtune.files import write_whole
from ocrtune.page import Page
from ocrtune.report.figures import training_curves
from ocrtune.report.html import Picture, Report, Table, write_report
from ocrtune.task import Evaluation
from ocrtune.training.diagnose import Diagnosis, Diagnostics
from ocrtune.training.diagnose.during import during
from ocrtune.training.diagnose.sanity import overfit_one_batch
from ocrtune.training.freeze import COLUMNS
from ocrtune.training.loop import BEST, LAST, Trainer
from ocrtune.training.runlog import METRICS, read_metrics
from ocrtune.workflows.console import Console
from ocrtune.workflows.diagnosing import after_training, before_training, run_course, run_setting
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
    sanity: bool = False,
) -> TrainResult:
    """Train, choose the best state, export it through the gate, and write the run's report.

    Args:
        config: the configuration.
        folder: an existing run folder.
        resume: go on from the folder's last checkpoint; starts afresh where the run died before the first one.
        console: where to report to.
        resume_command: told to the user when the run is interrupted.
        sanity: see first whether the network can learn a single batch, and refuse to train if not.

    Raises:
        Interrupted: the run was stopped; its state is saved.
        OcrtuneError: data, weights or configuration cannot be used, or the export differs from the network.
    """
    console = console or Console()
    diagnostics = Diagnostics(folder, config.task, console.say)
    with diagnostics.of_errors():
        return _train(config, folder, resume, console, resume_command, sanity, diagnostics)


def _train(
    config: TrainConfig,
    folder: Path,
    resume: bool,
    console: Console,
    resume_command: str | None,
    sanity: bool,
    diagnostics: Diagnostics,
) -> TrainResult:
    recipe: Recipe[Any, Any] = RECIPES[config.task]
    train_pages, val_pages = run_pages(config)
    prepared = recipe.pages(train_pages, "train", folder, console.bar)
    val = recipe.pages(val_pages, "val", folder, console.bar)
    task = recipe.task(config, prepared, val, console.say)
    resolved = task.config
    (folder / CONFIG).write_text(dump_yaml(resolved), encoding="utf-8")

    def observe() -> None:
        diagnostics.renew(during(run_course(folder, task.monitor), setting))

    trainer = Trainer(task, resolved, folder, console.say, console.watch, resume_command, observe)
    start = measured_start(recipe, task, folder, console)
    setting = run_setting(trainer, start)
    diagnostics.add(before_training(recipe, trainer, train_pages, prepared, start))
    resuming = resume and (folder / LAST).is_file()
    if sanity and not resuming:
        learnt = overfit_one_batch(task, resolved, trainer.lr, console.say)
        diagnostics.add([learnt])
        if learnt.severity == "error":
            raise GateError(learnt.message, where=folder, hint=learnt.remedies[0].do, code=learnt.code)
    diagnostics.phase = "during"
    try:
        state = trainer.run(resume=resuming)
    except GateError:
        observe()
        raise
    diagnostics.phase = "after"
    model = task.network()
    model.load_state_dict(torch.load(folder / BEST, map_location="cpu", weights_only=True))
    bundle = recipe.export(
        task,
        model,
        state.best_details,
        folder / "bundle",
        val,
        {
            "base": task.start.provenance,
            "run": folder.name,
            "data": {
                name: {"pages": len(pages), "fingerprint": fingerprint(pages)}
                for name, pages in (("train", train_pages), ("val", val_pages))
            },
            "config": resolved.model_dump(mode="json"),
        },
    )
    console.say("exported; the ONNX file passed the parity gate")
    result = recipe.evaluate(bundle, val, task, console.bar("evaluating the exported file", len(val)))
    bundle = with_metrics(bundle, {"val": {**result.as_dict(), "data": config.data.val or "held out of train"}})
    trained_on = spread_sample(prepared, recipe.trained_sample)
    on_trained = recipe.evaluate(bundle, trained_on, task, console.bar("the same on training data", len(trained_on)))
    diagnostics.add(after_training(recipe, trainer, setting, result, val, on_trained.figure))
    notes = recipe.notes(task)
    if state.stopped_early:
        notes.append("The run stopped early: the validation figure had stopped improving.")
    outcome = TrainResult(
        folder,
        bundle,
        result,
        start.figure,
        task.monitor,
        list(recipe.columns),
        recipe.row("fine-tuned, exported", result),
        notes,
        diagnostics.found,
        Table("What trained", COLUMNS, trainer.what_trains),
    )
    _write_report(recipe, outcome, resolved, val)
    return outcome


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


def _write_report(recipe: Recipe[Any, Any], outcome: TrainResult, config: TrainConfig, val: list[Page]) -> None:
    """``report.html`` of a plain training run."""
    result, base, monitor = outcome.val, outcome.base, outcome.monitor
    verdict = f"{monitor} {result.figure:.4f} on the validation {recipe.unit}"
    if base is not None:
        verdict += f"; the base has {base:.4f} on the same"
    report = Report(
        title=f"Training run {outcome.folder.name}",
        verdict=verdict + ". These data chose the best state: judge the model on others.",
        good=base is None or result.figure >= base,
        tables=[
            Table(f"Validation {recipe.unit}", recipe.columns, [outcome.row]),
            *recipe.tables([("fine-tuned", result)], val),
            *([outcome.what_trained] if outcome.what_trained else []),
        ],
        notes=outcome.notes,
        diagnosis=outcome.diagnosis,
        figures=[
            Picture("Training", training_curves(read_metrics(outcome.folder / METRICS), monitor, base)),
            *recipe.figures([("fine-tuned", result)]),
        ],
        pages=recipe.worst(result, val),
        config=dump_yaml(config),
        next_command=f"ocrtune eval {outcome.folder} PATH/TO/OTHER/DATA",
    )
    write_report(report, outcome.folder / "report.html")
