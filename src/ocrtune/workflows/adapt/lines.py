"""Adapting a recogniser or a direction classifier."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from ocrtune.bundle import Bundle
from ocrtune.calibration.confidence import FITTING_PASSES, calibrate_reading, expected_calibration_error
from ocrtune.data.formats import read_dataset
from ocrtune.data.lines import MAX_FIT_LINES, readable
from ocrtune.orientation.evaluate import evaluate_orientation
from ocrtune.orientation.metric import OrientationResult, fit_threshold
from ocrtune.page import Page
from ocrtune.recognition.evaluate import evaluate_recognizer
from ocrtune.recognition.metric import (
    CASE_NOTICE,
    POLICIES,
    LineResult,
    RecognitionResult,
    TextPolicy,
    score_lines,
    suitable_policy,
)
from ocrtune.report.html import Table
from ocrtune.runtime.load import load_orientation, load_recognizer, recognition_settings
from ocrtune.training.loop import LAST
from ocrtune.weights.registry import resolve_part
from ocrtune.workflows.adapt.job import AdaptRequest, Parts, upright
from ocrtune.workflows.adapt.pseudo import TEACHER_SHARE, with_text_labels
from ocrtune.workflows.adapt.stage import Comparison, Stage, first_training, training_run
from ocrtune.workflows.budget import Clock
from ocrtune.workflows.console import Console
from ocrtune.workflows.recipes import RECIPES
from ocrtune.workflows.recipes.base import Recipe
from ocrtune.workflows.train import with_metrics

RECOGNITION_BASE = "ppocrv6-small-rec"
ORIENTATION_BASE = "ppocr-mobile-ori"
FINDER = "ppocrv4-mobile-det"
"""Finds the lines of unlabelled images where no detector is adapted along."""
SCOUT_SHARE = 0.3
"""Of the time for training, for a first model where labels were found that start at the wrong corner."""
OVERTURN = 0.1
"""Share of lines that are turned over and taught to say nothing where labels were found on their head."""
MIN_SCOUT = 90.0
"""Seconds; a shorter first training could not read more than the base."""
_RESERVE = 15.0  # seconds for export, gate and report


def adapt_recognition(
    request: AdaptRequest, base_name: str, parts: Parts, folder: Path, clock: Clock, resumed: bool, console: Console
) -> Stage:
    """Measure the base, fine-tune, fit the confidence, measure; see `adapt_detection` for the arguments."""
    recipe = RECIPES["recognition"]
    base = resolve_part(base_name, "recognition")
    report = recipe.pages(parts.report, "report", folder / "run", console.bar)
    recognizer = load_recognizer(base)
    started = time.monotonic()
    shipped = evaluate_recognizer(recognizer, report, console.bar("the base as published", len(report)))
    seconds_a_line = (time.monotonic() - started) / len(report)
    fitted_lines = min(MAX_FIT_LINES, sum(readable(region) for page in parts.holdout for region in page.regions))
    # the base and the result are each fitted on the held-out lines and read the report's once more
    reserve = _RESERVE + 2 * seconds_a_line * (len(report) + FITTING_PASSES * fitted_lines)
    policy = _policy(request, shipped, console)
    console.say(f"base as published: accuracy {score_lines(shipped, policy).accuracy:.4f} on {len(shipped)} lines")
    # a network that has seen lines on their head doubts them, and the second look finds them; where the data have none,
    # learning that disturbs all else
    overturn = OVERTURN if parts.turned else 0.0
    values = {"task": "recognition", "text": {"policy": policy}, "augment": {"overturn": overturn}}
    start = base_name
    seconds = SCOUT_SHARE * (clock.left - reserve)
    if parts.turned and (seconds >= MIN_SCOUT or (resumed and (folder / "scout" / "run" / LAST).is_file())):
        # the base cannot read every label that stands on its head; a model that has learnt a little finds the others
        console.say("a first training, after which the labels are looked at again")
        scout, start = first_training(values, request, start, parts, folder / "scout", seconds, resumed, console)
        parts = upright(parts, load_recognizer(scout), False, console)
    if parts.unlabelled:
        console.say("a training on the labels alone: its moving average then reads the other images")
        seconds = TEACHER_SHARE * (clock.left - reserve)
        teacher, start = first_training(values, request, start, parts, folder / "teacher", seconds, resumed, console)
        finder = parts.finder or resolve_part(FINDER, "detection")
        parts = with_text_labels(parts, teacher, finder, folder, console)
    outcome, config = training_run(values, request, start, parts, folder, clock.left - reserve, resumed, console)
    outcome.notes.extend([parts.pseudo_note] if parts.pseudo_note else [])
    holdout = _holdout_lines(recipe, parts, folder, console)
    same_size = replace(recognizer, preprocess=recognition_settings(outcome.bundle)[0])
    fitted_base = calibrate_reading(same_size, holdout, policy)
    fitted = evaluate_recognizer(fitted_base, report, console.bar("the base with fitted settings", len(report)))
    trained = load_recognizer(outcome.bundle)
    if trained.preprocess.margin:
        console.say(f"lines are cut out with a margin of {trained.preprocess.margin:.0%} of their height")
    if trained.thresholds.second_look:
        console.say(
            f"lines read with less confidence than {trained.thresholds.second_look} are read again upside down: "
            "that makes more of the held-out lines right"
        )
    tuned = evaluate_recognizer(trained, report, console.bar("the fine-tuned model", len(report)))
    named = [
        ("base as published", RecognitionResult.of(shipped, policy)),
        ("base, fitted settings", RecognitionResult.of(fitted, policy)),
        ("fine-tuned", RecognitionResult.of(tuned, policy)),
    ]
    result = named[-1][1]
    best_base = max(named[:2], key=lambda pair: pair[1].score.accuracy)[1]
    bundle = _finished(
        outcome.bundle,
        folder,
        result.as_dict(),
        best_base.as_dict(),
        request,
    )
    return Stage(
        task="recognition",
        base=base_name,
        bundle=bundle,
        comparison=Comparison(
            "accuracy", best_base.score.accuracy, result.score.accuracy, f"{result.score.lines} lines"
        ),
        table=Table("Recognition: before and after", recipe.columns, [recipe.row(name, r) for name, r in named]),
        figures_json={
            "shipped": named[0][1].as_dict(),
            "calibrated": best_base.as_dict(),
            "fine_tuned": result.as_dict(),
        },
        outcome=outcome,
        config=config,
        fitted_base=base.rewritten(
            folder / "base",
            preprocess=fitted_base.preprocess.model_dump(mode="json"),
            thresholds=fitted_base.thresholds.model_dump(mode="json"),
        ),
        tables=[
            _policies({name: r.lines for name, r in named}),
            Table(
                "Confidence",
                ("", "expected calibration error"),
                [[name, f"{expected_calibration_error(r.lines, policy):.4f}"] for name, r in named],
            ),
            *recipe.tables(named, report),
        ],
        figures=recipe.figures(named),
        worst=recipe.worst(result, report),
    )


def adapt_orientation(
    request: AdaptRequest, base_name: str, parts: Parts, folder: Path, clock: Clock, resumed: bool, console: Console
) -> Stage:
    """Measure the base on lines seen upright and turned over, fine-tune, fit the threshold, measure."""
    recipe = RECIPES["orientation"]
    base = resolve_part(base_name, "orientation")
    report = recipe.pages(parts.report, "report", folder / "run", console.bar)
    shipped = evaluate_orientation(load_orientation(base), report, console.bar("the base as published", len(report)))
    console.say(f"base as published: accuracy {shipped.accuracy:.4f} on {shipped.lines} lines, half of them turned")
    outcome, config = training_run(
        {"task": "orientation"}, request, base_name, parts, folder, clock.left - _RESERVE, resumed, console
    )
    tuned = evaluate_orientation(
        load_orientation(outcome.bundle), report, console.bar("the fine-tuned model", len(report))
    )
    held = evaluate_orientation(load_orientation(base), _holdout_lines(recipe, parts, folder, console))
    fitted = OrientationResult(shipped.probabilities, shipped.turned, fit_threshold(held.probabilities, held.turned))
    before = max((shipped, fitted), key=lambda r: r.accuracy)
    bundle = _finished(outcome.bundle, folder, tuned.as_dict(), before.as_dict(), request)
    return Stage(
        task="orientation",
        base=base_name,
        bundle=bundle,
        comparison=Comparison("accuracy", before.accuracy, tuned.accuracy, f"{tuned.lines} lines"),
        table=Table(
            "Direction: before and after",
            recipe.columns,
            [
                recipe.row("base as published", shipped),
                recipe.row("base, fitted threshold", fitted),
                recipe.row("fine-tuned", tuned),
            ],
        ),
        figures_json={
            "shipped": shipped.as_dict(),
            "calibrated": before.as_dict(),
            "fine_tuned": tuned.as_dict(),
        },
        outcome=outcome,
        config=config,
        fitted_base=base.rewritten(folder / "base", thresholds={"turn_thresh": fitted.threshold}),
    )


def _holdout_lines(recipe: Recipe[Any, Any], parts: Parts, folder: Path, console: Console) -> list[Page]:
    """The lines that the training run was validated on, as it cut them."""
    return recipe.pages(read_dataset(f"json:{parts.holdout_file}"), "val", folder / "run", console.bar)


def _finished(
    bundle: Bundle,
    folder: Path,
    result: dict[str, Any],
    base: dict[str, Any],
    request: AdaptRequest,
) -> Bundle:
    copied = bundle.rewritten(folder / "bundle")
    return with_metrics(copied, {"report": {**result, "data": request.val or "held out"}, "base_calibrated": base})


def _policy(request: AdaptRequest, results: list[LineResult], console: Console) -> TextPolicy:
    """How lines are compared: as the user says, or as the labels allow."""
    for override in request.overrides_for("recognition"):
        key, _, value = override.partition("=")
        if key == "text.policy" and value in POLICIES:
            return value
    policy = suitable_policy(results)
    if policy != "exact":
        console.say(CASE_NOTICE)
    return policy


def _policies(named: dict[str, list[LineResult]]) -> Table:
    rows = [
        [policy, *(f"{score_lines(results, policy).accuracy:.4f}" for results in named.values())] for policy in POLICIES
    ]
    return Table("Accuracy by what counts as a difference", ("", *named), rows)
