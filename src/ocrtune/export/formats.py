"""A bundle's network in the formats of other engines, each through the gate."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ocrtune.bundle import Bundle
from ocrtune.errors import GateError
from ocrtune.export.gate import MAX_TENSOR_DIFFERENCE, GateResult, check_parity
from ocrtune.export.half import half_onnx
from ocrtune.export.layers import differing_module, differing_node, differing_openvino_node
from ocrtune.export.line_gate import LineGate, compare_lines, gate_lines
from ocrtune.export.openvino_ir import write_openvino
from ocrtune.page import Page
from ocrtune.runtime.detector import TextDetector
from ocrtune.runtime.engines import Engine, OnnxEngine, OpenVinoEngine
from ocrtune.runtime.load import detection_settings, orientation_settings, recognition_settings
from ocrtune.runtime.preprocess import Batch

if TYPE_CHECKING:
    from torch import nn

Format = Literal["onnx", "torchscript", "openvino"]
Precision = Literal["fp32", "fp16"]
MAX_DIFFERENCE: Mapping[Precision, float] = {"fp32": MAX_TENSOR_DIFFERENCE, "fp16": 5e-2}
"""Of a probability. A float16 has 11 bits: each layer rounds to 5e-4 of its values, and there are dozens of layers."""
EQUALLY_LIKELY: Mapping[Precision, float] = {"fp32": MAX_TENSOR_DIFFERENCE, "fp16": 2e-2}
"""Classes of a line's column that differ by no more may be chosen for each other: that rounding decides between them."""
LAYER_TOLERANCE: Mapping[Precision, float] = {"fp32": 1e-3, "fp16": 0.1}
"""Of a layer's output, relative to its largest value; rounding to float16 alone reaches 2 %."""


@dataclass(frozen=True)
class Exported:
    """A network in another format.

    Attributes:
        precision: of its weights.
        files: content by suffix.
        engine: runs it.
        differing_layer: names the first layer whose output for an input is not that of the bundle's network; takes the
            input and a tolerance relative to the largest value of each output.
    """

    precision: Precision
    files: Mapping[str, bytes]
    engine: Engine
    differing_layer: Callable[[Batch, float], str | None]


def gated_export(
    bundle: Bundle, format: Format, precision: Precision, pages: Sequence[Page]
) -> tuple[Mapping[str, bytes], GateResult | LineGate]:
    """A bundle's network in a format, and how it compared with the bundle's own ONNX file.

    Args:
        bundle: of one network.
        format, precision: of the file; its input and output are float32 in every case.
        pages: labelled pages of several sizes for the gate.

    Returns:
        the files' content by suffix, and the gate's figures.

    Raises:
        GateError: the file does not do the same; the first layer that differs is named.
        MissingExtraError: OpenVINO is not installed.
    """
    with tempfile.TemporaryDirectory() as folder:
        if format == "torchscript":
            from ocrtune.export.torchscript import folded_network, torchscript  # here: the others need no torch

            network, example = folded_network(bundle)
            exported = as_torchscript(network, torchscript(network, example))
        elif format == "openvino":
            path = Path(folder) / "model.xml"
            write_openvino(bundle.onnx, path, half=precision == "fp16")
            exported = as_openvino(bundle, path, precision)
        else:
            content = bundle.onnx.read_bytes()
            exported = as_onnx(bundle, half_onnx(content) if precision == "fp16" else content, precision)
        return exported.files, check_export(bundle, exported, pages)


def as_onnx(bundle: Bundle, content: bytes, precision: Precision) -> Exported:
    """An ONNX file that was made from a bundle's."""
    differing = partial(differing_node, bundle.onnx.read_bytes(), content)
    return Exported(precision, {".onnx": content}, OnnxEngine(content), differing)


def as_openvino(bundle: Bundle, path: Path, precision: Precision) -> Exported:
    """IR that was made from a bundle's ONNX file, at a path ``.xml``.

    Raises:
        MissingExtraError: OpenVINO is not installed.
    """
    files = {suffix: path.with_suffix(suffix).read_bytes() for suffix in (".bin", ".xml")}
    differing = partial(differing_openvino_node, bundle.onnx.read_bytes(), path)
    return Exported(precision, files, OpenVinoEngine(path), differing)


def as_torchscript(network: nn.Module, content: bytes) -> Exported:
    """TorchScript that was made from a network."""
    import torch

    from ocrtune.nn.engine import TorchEngine

    exported = torch.jit.load(io.BytesIO(content))
    return Exported("fp32", {".pt": content}, TorchEngine(exported), partial(differing_module, network, exported))


def check_export(bundle: Bundle, exported: Exported, pages: Sequence[Page]) -> GateResult | LineGate:
    """Compare a file with the bundle's own ONNX file: tensors, what is decoded from them, and for detectors hmean.

    Raises:
        GateError: they differ; the first layer that does is named.
    """
    network, allowed = OnnxEngine(bundle.onnx), MAX_DIFFERENCE[exported.precision]
    try:
        if bundle.manifest.task == "detection":
            preprocess, thresholds = detection_settings(bundle)
            before, after = (TextDetector(engine, preprocess, thresholds) for engine in (network, exported.engine))
            return check_parity(before, after, pages, allowed)
        lines = _inputs(bundle, pages)
        return compare_lines(network, exported.engine, lines, allowed, EQUALLY_LIKELY[exported.precision])
    except (
        GateError,
        RuntimeError,
    ) as error:  # torch and OpenVINO raise the latter for sizes that a file does not take
        what = str(error).strip().splitlines()[-1]
        refused = error if isinstance(error, GateError) else GateError(f"the exported file does not run: {what}")
        raise GateError(
            f"{refused.what}; {_first_layer(bundle, exported, pages)}",
            expected=refused.expected,
            hint="nothing was written; take --precision fp32" if exported.precision == "fp16" else refused.hint,
        ) from error


def _first_layer(bundle: Bundle, exported: Exported, pages: Sequence[Page]) -> str:
    for batch in _inputs(bundle, pages):
        layer = exported.differing_layer(batch, LAYER_TOLERANCE[exported.precision])
        if layer is not None:
            return f"the first layer that differs is {layer}"
    return "no single layer differs by more than rounding"


def _inputs(bundle: Bundle, pages: Sequence[Page]) -> Iterator[Batch]:
    if bundle.manifest.task == "detection":
        preprocess, _ = detection_settings(bundle)
        return (preprocess(page.load()) for page in pages)
    settings = recognition_settings if bundle.manifest.task == "recognition" else orientation_settings
    return gate_lines(pages, settings(bundle)[0])
