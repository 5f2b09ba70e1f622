"""ONNX in float16."""

from __future__ import annotations

import onnx


def half_onnx(content: bytes) -> bytes:
    """A float32 network, ONNX, with weights and arithmetic in float16; its input and outputs stay float32.

    ONNX Runtime's own converter does it, and leaves operators in float32 that have no float16 form. Weights beyond
    float16's range are cut off: that the file still does the same is for the gate to say.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    converted = convert_float_to_float16(onnx.load_from_string(content), keep_io_types=True)
    OnnxModel.graph_topological_sort(converted.graph)  # the casts of input and output were appended
    onnx.checker.check_model(converted)
    return bytes(converted.SerializeToString())
