"""`--learning-curve`: models from nested parts of the labels, on the same other pages, and what more labels would give."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ocrtune.config.load import dump_yaml
from ocrtune.config.schema import TrainConfig
from ocrtune.data.formats import write_dataset
from ocrtune.data.lines import on_disk
from ocrtune.files import write_whole
from ocrtune.page import Page
from ocrtune.report.settings import learning_curve_figure
from ocrtune.training.learning_curve import LearningCurve, Tallies, learning_curve, nested_parts
from ocrtune.training.loop import LAST
from ocrtune.training.outline import make_plan
from ocrtune.workflows.console import Console
from ocrtune.workflows.settings.folder import claim
from ocrtune.workflows.settings.prepared import prepared_task
from ocrtune.workflows.train import run_pages, train

_TALLIES = "tallies.json"


@dataclass(frozen=True)
class CurveResult:
    """A learning curve and what was written about it.

    Attributes:
        curve: what was found.
        folder: holds a run for each part.
        figure, json: the files.
    """

    curve: LearningCurve
    folder: Path
    figure: Path
    json: Path

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """A row for each part and each forecast: pages, figure, 95 % interval."""
        measured = zip(self.curve.pages, self.curve.figures, self.curve.ci95, strict=True)
        ahead = [(f.pages, f.figure, f.ci95) for f in self.curve.forecasts]
        return [
            (kind, str(pages), f"{value:.4f}", f"{low:.4f} .. {high:.4f}")
            for kind, rows in (("measured", measured), ("forecast", ahead))
            for pages, value, (low, high) in rows
        ]

    def as_dict(self) -> dict[str, Any]:
        return {"folder": str(self.folder), "figure_file": str(self.figure), **self.curve.as_dict()}


def curve_of_config(config: TrainConfig, shares: Sequence[float], out: Path, console: Console) -> CurveResult:
    """The learning curve of a training configuration.

    Args:
        config: of the runs; their data are its own, their steps those that it means for all labels.
        shares: of the training pages, growing, up to 1.
        out: folder for everything; the same job goes on in it.
        console: where to report to.

    Raises:
        DataError: the folder holds something else, or the data cannot be used.
        Interrupted: the user stopped it; the same command goes on.
        UsageError: the pages are too few for the shares.
    """
    claim(out, [dump_yaml(config), *map(str, shares)])
    train_pages, val = run_pages(config)
    if config.schedule.steps is None:
        samples = len(prepared_task(config, out, console).samples)
        steps = make_plan(config, samples, world_size=1).total_steps
        config = config.model_copy(update={"schedule": config.schedule.model_copy(update={"steps": steps})})
    return curve_of_pages(config, train_pages, val, shares, out, console)


def curve_of_pages(
    config: TrainConfig,
    train_pages: Sequence[Page],
    val: Sequence[Page],
    shares: Sequence[float],
    out: Path,
    console: Console,
) -> CurveResult:
    """Train on nested parts, every one for the same number of steps, and measure each on the same pages.

    Equal steps keep apart what labels do and what time does. The measured pages also choose each run's best state, so
    that all figures are a little high, and alike.

    Args:
        config: of the runs, with ``schedule.steps``; its data sets do not matter.
        train_pages: all labels to learn from.
        val: pages that every model is measured on.
        shares, out, console: see `curve_of_config`.
    """
    parts = nested_parts(on_disk(train_pages, out / "data" / "images" / "train"), shares)
    write_dataset(on_disk(val, out / "data" / "images" / "val"), "json", out / "data" / "val.json", replace=True)
    tallies, monitor = [], ""
    for share, pages in zip(shares, parts, strict=True):
        name = f"share_{share * 100:g}"
        labels = out / "data" / f"{name}.json"
        write_dataset(pages, "json", labels, replace=True)
        data = config.data.model_copy(update={"train": f"json:{labels}", "val": f"json:{out / 'data' / 'val.json'}"})
        console.say(f"--- {share:.0%} of the labels: {len(pages)} pages")
        monitor, tally = _run(config.model_copy(update={"data": data}), out / name, console)
        tallies.append(tally)
    curve = learning_curve(monitor, [len(pages) for pages in parts], tallies, config.trainer.seed)
    result = CurveResult(curve, out, out / "learning_curve.png", out / "learning_curve.json")
    write_whole(result.figure, learning_curve_figure(curve))
    write_whole(result.json, json.dumps(result.as_dict(), indent=1))
    return result


def _run(config: TrainConfig, folder: Path, console: Console) -> tuple[str, Tallies]:
    """One part's training, or what it came to before; name of the figure, and how each page went."""
    known = folder / _TALLIES
    if not known.is_file():
        folder.mkdir(exist_ok=True)
        resume = (folder / LAST).is_file()
        result = train(config, folder, resume=resume, console=console, resume_command="give the same command again")
        write_whole(known, json.dumps({"figure": result.monitor, "pages": result.val.tallies().tolist()}))
    content = json.loads(known.read_text(encoding="utf-8"))
    return content["figure"], np.array(content["pages"], np.float64)
