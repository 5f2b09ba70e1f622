"""``ocrtune export``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.options import BundleArg, Json

if TYPE_CHECKING:
    from ocrtune.bundle import Bundle
    from ocrtune.export.formats import Format, Precision

NAME = "export"
_FORMATS = ("onnx", "torchscript", "openvino", "onnx-boxes")
EXAMPLES = """Examples:

ocrtune export adapted/bundle --format onnx --gate icdar:receipts/val --out detector.onnx

ocrtune export adapted/bundle --format openvino --precision fp16 --out detector.xml

ocrtune export adapted/bundle --format onnx-boxes --size 736x1280 --out detector_736x1280.onnx"""


def command(
    bundle: BundleArg,
    out: Annotated[Path, typer.Option(help="File to write.")],
    format: Annotated[
        str,
        typer.Option(
            help="onnx, torchscript, openvino: the network, any size. onnx-boxes: boxes and scores of images of one size."
        ),
    ] = "onnx",
    precision: Annotated[
        str, typer.Option(help="fp32, or fp16 (onnx, openvino): half the size; input and output stay float32.")
    ] = "fp32",
    size: Annotated[
        str | None,
        typer.Option(metavar="WIDTHxHEIGHT", help="onnx-boxes: size of the images, 800x800 where none is given."),
    ] = None,
    gate: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="Labelled pages on which the file is compared; other formats than onnx have drawn ones.",
        ),
    ] = None,
    pages: Annotated[int, typer.Option(help="How many of them.")] = 8,
    json: Json = False,
) -> None:
    """Write a file for other engines, through the gate: it must do the same as the bundle.

    Exit code 1 when it does not; nothing is written then. A bundle's own ONNX file went through the gate when the bundle
    was made; --gate exports anew from the weights and compares tensors, boxes and hmean on your pages. Every other file is
    compared with that ONNX file, and where it differs, its first layer that does is named.
    """
    from ocrtune.errors import UsageError
    from ocrtune.files import write_whole
    from ocrtune.weights.registry import resolve_bundle

    output = Output(json)
    if format not in _FORMATS:
        raise UsageError(f"'{format}' is no format", where="--format", expected=", ".join(_FORMATS))
    if precision not in ("fp32", "fp16"):
        raise UsageError(f"'{precision}' is no precision", where="--precision", expected="fp32, fp16")
    if precision == "fp16" and format not in ("onnx", "openvino"):
        raise UsageError(f"{format} is written in fp32 alone", where="--precision", expected="fp32")
    if format != "onnx-boxes" and size not in (None, "dynamic"):
        raise UsageError("a file of this format takes any size", where="--size", expected="dynamic, or no --size")
    if format == "openvino" and out.suffix != ".xml":
        raise UsageError(
            "OpenVINO's files are named .xml, and .bin beside it", where="--out", expected=f"{out.stem}.xml"
        )
    resolved = resolve_bundle(bundle)
    files: Mapping[Path, bytes]
    if format == "onnx-boxes":
        content, figures = _boxes(output, resolved, size or "800x800", gate, pages)
        files = {out: content}
    elif format == "onnx" and precision == "fp32":
        content, figures = _map(output, resolved, bundle, gate, pages)
        files = {out: content}
    else:
        by_suffix, figures = _other(
            output, resolved, bundle, cast("Format", format), cast("Precision", precision), gate, pages
        )
        files = {out.with_suffix(suffix) if len(by_suffix) > 1 else out: each for suffix, each in by_suffix.items()}
    for path, content in files.items():
        write_whole(path, content)
        output.say(f"written: {path} ({len(content) / 1e6:.2f} MB)")
    size_in_bytes = sum(map(len, files.values()))
    output.result({"file": str(out), "format": format, "bytes": size_in_bytes, "gate": figures})
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

    _need_one_network(bundle, name)
    task = bundle.manifest.task
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
    output.say(f"gate: {result}")
    return content, result.as_dict()


def _other(
    output: Output, bundle: Bundle, name: str, format: Format, precision: Precision, gate: str | None, pages: int
) -> tuple[Mapping[str, bytes], dict[str, float]]:
    from ocrtune.cli.extras import need_training

    _need_one_network(bundle, name)
    if format == "torchscript":
        need_training()
    from ocrtune.data.formats import read_dataset
    from ocrtune.export.examples import drawn_pages
    from ocrtune.export.formats import gated_export

    files, result = gated_export(
        bundle, format, precision, [*drawn_pages(), *(read_dataset(gate)[:pages] if gate else [])]
    )
    output.say(f"gate: {result}")
    return files, result.as_dict()


def _need_one_network(bundle: Bundle, name: str) -> None:
    from ocrtune.errors import UsageError

    if bundle.manifest.task == "ocr":
        raise UsageError(
            "a pipeline is exported part by part", where=name, hint=f"for example {bundle.path / 'detection'}"
        )
