"""ONNX in float16."""

from __future__ import annotations

import onnx

_FLOAT32 = ("BatchNormalization",)
"""Those that were not folded hold variances of 1e8, where PP-OCRv4's detectors have them."""


def half_onnx(content: bytes) -> bytes:
    """A float32 network, ONNX, with weights and arithmetic in float16; its input and outputs stay float32.

    ONNX Runtime's own converter does it; operators without a float16 form, and `_FLOAT32`, stay in float32. Weights beyond
    float16's range are cut off: that the file still does the same is for the gate to say.
    """
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    model = onnx.load_from_string(content)
    _keep_constants_as_initializers(model.graph)
    converted = convert_float_to_float16(model, keep_io_types=True, op_block_list=[*DEFAULT_OP_BLOCK_LIST, *_FLOAT32])
    OnnxModel.graph_topological_sort(converted.graph)  # the casts of input and output were appended
    onnx.checker.check_model(converted)
    return bytes(converted.SerializeToString())


def _keep_constants_as_initializers(graph: onnx.GraphProto) -> None:
    """Of constants the converter knows only as initializers that an operator in float32 needs them so."""
    for node in [node for node in graph.node if node.op_type == "Constant" and node.attribute[0].name == "value"]:
        tensor = onnx.TensorProto()
        tensor.CopyFrom(node.attribute[0].t)
        tensor.name = node.output[0]
        graph.initializer.append(tensor)
        graph.node.remove(node)
