"""OpenVINO's intermediate representation (IR, opset 1 and later)."""

from __future__ import annotations

from pathlib import Path

from ocrtune.runtime.engines import import_openvino, openvino_core


def write_openvino(onnx: Path, path: Path, half: bool) -> None:
    """Convert an ONNX file to IR.

    Args:
        onnx: the file.
        path: what to write, ``.xml``; the weights go beside it, ``.bin``.
        half: store the weights in float16; OpenVINO computes in what suits the device.

    Raises:
        MissingExtraError: OpenVINO is not installed.
    """
    openvino = import_openvino()
    openvino.save_model(openvino_core().read_model(onnx), path, compress_to_fp16=half)
