"""Adapting a detector: the base is calibrated first, and the result is compared with that."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ocrtune.bundle import Bundle
from ocrtune.calibration.thresholds import Calibration, calibrate, size_options
from ocrtune.detection.evaluate import evaluate_detector
from ocrtune.errors import GateError
from ocrtune.page import Page
from ocrtune.report.detection import SCORE_COLUMNS, error_table, score_row, worst_pages
from ocrtune.report.figures import precision_recall
from ocrtune.report.html import Picture, Table
from ocrtune.runtime.load import detection_settings, load_detector
from ocrtune.weights.registry import resolve_part
from ocrtune.workflows.adapt.job import AdaptRequest, Parts
from ocrtune.workflows.adapt.pseudo import TEACHER_SHARE, with_box_labels
from ocrtune.workflows.adapt.stage import Comparison, Stage, first_training, training_run
from ocrtune.workflows.budget import Clock
from ocrtune.workflows.console import Console
from ocrtune.workflows.train import with_metrics

BASE = "ppocrv4-mobile-det"
_RESERVE = 25.0  # seconds for export, gate and report


def adapt_detection(
    request: AdaptRequest, base_name: str, parts: Parts, folder: Path, clock: Clock, resumed: bool, console: Console
) -> Stage:
    """Measure and calibrate the base, fine-tune, calibrate, measure.

    Args:
        request: the job.
        base_name: bundle, run or registered name of the detector to start from.
        parts: its pages.
        folder: gets ``run/`` and ``bundle/``.
        clock: counts down the time of this stage.
        resumed: the same job began earlier.
        console: where to report to.

    Raises:
        GateError: the budget or the pages are too few, or the exported file differs from the network.
        Interrupted: the user stopped it; the same command goes on.
    """
    base = resolve_part(base_name, "detection")
    detector = load_detector(base)
    started = time.monotonic()
    shipped = evaluate_detector(detector, parts.report, console.bar("the base as published", len(parts.report)))
    if request.firm and not resumed:
        _check_budget(clock, (time.monotonic() - started) / len(parts.report), len(parts.holdout) * len(request.sizes))
    console.say(
        f"base as published: hmean {shipped.score.hmean:.4f} on {len(parts.report)} pages that nothing is fitted to"
    )
    started = time.monotonic()
    before = _calibrate(base, parts.holdout, request.sizes, console)
    calibration_seconds = time.monotonic() - started
    started = time.monotonic()
    fitted = replace(detector, preprocess=before.best.preprocess, thresholds=before.best.thresholds)
    calibrated = evaluate_detector(fitted, parts.report, console.bar("the calibrated base", len(parts.report)))
    reserve = _RESERVE + calibration_seconds + time.monotonic() - started
    console.say(f"base with calibrated thresholds: hmean {calibrated.score.hmean:.4f}")
    values = {"task": "detection", "input": {"page_size": before.best.preprocess.size}}
    start = base_name
    if parts.unlabelled:
        console.say("a first training on the labels alone: its moving average then labels the other images")
        seconds = TEACHER_SHARE * (clock.left - reserve)
        teacher, start = first_training(
            values, request, base_name, parts, folder / "teacher", seconds, resumed, console
        )
        parts = with_box_labels(parts, teacher, folder, console)
    outcome, config = training_run(values, request, start, parts, folder, clock.left - reserve, resumed, console)
    outcome.notes.extend([parts.pseudo_note] if parts.pseudo_note else [])
    after = _calibrate(outcome.bundle, parts.holdout, request.sizes, console)
    bundle = outcome.bundle.rewritten(
        folder / "bundle",
        preprocess=after.best.preprocess.model_dump(mode="json"),
        thresholds=after.best.thresholds.model_dump(mode="json"),
    )
    tuned = evaluate_detector(
        load_detector(bundle), parts.report, console.bar("the fine-tuned model", len(parts.report))
    )
    bundle = with_metrics(
        bundle,
        {
            "calibration": {
                "pages": after.pages,
                "hmean": round(after.best.hmean, 6),
                "hmean_ci95": [round(bound, 6) for bound in after.best.hmean_ci95],
            },
            "report": {**tuned.score.as_dict(), "data": request.val or "held out"},
            "base_calibrated": calibrated.score.as_dict(),
        },
    )
    named = [("base, calibrated", calibrated), ("fine-tuned", tuned)]
    return Stage(
        task="detection",
        base=base_name,
        bundle=bundle,
        comparison=Comparison("hmean", calibrated.score.hmean, tuned.score.hmean, f"{tuned.score.pages} pages"),
        table=Table(
            "Detection: before and after",
            SCORE_COLUMNS,
            [
                score_row("base as published", shipped.score),
                score_row("base, calibrated", calibrated.score),
                score_row("fine-tuned, calibrated", tuned.score),
            ],
        ),
        figures_json={
            "shipped": shipped.score.as_dict(),
            "calibrated": calibrated.score.as_dict(),
            "fine_tuned": tuned.score.as_dict(),
        },
        outcome=outcome,
        config=config,
        fitted_base=base.rewritten(
            folder / "base",
            preprocess=before.best.preprocess.model_dump(mode="json"),
            thresholds=before.best.thresholds.model_dump(mode="json"),
        ),
        tables=[
            Table(
                "Settings, fitted on held-out pages",
                ("", "longer side", "bin threshold", "box threshold", "unclip ratio", "hmean there", "95 % interval"),
                [_setting_row("base", before), _setting_row("fine-tuned", after)],
            ),
            error_table([(name, parts.report, result) for name, result in named]),
        ],
        figures=[Picture("Report pages", precision_recall({name: r.matches for name, r in named}))],
        worst=worst_pages(parts.report, tuned),
    )


def _check_budget(clock: Clock, seconds_per_page: float, pages: int) -> None:
    """Say early that the time cannot be enough even for calibrating twice.

    Raises:
        GateError: it cannot.
    """
    needed = 2 * pages * seconds_per_page + _RESERVE
    if clock.left < needed:
        raise GateError(
            f"the budget of {clock.seconds:.0f} s is too small: measuring and calibrating alone take about {needed:.0f} s",
            hint=f"give --budget {max(5, round((clock.used + needed) / 60 * 2))}m",
        )


def _calibrate(bundle: Bundle, pages: Sequence[Page], sizes: Sequence[int], console: Console) -> Calibration:
    preprocess, thresholds = detection_settings(bundle)
    found = calibrate(
        load_detector(bundle).engine,
        pages,
        preprocess,
        thresholds,
        size_options(preprocess, sizes),
        progress=lambda line: console.say(f"  calibration: {line}"),
    )
    best = found.best
    console.say(
        f"  calibrated on {found.pages} held-out pages: longer side {best.preprocess.size}, "
        f"bin {best.thresholds.bin_thresh}, box {best.thresholds.box_thresh}, unclip {best.thresholds.unclip_ratio}"
    )
    return found


def _setting_row(name: str, calibration: Calibration) -> list[object]:
    best = calibration.best
    low, high = best.hmean_ci95
    thresholds = best.thresholds
    return [
        name,
        best.preprocess.size,
        thresholds.bin_thresh,
        thresholds.box_thresh,
        thresholds.unclip_ratio,
        f"{best.hmean:.4f}",
        f"{low:.4f} .. {high:.4f}",
    ]
