"""`adapt`: labelled pages and a budget in, a detector that is measurably better out, with the proof."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ocrtune.bundle import Bundle
from ocrtune.calibration.thresholds import MIN_PAGES, PAGE_SIZES, Calibration, calibrate, size_options
from ocrtune.config.load import build_config, dump_yaml, load_config
from ocrtune.config.schema import TrainConfig
from ocrtune.data.check import CheckReport, check_dataset, find_leaks
from ocrtune.data.formats import DatasetPath, parse_dataset_path, write_dataset
from ocrtune.data.split import split_pages
from ocrtune.detection.evaluate import DetectionResult, evaluate_detector
from ocrtune.detection.task import DetectionTask
from ocrtune.errors import DataError, GateError
from ocrtune.page import Page
from ocrtune.report.figures import precision_recall, training_curves
from ocrtune.report.html import Picture, Report, Table, write_report
from ocrtune.runtime.load import detection_settings, load_detector
from ocrtune.training.loop import LAST
from ocrtune.training.runlog import read_metrics
from ocrtune.weights.registry import resolve_bundle
from ocrtune.workflows.budget import Clock, seconds_per_step, steps_within
from ocrtune.workflows.train import (
    CONFIG,
    SCORE_COLUMNS,
    Console,
    TrainResult,
    error_table,
    run_pages,
    score_row,
    train_detector,
    with_metrics,
    worst_pages,
)

HOLDOUT = 0.15
MAX_HOLDOUT = 40
EVALS = 6
_RESERVE = 25.0  # seconds for export, gate and report
_ARGUMENTS = "adapt.json"


@dataclass(frozen=True)
class AdaptRequest:
    """What the user asked for.

    Attributes:
        data: labelled pages.
        val: pages for the final figures; None takes a ``test_list.txt`` beside the data, or holds out a part.
        base: registered name, bundle or run.
        budget: seconds for everything.
        out: folder for the result.
        overrides: further settings, as ``section.key=value``.
    """

    data: str
    val: str | None
    base: str
    budget: float
    out: Path
    overrides: tuple[str, ...] = ()

    def fingerprint(self) -> str:
        """Tells whether a started job in the folder is the same job."""
        parts = [self.data, self.val, self.base, self.budget, *self.overrides]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@dataclass(frozen=True)
class AdaptResult:
    """What came out.

    Attributes:
        bundle: the fine-tuned, calibrated detector.
        report: path of the HTML report.
        shipped, calibrated, tuned: figures on the report pages: the base as it is published, the base with the same
            calibration, and the result.
        seconds: time used.
    """

    bundle: Bundle
    report: Path
    shipped: DetectionResult
    calibrated: DetectionResult
    tuned: DetectionResult
    seconds: float

    @property
    def better(self) -> bool:
        return self.tuned.score.hmean > self.calibrated.score.hmean

    @property
    def error_cut(self) -> float:
        """Share of the calibrated base's hmean error that is gone."""
        before = 1 - self.calibrated.score.hmean
        return (self.tuned.score.hmean - self.calibrated.score.hmean) / before if before > 0 else 0.0

    def as_dict(self) -> dict[str, Any]:
        return {
            "task": "detection",
            "bundle": str(self.bundle.path),
            "report": str(self.report),
            "shipped": self.shipped.score.as_dict(),
            "calibrated": self.calibrated.score.as_dict(),
            "fine_tuned": self.tuned.score.as_dict(),
            "error_cut": round(self.error_cut, 4),
            "seconds": round(self.seconds, 1),
        }


@dataclass(frozen=True)
class _Parts:
    """Pages by what they are for, and their label files in the output folder."""

    train: list[Page]
    holdout: list[Page]
    report: list[Page]
    train_file: Path
    holdout_file: Path
    checks: list[CheckReport]


