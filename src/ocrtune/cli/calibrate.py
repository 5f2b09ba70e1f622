"""``ocrtune calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.options import BundleArg, Data, Json

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
    sizes: Annotated[
        str, typer.Option(help="Lengths of the longer side to try, in pixels.")
    ] = "960,1120,1280,1440,1600",
    json: Json = False,
) -> None:
    """Fit input size, bin threshold, box threshold and unclip ratio together, on pages held out of training.

    Do not report on the pages that you calibrate on. Refuses (exit code 1) when they are too few.
    """
    from ocrtune.calibration.thresholds import calibrate, size_options
    from ocrtune.data.formats import parse_dataset_path, read_dataset
    from ocrtune.errors import UsageError
    from ocrtune.runtime.load import detection_settings, load_detector
    from ocrtune.weights.registry import PUBLISHED, resolve_bundle

    output = Output(json)
    try:
        wanted = [int(size) for size in sizes.split(",")]
    except ValueError as error:
        raise UsageError(f"'{sizes}' is no list of sizes", where="--sizes", expected="736,960,1280") from error
    if min(wanted) < 32:
        raise UsageError(f"a longer side of {min(wanted)} pixels is too small", where="--sizes", expected="32 or more")
    resolved = resolve_bundle(bundle)
    if out is None and bundle in PUBLISHED:
        raise UsageError(f"'{bundle}' is published and stays as it is", hint="give a folder with --out")
    dataset = parse_dataset_path(data)
    if dataset.detected:
        output.say(f"data: {dataset} (format detected)")
    preprocess, thresholds = detection_settings(resolved)
    found = calibrate(
        load_detector(resolved).engine,
        read_dataset(dataset),
        preprocess,
        thresholds,
        size_options(preprocess, wanted),
        progress=output.say,
    )
    best, low_high = found.best, found.best.hmean_ci95
    metrics = {
        "pages": found.pages,
        "hmean": round(best.hmean, 6),
        "hmean_ci95": [round(value, 6) for value in low_high],
        "hmean_before": round(found.before.hmean, 6),
        "data": data,
    }
    written = resolved.rewritten(
        out or resolved.path,
        preprocess=best.preprocess.model_dump(mode="json"),
        thresholds=best.thresholds.model_dump(mode="json"),
        metrics={**resolved.manifest.metrics, "calibration": metrics},
    )
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
                f"{low_high[0]:.4f} .. {low_high[1]:.4f}",
            )
        ],
    )
    output.say(f"bundle: {written.path}")
    output.result(
        {
            "task": "detection",
            "bundle": str(written.path),
            **metrics,
            "thresholds": best.thresholds.model_dump(),
            "preprocess": best.preprocess.model_dump(mode="json"),
        }
    )
    output.next(f"ocrtune eval {written.path} PAGES_THAT_WERE_NOT_CALIBRATED_ON")
