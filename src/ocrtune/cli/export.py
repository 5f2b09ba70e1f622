"""``ocrtune export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.options import BundleArg, Json

if TYPE_CHECKING:
    from ocrtune.bundle import Bundle

NAME = "export"
EXAMPLES = """Examples:

ocrtune export adapted/bundle --format onnx --gate icdar:receipts/val --out detector.onnx

ocrtune export adapted/bundle --format onnx-boxes --size 736x1280 --out detector_736x1280.onnx"""


def command(
    bundle: BundleArg,
    out: Annotated[Path, typer.Option(help="File to write.")],
    format: Annotated[
        str,
        typer.Option(help="onnx: probability map, any size. onnx-boxes: boxes and scores of images of one size."),
    ] = "onnx",
    size: Annotated[
        str | None,
        typer.Option(metavar="WIDTHxHEIGHT", help="onnx-boxes: size of the images, 800x800 where none is given."),
    ] = None,
    gate: Annotated[
        str | None,
        typer.Option(metavar="DATA", help="Labelled pages on which the file is compared; onnx-boxes has drawn ones."),
    ] = None,
    pages: Annotated[int, typer.Option(help="How many of them.")] = 8,
    json: Json = False,
) -> None:
    """Write a file for other engines, through the gate: it must do the same as the bundle.

    Exit code 1 when it does not; nothing is written then. A bundle's own ONNX file went through the gate when the bundle
    was made; --gate exports anew from the weights and compares tensors, boxes and hmean on your pages.
    """
    from ocrtune.errors import UsageError
    from ocrtune.files import write_whole
    from ocrtune.weights.registry import resolve_bundle

    output = Output(json)
    if format not in ("onnx", "onnx-boxes"):
        raise UsageError(f"'{format}' is no format", where="--format", expected="onnx, onnx-boxes")
    resolved = resolve_bundle(bundle)
    if format == "onnx-boxes":
        content, figures = _boxes(output, resolved, size or "800x800", gate, pages)
    else:
        if size not in (None, "dynamic"):
            raise UsageError("a file of this format takes any size", where="--size", expected="dynamic, or no --size")
        content, figures = _map(output, resolved, bundle, gate, pages)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, content)
    output.say(f"written: {out} ({out.stat().st_size / 1e6:.2f} MB)")
    output.result({"file": str(out), "format": format, "bytes": out.stat().st_size, "gate": figures})
    output.next(f"ocrtune predict {bundle} IMAGE_OR_FOLDER")


def _boxes(output: Output, bundle: Bundle, size: str, gate: str | None, pages: int) -> tuple[bytes, dict[str, float]]:
    from ocrtune.data.formats import read_dataset
    from ocrtune.export.boxes.gate import gated_boxes_onnx
    from ocrtune.export.boxes.model import parsed_size
    from ocrtune.export.examples import drawn_pages

    width, height = parsed_size(size)
    chosen = drawn_pages() if gate is None else read_dataset(gate)[:pages]
    content, result = gated_boxes_onnx(bundle, width, height, chosen)
    output.say(
        f"gate: {result.pages} {'drawn ' if gate is None else ''}pages at {width}x{height}, {result.boxes_equal:.1%} of "
        f"{result.boxes} boxes equal, hmean {result.hmean_before:.4f} -> {result.hmean_after:.4f}"
    )
    return content, result.as_dict()


def _map(output: Output, bundle: Bundle, name: str, gate: str | None, pages: int) -> tuple[bytes, dict[str, float]]:
    from ocrtune.errors import UsageError

    task = bundle.manifest.task
    if task == "ocr":
        raise UsageError(
            "a pipeline is exported part by part", where=name, hint=f"for example {bundle.path / 'detection'}"
        )
    if gate is not None and task != "detection":
        raise UsageError(
            "--gate is for detectors: a recogniser's or classifier's file went through the gate when the bundle was made",
            hint=f"leave --gate out, and measure it with: ocrtune eval {name} DATA",
        )
    if gate is None:
        return bundle.onnx.read_bytes(), dict(bundle.manifest.provenance.get("gate", {}))
    from ocrtune.cli.extras import need_training

    need_training()
    from ocrtune.data.formats import read_dataset
    from ocrtune.detection.network import FAMILY
    from ocrtune.export.bundle import gated_detector_onnx
    from ocrtune.runtime.load import detection_settings
    from ocrtune.weights.network import load_network

    preprocess, thresholds = detection_settings(bundle)
    network = load_network(FAMILY, str(bundle.path))
    content, result = gated_detector_onnx(network.model, preprocess, thresholds, read_dataset(gate)[:pages])
    output.say(
        f"gate: {result.pages} pages, tensors within {result.tensor:.1e}, {result.boxes_equal:.1%} of the boxes equal, "
        f"hmean {result.hmean_before:.4f} -> {result.hmean_after:.4f}"
    )
    return content, result.as_dict()