def adapt_detection(request: AdaptRequest, console: Console) -> AdaptResult:
    """Check, split, measure and calibrate the base, fine-tune, calibrate, export with a gate, and report.

    Thresholds, early stopping and the choice of the state use pages held out of the training part. The pages of the
    before/after table are used for nothing else.

    Raises:
        DataError: the data cannot be used.
        GateError: the budget or the pages are too few, or the exported file differs from the network.
        Interrupted: the user stopped it; the same command goes on.
    """
    clock = Clock.start(request.budget)
    resumed, earlier = _claim(request.out, request)
    try:
        return _adapt(request, console, clock, resumed, earlier)
    finally:
        _write_marker(request.out, request, earlier + clock.used)


def _adapt(request: AdaptRequest, console: Console, clock: Clock, resumed: bool, earlier: float) -> AdaptResult:
    """The job itself; ``earlier`` are the seconds that it took before it was interrupted."""
    folder = request.out
    parts = _prepare(request, folder, console)
    base = resolve_bundle(request.base)
    detector = load_detector(base)
    started = time.monotonic()
    shipped = evaluate_detector(detector, parts.report, console.bar("the base as published", len(parts.report)))
    _check_budget(clock, (time.monotonic() - started) / len(parts.report), len(parts.holdout))
    console.say(
        f"base as published: hmean {shipped.score.hmean:.4f} on {len(parts.report)} pages that nothing is fitted to"
    )
    started = time.monotonic()
    before = _calibrate(base, parts.holdout, console)
    calibration_seconds = time.monotonic() - started
    started = time.monotonic()
    fitted = replace(detector, preprocess=before.best.preprocess, thresholds=before.best.thresholds)
    calibrated = evaluate_detector(fitted, parts.report, console.bar("the calibrated base", len(parts.report)))
    evaluation_seconds = time.monotonic() - started
    console.say(f"base with calibrated thresholds: hmean {calibrated.score.hmean:.4f}")
    run = folder / "run"
    run.mkdir(exist_ok=True)
    if resumed and (run / LAST).is_file():
        config = load_config(run / CONFIG).config
        console.say(f"going on with the training in {run}")
    else:
        reserve = _RESERVE + calibration_seconds + evaluation_seconds
        config = _config(request, parts, before, clock.left - reserve, console)
    outcome = train_detector(
        config, run, resume=resumed, console=console, resume_command="give the same command again: it goes on"
    )
    after = _calibrate(outcome.bundle, parts.holdout, console)
    tuned_bundle = outcome.bundle.rewritten(
        folder / "bundle",
        preprocess=after.best.preprocess.model_dump(mode="json"),
        thresholds=after.best.thresholds.model_dump(mode="json"),
    )
    tuned = evaluate_detector(
        load_detector(tuned_bundle), parts.report, console.bar("the fine-tuned model", len(parts.report))
    )
    tuned_bundle = with_metrics(
        tuned_bundle,
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
    result = AdaptResult(tuned_bundle, folder / "report.html", shipped, calibrated, tuned, earlier + clock.used)
    _write_report(request, result, outcome, parts, before, after, config)
    return result


def _check_budget(clock: Clock, seconds_per_page: float, pages: int) -> None:
    """Say early that the time cannot be enough even for calibrating twice.

    Raises:
        GateError: it cannot.
    """
    needed = 2 * len(PAGE_SIZES) * pages * seconds_per_page + _RESERVE
    if clock.left < needed:
        raise GateError(
            f"the budget of {clock.seconds:.0f} s is too small: measuring and calibrating alone take about {needed:.0f} s",
            hint=f"give --budget {max(5, round((clock.used + needed) / 60 * 2))}m",
        )


def _claim(folder: Path, request: AdaptRequest) -> tuple[bool, float]:
    """Take the output folder; whether the same job has begun to train there, and how many seconds it took so far.

    Raises:
        DataError: the folder holds something else.
    """
    marker = folder / _ARGUMENTS
    if marker.is_file():
        known = json.loads(marker.read_text(encoding="utf-8"))
        same = known.get("fingerprint") == request.fingerprint()
        finished, begun = (folder / "report.html").is_file(), (folder / "run").is_dir()
        if finished or (begun and not same):
            raise DataError(
                "the output folder holds " + ("a finished job" if same else "another job"),
                where=folder,
                hint="choose another folder with --out, or delete this one",
            )
        earlier = float(known.get("seconds", 0.0)) if begun else 0.0
        _write_marker(folder, request, earlier)
        return begun, earlier
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError("the output folder is not empty", where=folder, hint="choose another folder with --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"the output folder cannot be made: {error.strerror}", where=folder) from error
    _write_marker(folder, request, 0.0)
    return False, 0.0


def _write_marker(folder: Path, request: AdaptRequest, seconds: float) -> None:
    content = {"fingerprint": request.fingerprint(), "seconds": round(seconds, 1)}
    (folder / _ARGUMENTS).write_text(json.dumps(content), encoding="utf-8")


def _prepare(request: AdaptRequest, folder: Path, console: Console) -> _Parts:
    """Check the data and cut it into training, holdout and report pages, written as label files."""
    dataset = parse_dataset_path(request.data)
    console.say(f"data: {dataset}" + (" (format detected)" if dataset.detected else ""))
    check = _checked(dataset, console)
    checks = [check]
    pages, hashes = check.pages, check.hashes
    val = _val_dataset(request, dataset)
    if val is not None:
        val_check = _checked(val, console)
        leaks = find_leaks(check, val_check)
        val_check.findings += leaks
        checks.append(val_check)
        if leaks:
            console.say(f"  {len(leaks)} pages of the validation data are also in the training data: left out there")
        known = set(hashes)
        report = [p for p, digest in zip(val_check.pages, val_check.hashes, strict=True) if digest not in known]
        if not report:
            raise DataError("no validation page is left", where=val, hint="name other pages with --val")
        share = min(HOLDOUT, MAX_HOLDOUT / len(pages))
        train, holdout = split_pages(pages, [1 - share, share], hashes, minimum=MIN_PAGES)
    else:
        train, holdout, report = split_pages(pages, [70, 20, 10], hashes, minimum=MIN_PAGES)
    if len(holdout) < MIN_PAGES or not train:
        raise GateError(
            f"{len(pages)} usable pages are too few: {MIN_PAGES} have to be held out of training for the thresholds",
            where=dataset,
            expected=f"at least {MIN_PAGES * (2 if val is not None else 3)} pages",
            hint="label more pages",
        )
    data = folder / "data"
    files = {"train": train, "holdout": holdout, "report": report}
    for name, part in files.items():
        write_dataset(part, "json", data / f"{name}.json")
    console.say(
        f"{len(train)} pages to train on, {len(holdout)} held out for choosing and calibrating, "
        f"{len(report)} for the before/after table"
    )
    return _Parts(train, holdout, report, data / "train.json", data / "holdout.json", checks)


def _val_dataset(request: AdaptRequest, dataset: DatasetPath) -> DatasetPath | None:
    if request.val is not None:
        return parse_dataset_path(request.val)
    beside = dataset.path / "test_list.txt"
    return DatasetPath(beside, dataset.format, detected=True) if beside.is_file() else None


def _checked(dataset: DatasetPath, console: Console) -> CheckReport:
    """Check a data set; faulty lines and pages are left out, and said.

    Raises:
        DataError: nothing is left, or nothing in it counts.
    """
    check = check_dataset(dataset, bar=lambda total: console.bar(f"checking {dataset.path.name}", total))
    for code, findings in check.by_code().items():
        if findings[0].severity != "info":
            first = findings[0]
            console.say(f"  {first.severity}: {code} ({len(findings)}), first: {first.where}: {first.message}")
    fatal = [finding for finding in check.findings if finding.code in ("no-pages", "nothing-to-learn")]
    if fatal or not check.pages:
        what = fatal[0].message if fatal else "no page is usable"
        raise DataError(what, where=dataset, hint=f"ocrtune data check {dataset}")
    return check


def _calibrate(bundle: Bundle, pages: Sequence[Page], console: Console) -> Calibration:
    preprocess, thresholds = detection_settings(bundle)
    found = calibrate(
        load_detector(bundle).engine,
        pages,
        preprocess,
        thresholds,
        size_options(preprocess),
        progress=lambda line: console.say(f"  calibration: {line}"),
    )
    best = found.best
    console.say(
        f"  calibrated on {found.pages} held-out pages: longer side {best.preprocess.size}, "
        f"bin {best.thresholds.bin_thresh}, box {best.thresholds.box_thresh}, unclip {best.thresholds.unclip_ratio}"
    )
    return found


def _config(request: AdaptRequest, parts: _Parts, before: Calibration, seconds: float, console: Console) -> TrainConfig:
    """The training configuration, with as many steps as the time allows."""
    values: dict[str, Any] = {
        "model": {"pretrained": request.base},
        "data": {"train": f"json:{parts.train_file}", "val": f"json:{parts.holdout_file}"},
        "input": {"page_size": before.best.preprocess.size},
        "trainer": {"evals": EVALS},
    }
    loaded = load_config(None, (*_flat(values), *request.overrides))
    config = loaded.config
    if config.schedule.steps is not None:
        return config
    started = time.monotonic()
    train, val = run_pages(config)
    task = DetectionTask(config, train, val)
    step = seconds_per_step(task, config)
    evaluation_started = time.monotonic()
    task.fit_thresholds(task.start.model)
    evaluation = time.monotonic() - evaluation_started
    left = seconds - (time.monotonic() - started) - evaluation
    steps = steps_within(left, step, config, evaluation, len(train))
    console.say(f"a step takes {step:.2f} s here, an evaluation {evaluation:.1f} s: {steps} steps fit into the budget")
    return build_config(
        {**config.model_dump(), "schedule": {**config.schedule.model_dump(), "steps": steps}}, loaded.origins
    )


def _flat(values: dict[str, dict[str, Any]]) -> list[str]:
    return [f"{section}.{key}={json.dumps(value)}" for section, keys in values.items() for key, value in keys.items()]


def _write_report(
    request: AdaptRequest,
    result: AdaptResult,
    outcome: TrainResult,
    parts: _Parts,
    before: Calibration,
    after: Calibration,
    config: TrainConfig,
) -> None:
    tuned, calibrated, shipped = result.tuned.score, result.calibrated.score, result.shipped.score
    change = f"hmean {calibrated.hmean:.4f} → {tuned.hmean:.4f} on {tuned.pages} pages that nothing was fitted to"
    verdict = (
        f"Better: {change}; {result.error_cut:.0%} of the calibrated base's error is gone."
        if result.better
        else f"Not better than the calibrated base: {change}."
    )
    report = Report(
        title=f"Adapting {request.base} to {request.data}",
        verdict=verdict,
        good=result.better,
        tables=[
            Table(
                "Before and after",
                SCORE_COLUMNS,
                [
                    score_row("base as published", shipped),
                    score_row("base, calibrated", calibrated),
                    score_row("fine-tuned, calibrated", tuned),
                ],
            ),
            Table(
                "Settings, fitted on held-out pages",
                ("", "longer side", "bin threshold", "box threshold", "unclip ratio", "hmean there", "95 % interval"),
                [_setting_row("base", before), _setting_row("fine-tuned", after)],
            ),
            error_table(
                [("base, calibrated", parts.report, result.calibrated), ("fine-tuned", parts.report, result.tuned)]
            ),
        ],
        notes=outcome.notes,
        figures=[
            Picture("Training", training_curves(read_metrics(outcome.folder / "metrics.csv"), outcome.base_hmean)),
            Picture(
                "Report pages",
                precision_recall({"base, calibrated": result.calibrated.matches, "fine-tuned": result.tuned.matches}),
            ),
        ],
        data=parts.checks,
        pages=worst_pages(parts.report, result.tuned),
        config=dump_yaml(config),
        next_command=f"ocrtune predict {result.bundle.path} IMAGE_OR_FOLDER --draw drawn",
    )
    write_report(report, result.report)


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
