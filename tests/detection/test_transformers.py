"""PP-OCRv6's medium detector, which has no golden outputs, against the one of Hugging Face's `transformers`."""

from __future__ import annotations

import copy
import importlib
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ocrtune.detection.model import build_detector
from ocrtune.nn.backbones.pplcnetv4 import RepDepthwise
from ocrtune.nn.necks.large_kernel import LargeKernelConv
from ocrtune.weights.transformers import names_here

WIDTHS, DEPTHS = (128, 256, 512, 896), (2, 3, 5, 3)


def reference() -> Any:
    """Their network with weights of its own; PaddleOCR's table of blocks and kernels."""
    models = "transformers.models."
    blocks, before = [], WIDTHS[0]
    for stage, (width, depth) in enumerate(zip(WIDTHS, DEPTHS, strict=True)):
        rows: list[list[object]] = []
        for index in range(depth):
            halves = stage > 0 and index == 0
            attends = not halves and (index - (stage > 0)) % 2 == 0
            rows.append([3, before, width, 2 if halves else 1, attends])
            before = width
        blocks.append(rows)
    backbone = importlib.import_module(models + "pp_lcnet_v4").PPLCNetV4Config(
        block_configs=blocks, stem_channels=[3, 64, 128], out_features=[f"stage{i}" for i in (1, 2, 3, 4)]
    )
    intraclass: dict[str, list[Any]] = {"reduce_channel": [1, 1, 0], "return_channel": [1, 1, 0]}
    for ratio, k in (("long", 7), ("mid", 5), ("short", 3)):
        intraclass[f"vertical_long_to_small_conv_{ratio}ratio"] = [[k, 1], 1, [k // 2, 0]]
        intraclass[f"horizontal_small_to_long_conv_{ratio}ratio"] = [[1, k], 1, [0, k // 2]]
        intraclass[f"symmetric_conv_long_{ratio}ratio"] = [k, 1, k // 2]
    module = importlib.import_module(models + "pp_ocrv6_medium_det")
    config = module.PPOCRV6MediumDetConfig(
        backbone_config=backbone,
        intraclass_block_config=intraclass,
        scale_factor_list=[1, 2, 4, 8],
        kernel_list=[3, 2, 2],
    )
    return module.PPOCRV6MediumDetForObjectDetection(config).eval()


@torch.no_grad()
def lively(network: nn.Module) -> None:
    """Statistics and scales that differ from channel to channel."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.normal_(1, 0.1)
            module.bias.normal_(0, 0.1)


def their_tensors(ours: nn.Module) -> dict[str, Tensor]:
    """Our network's tensors with depthwise kernels merged and 9x9 kernels made dense, as theirs has them."""
    merged = copy.deepcopy(ours)
    dense: dict[str, Tensor] = {}
    for name, module in list(merged.named_modules()):
        if isinstance(module, RepDepthwise):
            merged.set_submodule(name, module.fused())
        elif isinstance(module, LargeKernelConv):
            depthwise, pointwise = module.fused().children()
            assert isinstance(depthwise, nn.Conv2d)
            assert isinstance(pointwise, nn.Conv2d)
            assert depthwise.bias is not None
            assert pointwise.bias is not None
            matrix = pointwise.weight[:, :, 0, 0]
            dense[f"{name}.weight"] = matrix[:, :, None, None] * depthwise.weight[:, 0]
            dense[f"{name}.bias"] = matrix @ depthwise.bias + pointwise.bias
    return {**merged.state_dict(), **dense}


@pytest.mark.filterwarnings("ignore")
def test_medium_detector_does_what_the_one_of_transformers_does() -> None:
    torch.manual_seed(0)
    # float64: merged kernels are rounded otherwise, which random weights amplify
    ours, theirs = build_detector("db_pplcnetv4_medium").eval().double(), reference().double()
    lively(ours)
    tensors = their_tensors(ours)
    names = names_here(theirs.state_dict().keys())
    theirs.load_state_dict({name: tensors[here] for name, here in names.items()})
    x = torch.randn(1, 3, 64, 96, dtype=torch.float64)
    with torch.no_grad():
        found, expected = ours(x), theirs(x).last_hidden_state
    assert float(expected.std()) > 1e-3
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
