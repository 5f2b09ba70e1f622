"""``ocrtune export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.options import BundleArg, Json

NAME = "export"
EXAMPLES = """Example:

ocrtune export adapted/bundle --format onnx --gate icdar:receipts/val --out detector.onnx"""


def command(
    bundle: BundleArg,
    out: Annotated[Path, typer.Option(help="File to write.")],
    format: Annotated[str, typer.Option(help="onnx: probability map, dynamic size.")] = "onnx",
    gate: Annotated[
        str | None, typer.Option(metavar="DATA", help="Labelled pages on which the file is compared with the weights.")
    ] = None,
    pages: Annotated[int, typer.Option(help="How many of them.")] = 8,
    json: Json = False,
) -> None:
    """Write a file for other engines, through the gate: tensors, boxes and hmean must be those of the weights.

    Exit code 1 when they are not; nothing is written then. A bundle's own ONNX file went through the gate when the bundle
    was made; --gate exports anew from the weights and compares on your pages.
    """
    from ocrtune.errors import UsageError
    from ocrtune.files import write_whole
    from ocrtune.weights.registry import resolve_bundle

    output = Output(json)
    if format != "onnx":
        raise UsageError(f"'{format}' is no format", where="--format", expected="onnx")
    resolved = resolve_bundle(bundle)
    task = resolved.manifest.task
    if task == "ocr":
        raise UsageError(
            "a pipeline is exported part by part", where=bundle, hint=f"for example {resolved.path / 'detection'}"
        )
    if gate is not None and task != "detection":
        raise UsageError(
            "--gate is for detectors: a recogniser's or classifier's file went through the gate when the bundle was made",
            hint=f"leave --gate out, and measure it with: ocrtune eval {bundle} DATA",
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    figures: dict[str, float] = dict(resolved.manifest.provenance.get("gate", {}))
    if gate is None:
        content = resolved.onnx.read_bytes()
    else:
        from ocrtune.cli.extras import need_training

        need_training()
        from ocrtune.data.formats import read_dataset
        from ocrtune.detection.network import FAMILY
        from ocrtune.export.bundle import gated_detector_onnx
        from ocrtune.runtime.load import detection_settings
        from ocrtune.weights.network import load_network

        preprocess, thresholds = detection_settings(resolved)
        network = load_network(FAMILY, str(resolved.path))
        content, result = gated_detector_onnx(network.model, preprocess, thresholds, read_dataset(gate)[:pages])
        figures = result.as_dict()
        output.say(
            f"gate: {result.pages} pages, tensors within {result.tensor:.1e}, {result.boxes_equal:.1%} of the boxes equal, "
            f"hmean {result.hmean_before:.4f} -> {result.hmean_after:.4f}"
        )
    write_whole(out, content)
    output.say(f"written: {out} ({out.stat().st_size / 1e6:.2f} MB)")
    output.result({"file": str(out), "format": format, "bytes": out.stat().st_size, "gate": figures})
    output.next(f"ocrtune predict {bundle} IMAGE_OR_FOLDER")
