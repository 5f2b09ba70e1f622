"""One training run from a configuration to a run folder with a bundle and a report."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ocrtune.bundle import Bundle
from ocrtune.config.load import Loaded, dump_yaml, load_config
from ocrtune.config.schema import TrainConfig
from ocrtune.data.check import CheckReport
from ocrtune.data.content import fingerprint
from ocrtune.data.formats import read_dataset
from ocrtune.data.split import split_pages
from ocrtune.detection.errors import KINDS, error_kinds
from ocrtune.detection.evaluate import DetectionResult, evaluate_detector
from ocrtune.detection.metric import DetectionScore
from ocrtune.detection.task import DetectionTask
from ocrtune.errors import BundleError, DataError
from ocrtune.export.bundle import write_detection_bundle
from ocrtune.page import Page
from ocrtune.report.figures import match_picture, precision_recall, training_curves
from ocrtune.report.html import Picture, Report, Table, write_report
from ocrtune.runtime.decode import DetectionThresholds
from ocrtune.runtime.load import load_detector
from ocrtune.training.loop import BEST, LAST, Progress, Trainer
from ocrtune.training.runlog import read_metrics

GATE_PAGES = 4
WORST_PAGES = 8
CONFIG = "config.yaml"
BASELINE = "baseline.json"


@dataclass(frozen=True)
class Console:
    """How a workflow talks to whoever started it.

    Attributes:
        say: takes one line of text.
        watch: takes the progress of a training after each step.
        bar: given a description and a number of pieces, returns what to call after each piece.
    """

    say: Callable[[str], None] = lambda line: None
    watch: Callable[[Progress], None] = lambda progress: None
    bar: Callable[[str, int], Callable[[], None]] = lambda description, total: lambda: None


@dataclass(frozen=True)
class TrainResult:
    """What a run came to.

    Attributes:
        folder: the run folder.
        bundle: its best bundle.
        val: figures of that bundle on the validation pages, measured on the exported file.
        base_hmean: the start network's hmean on the same pages, thresholds fitted; None for fresh weights.
        task: the task, for further work on the pages.
        notes: what was found out, one sentence each.
    """

    folder: Path
    bundle: Bundle
    val: DetectionResult
    base_hmean: float | None
    task: DetectionTask = field(repr=False)
    notes: list[str] = field(default_factory=list)


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
        DataError: a data set is missing, faulty, or nothing in it can be learnt.
    """
    sources = [config.data.train] if isinstance(config.data.train, str) else config.data.train
    train = [page for source in sources for page in read_dataset(source)]
    if config.data.val is not None:
        val = read_dataset(config.data.val)
    else:
        train, val = split_pages(train, [1 - config.data.holdout, config.data.holdout])
    if not any(not region.ignore for page in train for region in page.regions):
        raise DataError(
            "every text of the training data is marked as ignored, or none is labelled: there is nothing to learn",
            where=", ".join(sources),
            hint="ocrtune data check " + sources[0],
        )
    if not any(not region.ignore for page in val for region in page.regions):
        raise DataError(
            "no text of the validation data counts: the best state could not be chosen",
            where=config.data.val or "the part held out of the training data",
            hint="label more pages, or name others as data.val",
        )
    return train, val


def train_detector(
    config: TrainConfig,
    folder: Path,
    *,
    resume: bool = False,
    console: Console | None = None,
    resume_command: str | None = None,
) -> TrainResult:
    """Train, choose the best state, export it through the gate, and write the run's report.

    Args:
        config: the configuration.
        folder: an existing run folder.
        resume: go on from the folder's last checkpoint; starts afresh where the run died before the first one.
        console: where to report to.
        resume_command: told to the user when the run is interrupted.

    Raises:
        Interrupted: the run was stopped; its state is saved.
        OcrtuneError: data, weights or configuration cannot be used, or the export differs from the network.
    """
    console = console or Console()
    train, val = run_pages(config)
    task = DetectionTask(config, train, val, console.say)
    resolved = task.resolved.config
    (folder / CONFIG).write_text(dump_yaml(resolved), encoding="utf-8")
    base = _baseline(task, folder, console)
    trainer = Trainer(task, resolved, folder, console.say, console.watch, resume_command)
    state = trainer.run(resume=resume and (folder / LAST).is_file())
    model = task.network()
    best = torch.load(folder / BEST, map_location="cpu", weights_only=True)
    model.load_state_dict(best)
    thresholds = DetectionThresholds.model_validate(state.best_details["thresholds"])
    start = task.start
    bundle = write_detection_bundle(
        folder / "bundle",
        model,
        arch=start.arch,
        form=start.form,
        preprocess=task.preprocess,
        thresholds=thresholds,
        gate_pages=val[:GATE_PAGES],
        provenance={
            "base": start.provenance,
            "run": folder.name,
            "data": {
                name: {"pages": len(pages), "fingerprint": fingerprint(pages)}
                for name, pages in (("train", train), ("val", val))
            },
            "config": resolved.model_dump(mode="json"),
        },
    )
    console.say("exported; the ONNX file passed the parity gate")
    result = evaluate_detector(load_detector(bundle), val, console.bar("evaluating the exported file", len(val)))
    bundle = with_metrics(bundle, {"val": {**result.score.as_dict(), "data": config.data.val or "held out of train"}})
    notes = _notes(task, base, result.score, state.stopped_early)
    outcome = TrainResult(folder, bundle, result, base, task, notes)
    write_train_report(outcome, resolved, val)
    return outcome


