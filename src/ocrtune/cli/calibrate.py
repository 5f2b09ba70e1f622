"""``ocrtune calibrate``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.options import ALL_SIZES, BundleArg, Data, Json, Sizes, described_dataset, parsed_sizes

if TYPE_CHECKING:
    from ocrtune.bundle import Bundle
    from ocrtune.page import Page

NAME = "calibrate"
EXAMPLES = """Examples:

ocrtune calibrate ppocrv4-mobile-det icdar:receipts/held_out --out calibrated

ocrtune calibrate workdirs/exp_20261121_101500 pages/held_out --sizes 960,1280"""


def command(
    bundle: BundleArg,
    data: Data,
    out: Annotated[
        Path | None, typer.Option(help="Where the calibrated bundle goes; default: into BUNDLE itself.")
    ] = None,
    sizes: Sizes = ALL_SIZES,
    text_policy: Annotated[
        str, typer.Option(help="Recognition: what is no difference between texts; auto: as the labels allow.")
    ] = "auto",
    json: Json = False,
) -> None:
    """Fit a bundle's settings on data held out of training.

    Detection: input size, bin threshold, box threshold and unclip ratio together. Recognition: confidence, and whether
    doubtful lines are read again upside down. Orientation: above which probability a line is turned.

    Do not report on the data that you calibrate on. Refuses (exit code 1) when they are too few.
    """
    from ocrtune.bundle import MANIFEST
    from ocrtune.data.formats import read_dataset
    from ocrtune.errors import UsageError
    from ocrtune.recognition.metric import POLICIES
    from ocrtune.weights.registry import NAMES, resolve_bundle

    output = Output(json)
    resolved = resolve_bundle(bundle)
    if out is None and bundle in NAMES:
        raise UsageError(f"'{bundle}' is published and stays as it is", hint="give a folder with --out")
    task = resolved.manifest.task
    if task == "ocr":
        raise UsageError(
            "a pipeline is calibrated part by part",
            where=bundle,
            hint=f"ocrtune calibrate {resolved.path / 'recognition'} {data} --out calibrated",
        )
    if out is None and (resolved.path.parent / MANIFEST).is_file():
        raise UsageError("a part of a pipeline is sealed by the pipeline's checksums", hint="give a folder with --out")
    if text_policy not in ("auto", *POLICIES):
        raise UsageError(f"'{text_policy}' is no text policy", where="--text-policy", expected=", ".join(POLICIES))
    pages = read_dataset(described_dataset(data, output))
    if task == "detection":
        changes, figures = _detection(output, resolved, pages, parsed_sizes(sizes))
    elif task == "recognition":
        changes, figures = _recognition(output, resolved, pages, text_policy)
    else:
        changes, figures = _orientation(output, resolved, pages)
    metrics = {**resolved.manifest.metrics, "calibration": {**figures, "data": data}}
    written = resolved.rewritten(out or resolved.path, metrics=metrics, **changes)
    output.say(f"bundle: {written.path}")
    output.result({"task": task, "bundle": str(written.path), **figures, **changes})
    output.next(f"ocrtune eval {written.path} DATA_THAT_WAS_NOT_CALIBRATED_ON")


def _detection(
    output: Output, bundle: Bundle, pages: list[Page], sizes: Sequence[int]
) -> tuple[dict[str, Any], dict[str, Any]]:
    from ocrtune.calibration.thresholds import calibrate, size_options
    from ocrtune.runtime.load import detection_settings, load_detector

    preprocess, thresholds = detection_settings(bundle)
    found = calibrate(
        load_detector(bundle).engine,
        pages,
        preprocess,
        thresholds,
        size_options(preprocess, sizes),
        progress=output.say,
    )
    best, (low, high) = found.best, found.best.hmean_ci95
    output.table(
        f"fitted on {found.pages} pages",
        (
            "longer side",
            "bin threshold",
            "box threshold",
            "unclip ratio",
            "hmean before",
            "hmean after",
            "95 % interval",
        ),
        [
            (
                best.preprocess.size,
                best.thresholds.bin_thresh,
                best.thresholds.box_thresh,
                best.thresholds.unclip_ratio,
                f"{found.before.hmean:.4f}",
                f"{best.hmean:.4f}",
                f"{low:.4f} .. {high:.4f}",
            )
        ],
    )
    figures = {
        "pages": found.pages,
        "hmean": round(best.hmean, 6),
        "hmean_ci95": [round(low, 6), round(high, 6)],
        "hmean_before": round(found.before.hmean, 6),
    }
    return {
        "preprocess": best.preprocess.model_dump(mode="json"),
        "thresholds": best.thresholds.model_dump(mode="json"),
    }, figures


def _recognition(
    output: Output, bundle: Bundle, pages: list[Page], text_policy: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    from ocrtune.calibration.confidence import MIN_LINES, calibrate_reading, expected_calibration_error
    from ocrtune.cli.evaluate import chosen_policy
    from ocrtune.errors import GateError
    from ocrtune.recognition.evaluate import evaluate_recognizer
    from ocrtune.recognition.metric import score_lines
    from ocrtune.runtime.load import load_recognizer

    recognizer = load_recognizer(bundle)
    with output.bar("pages", len(pages)) as each:
        before = evaluate_recognizer(recognizer, pages, each)
    if len(before) < MIN_LINES:
        raise GateError(
            f"{len(before)} lines are too few to fit a confidence", expected=f"{MIN_LINES} lines", hint="label more"
        )
    policy = chosen_policy(output, text_policy, before)
    recognizer = calibrate_reading(recognizer, pages, policy)
    after = evaluate_recognizer(recognizer, pages)
    figures: dict[str, Any] = {"lines": len(after), "text_policy": policy}
    rows = []
    for name, results in (("before", before), ("after", after)):
        accuracy, error = score_lines(results, policy).accuracy, expected_calibration_error(results, policy)
        rows.append((name, f"{accuracy:.4f}", f"{error:.4f}"))
        figures |= {f"accuracy_{name}": round(accuracy, 6), f"calibration_error_{name}": round(error, 6)}
    preprocess, thresholds = recognizer.preprocess, recognizer.thresholds
    output.table(f"fitted on {len(after)} lines", ("", "accuracy", "expected calibration error"), rows)
    output.say(
        f"margin {preprocess.margin:.0%} of a line's height, second look below {thresholds.second_look}, "
        f"temperature {thresholds.temperature}"
    )
    return {
        "preprocess": preprocess.model_dump(mode="json"),
        "thresholds": thresholds.model_dump(mode="json"),
    }, figures


def _orientation(output: Output, bundle: Bundle, pages: list[Page]) -> tuple[dict[str, Any], dict[str, Any]]:
    from ocrtune.calibration.confidence import MIN_LINES
    from ocrtune.errors import GateError
    from ocrtune.orientation.evaluate import evaluate_orientation
    from ocrtune.orientation.metric import OrientationResult, fit_threshold
    from ocrtune.runtime.load import load_orientation

    with output.bar("pages", len(pages)) as each:
        before = evaluate_orientation(load_orientation(bundle), pages, each)
    if before.lines < 2 * MIN_LINES:
        raise GateError(
            f"{before.lines // 2} lines are too few to fit a threshold",
            expected=f"{MIN_LINES} lines",
            hint="label more",
        )
    threshold = fit_threshold(before.probabilities, before.turned)
    after = OrientationResult(before.probabilities, before.turned, threshold)
    output.table(
        f"fitted on {after.lines} lines, half of them turned over",
        ("", "turned above", "accuracy"),
        [("before", before.threshold, f"{before.accuracy:.4f}"), ("after", threshold, f"{after.accuracy:.4f}")],
    )
    return {"thresholds": {"turn_thresh": threshold}}, {"accuracy_before": before.accuracy, **after.as_dict()}
