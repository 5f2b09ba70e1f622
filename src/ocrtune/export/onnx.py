"""ONNX with dynamic batch, height and width."""

from __future__ import annotations

import io
import warnings

import onnx
import torch
from torch import nn

OPSET = 17


def detector_onnx(model: nn.Module) -> bytes:
    """A folded detector in eval mode as ONNX: ``input`` float32 [batch, 3, height, width] -> ``prob`` [batch, 1, ...].

    Args:
        model: as `ocrtune.detection.network.inference_form` gives it.
    """
    axes = {0: "batch", 2: "height", 3: "width"}
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # the newer exporter needs further packages and bakes in the sizes of nearest-neighbour upsampling
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model.cpu().eval(),
            (torch.zeros(1, 3, 64, 96),),
            buffer,  # type: ignore[arg-type]  # file-like objects are documented for this exporter
            dynamo=False,
            input_names=["input"],
            output_names=["prob"],
            dynamic_axes={"input": axes, "prob": axes},
            opset_version=OPSET,
        )
    content = buffer.getvalue()
    onnx.checker.check_model(onnx.load_from_string(content))
    return content
