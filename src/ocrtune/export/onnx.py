"""ONNX with dynamic batch and size."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping

import onnx
import torch
from torch import Tensor, nn

OPSET = 17


def detector_onnx(model: nn.Module) -> bytes:
    """A folded detector in eval mode as ONNX: ``input`` float32 [batch, 3, height, width] -> ``prob`` [batch, 1, ...].

    Args:
        model: as `ocrtune.weights.network.inference_form` gives it.
    """
    axes = {0: "batch", 2: "height", 3: "width"}
    return _exported(model, torch.zeros(1, 3, 64, 96), {"input": axes, "prob": axes})


def line_model_onnx(model: nn.Module, example: Tensor, columns: bool) -> bytes:
    """A folded recogniser (``prob`` is [batch, columns, classes]) or direction classifier ([batch, classes]) as ONNX.

    Args:
        model: as `ocrtune.weights.network.inference_form` gives it.
        example: an input, float32 [N, 3, H, W].
        columns: whether the width is dynamic, and with it the number of columns; otherwise the size is the example's.
    """
    if columns:
        return _exported(model, example, {"input": {0: "batch", 3: "width"}, "prob": {0: "batch", 1: "columns"}})
    return _exported(model, example, {"input": {0: "batch"}, "prob": {0: "batch"}})


def _exported(model: nn.Module, example: Tensor, axes: Mapping[str, Mapping[int, str]]) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # the newer exporter needs further packages and bakes in the sizes of nearest-neighbour upsampling
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model.cpu().eval(),
            (example,),
            buffer,  # type: ignore[arg-type]  # file-like objects are documented for this exporter
            dynamo=False,
            input_names=["input"],
            output_names=["prob"],
            dynamic_axes=axes,
            opset_version=OPSET,
        )
    content = buffer.getvalue()
    onnx.checker.check_model(onnx.load_from_string(content))
    return content