def with_metrics(bundle: Bundle, metrics: dict[str, Any]) -> Bundle:
    """The bundle with further figures in its manifest."""
    return bundle.rewritten(bundle.path, metrics={**bundle.manifest.metrics, **metrics})


def _baseline(task: DetectionTask, folder: Path, console: Console) -> float | None:
    """The start network's hmean, measured once a run."""
    if task.base_fit is None:
        return None
    path = folder / BASELINE
    if path.is_file():
        return float(json.loads(path.read_text(encoding="utf-8"))["hmean"])
    hmean = task.fit_thresholds(task.start.model).hmean
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({"hmean": hmean}), encoding="utf-8")
    os.replace(partial, path)
    console.say(f"base on the validation pages, thresholds fitted: hmean {hmean:.4f}")
    return hmean


def _notes(task: DetectionTask, base: float | None, score: DetectionScore, stopped_early: bool) -> list[str]:
    notes = []
    if task.base_fit is not None:
        fit = task.base_fit
        notes.append(
            f"The base's maps agree best with a shrink ratio of {fit.shrink_ratio} "
            f"(dice {fit.dice_by_ratio[fit.shrink_ratio]:.3f}); training used {task.resolved.config.targets.shrink_ratio}."
        )
        total = task.resolved.config.targets.total_epoch
        if total is not None:
            notes.append(
                f"targets.total_epoch = {total} lets the shrink ratio grow during the run, away from the base's: "
                "the usual reason why a fine-tune ends below its start. Leave it out."
            )
        notes.append(f"The base's logits were divided by {fit.temperature:g}, so that wrong pixels have a gradient.")
    if base is not None and score.hmean < base:
        notes.append(
            f"The result is below the base ({score.hmean:.4f} < {base:.4f}). Look at the labels of the worst pages first, "
            "then try a third of the learning rate, or more pages."
        )
    if stopped_early:
        notes.append("The run stopped early: the validation figure had stopped improving.")
    return notes


def score_row(name: str, score: DetectionScore) -> list[str]:
    """A line of the before/after table."""
    low, high = score.hmean_ci95
    return [
        name,
        f"{score.precision:.4f}",
        f"{score.recall:.4f}",
        f"{score.hmean:.4f}",
        f"{low:.4f} .. {high:.4f}",
        f"{score.map50:.4f}",
    ]


SCORE_COLUMNS = ("", "precision", "recall", "hmean", "95 % interval", "mAP@0.5")


def error_table(named: Sequence[tuple[str, Sequence[Page], DetectionResult]]) -> Table:
    """Mistakes by kind for each model."""
    counts = [error_kinds(zip(pages, r.predictions, r.matches, strict=True)) for _, pages, r in named]
    rows = [[f"{kind}: {text}", *(count[kind] for count in counts)] for kind, text in KINDS.items()]
    return Table("Mistakes by kind", ("", *(name for name, _, _ in named)), rows)


def worst_pages(pages: Sequence[Page], result: DetectionResult) -> list[Picture]:
    """The pages with the most errors, drawn."""
    errors = [m.labels + m.predictions - 2 * m.matched for m in result.matches]
    order = sorted(range(len(pages)), key=lambda i: -errors[i])[:WORST_PAGES]
    return [
        Picture(
            f"{pages[i].name}: {result.matches[i].labels - result.matches[i].matched} missed, "
            f"{result.matches[i].predictions - result.matches[i].matched} wrong",
            match_picture(pages[i], result.predictions[i], result.matches[i]),
        )
        for i in order
        if errors[i]
    ]


def write_train_report(
    outcome: TrainResult, config: TrainConfig, val: Sequence[Page], checks: Sequence[CheckReport] = ()
) -> None:
    """``report.html`` of a plain training run."""
    score, base = outcome.val.score, outcome.base_hmean
    verdict = f"hmean {score.hmean:.4f} on {score.pages} validation pages"
    if base is not None:
        verdict += f"; the base has {base:.4f} on the same pages (both with thresholds fitted to them)"
    report = Report(
        title=f"Training run {outcome.folder.name}",
        verdict=verdict + ". These pages chose the best state: judge the model on others.",
        good=base is None or score.hmean >= base,
        tables=[
            Table("Validation pages", SCORE_COLUMNS, [score_row("fine-tuned, exported", score)]),
            error_table([("fine-tuned", val, outcome.val)]),
        ],
        notes=outcome.notes,
        figures=[
            Picture("Training", training_curves(read_metrics(outcome.folder / "metrics.csv"), base)),
            Picture("Validation pages", precision_recall({"fine-tuned": outcome.val.matches})),
        ],
        data=list(checks),
        pages=worst_pages(val, outcome.val),
        config=dump_yaml(config),
        next_command=f"ocrtune eval {outcome.folder} PATH/TO/OTHER/PAGES",
    )
    write_report(report, outcome.folder / "report.html")
