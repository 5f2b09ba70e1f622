"""What an adapted model keeps of its anchor: bundles as they are used, on pages that chose nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ocrtune.bundle import Bundle, TaskName
from ocrtune.data.formats import read_dataset
from ocrtune.data.lines import has_counted
from ocrtune.detection.evaluate import evaluate_detector
from ocrtune.errors import DataError
from ocrtune.orientation.evaluate import evaluate_orientation
from ocrtune.page import Page
from ocrtune.recognition.evaluate import evaluate_recognizer
from ocrtune.recognition.metric import score_lines, suitable_policy
from ocrtune.runtime.load import load_detector, load_orientation, load_recognizer
from ocrtune.weights.registry import resolve_part
from ocrtune.workflows.adapt.job import AdaptRequest
from ocrtune.workflows.adapt.stage import Stage
from ocrtune.workflows.anchor import BASE, SYNTH, prepared_anchor
from ocrtune.workflows.console import Console
from ocrtune.workflows.recipes import RECIPES
from ocrtune.workflows.train import with_metrics


def check_anchor(request: AdaptRequest) -> None:
    """Say before the work that an anchor's labels are of no use for the task.

    Raises:
        DataError: they are not, or cannot be read.
    """
    if request.anchor is None or request.anchor == SYNTH or request.anchor.startswith(BASE):
        return
    if not has_counted(read_dataset(request.anchor), request.task):
        raise DataError(
            f"nothing on the anchor's pages is labelled that {request.task} can be measured on",
            where=request.anchor,
            hint="label texts, or adapt the detector alone with --task detection",
        )


def with_anchor(stage: Stage, folder: Path, console: Console) -> Stage:
    """The stage with what its bundle keeps of the anchor, in bundle and report; as it is where there is no anchor.

    The base is measured as published and with the settings that were fitted to the data; the better of the two counts.

    Args:
        stage: of an adapt job.
        folder: of the stage.
        console: where to report to.
    """
    chosen = stage.outcome.retention
    if chosen is None:
        return stage
    pages = prepared_anchor(stage.config, RECIPES[stage.task], folder / "run", console).report
    models = {
        "base as published": resolve_part(stage.base, stage.task),
        "base, fitted settings": stage.fitted_base,
        "fine-tuned": stage.bundle,
    }
    each = console.bar("the anchor", len(pages) * len(models))
    figures = dict(zip(models, _figures(stage.task, list(models.values()), pages, each), strict=True))
    kept = replace(
        chosen,
        figures=figures,
        target=(stage.comparison.before, stage.comparison.after),
        target_data=f"{stage.comparison.data} that nothing was fitted to",
    )
    notes = [note for note in stage.outcome.notes if note != chosen.sentence()]
    settings = figures["base as published"] - figures["base, fitted settings"]
    if settings > kept.tolerance:
        notes.append(
            f"The settings fitted to the data cost {100 * settings:.1f} points on the anchor, whatever the weights."
        )
    return replace(
        stage,
        bundle=with_metrics(stage.bundle, {"forgetting": kept.as_dict()}),
        figures_json={**stage.figures_json, "forgetting": kept.as_dict()},
        outcome=replace(stage.outcome, retention=kept, notes=[*notes, kept.sentence()]),
        tables=[*stage.tables, *kept.tables[1:]],
    )


def _figures(task: TaskName, bundles: Sequence[Bundle], pages: Sequence[Page], each: Callable[[], None]) -> list[float]:
    """The monitored figure of each bundle; lines are compared as their labels allow."""
    if task == "detection":
        return [evaluate_detector(load_detector(bundle), pages, each).figure for bundle in bundles]
    if task == "orientation":
        return [evaluate_orientation(load_orientation(bundle), pages, each).figure for bundle in bundles]
    read = [evaluate_recognizer(load_recognizer(bundle), pages, each) for bundle in bundles]
    policy = suitable_policy(read[0])
    return [score_lines(lines, policy).accuracy for lines in read]
