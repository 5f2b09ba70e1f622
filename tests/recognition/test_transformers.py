"""The same networks in Hugging Face's `transformers`, which nobody here wrote: random weights go from theirs to ours."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ocrtune.export.onnx import OPSET
from ocrtune.recognition.network import FAMILY
from ocrtune.weights.network import load_network

CLASSES = 50
# output channels, stride, squeeze-and-excitation of each stage's blocks, as PaddleOCR's table has them
TINY: list[list[tuple[int, int | list[int], bool]]] = [
    [(48, 1, True)],
    [(48, 1, False)],
    [(96, [2, 1], False), (96, 1, True), (96, 1, False)],
    [(160, [2, 1], False), (160, 1, True), (160, 1, False), (160, 1, False)],
]
MEDIUM: list[list[tuple[int, int | list[int], bool]]] = [
    [(128, 1, True)],
    [(256, 1, False), (256, 1, False), (256, 1, True)],
    [(512, [2, 1], False), *[(512, 1, True), (512, 1, False)] * 3],
    [(768, [2, 1], False), (768, 1, True), (768, 1, False)],
]


def block_configs(before: int, stages: list[list[tuple[int, int | list[int], bool]]]) -> list[list[list[object]]]:
    rows: list[list[list[object]]] = []
    for stage in stages:
        rows.append([])
        for width, stride, use_se in stage:
            rows[-1].append([3, before, width, stride, use_se])
            before = width
    return rows


def reference(arch: str) -> nn.Module:
    """A network of `transformers` with random weights whose outputs spread over the classes."""
    models = "transformers.models."
    backbone = importlib.import_module(models + "pp_lcnet_v4").PPLCNetV4Config
    small, tiny = (importlib.import_module(f"{models}pp_ocrv6_{size}_rec") for size in ("small", "tiny"))
    network: Any
    if arch == "ctc_pplcnetv4_tiny":
        trunk = backbone(block_configs=block_configs(48, TINY), stem_channels=[3, 24, 48], stem_type="small")
        config = tiny.PPOCRV6TinyRecConfig(backbone_config=trunk, hidden_size=80, head_out_channels=CLASSES)
        network = tiny.PPOCRV6TinyRecForTextRecognition(config)
    elif arch == "ctc_pplcnetv4_medium":
        trunk = backbone(block_configs=block_configs(128, MEDIUM), stem_channels=[3, 64, 128])
        config = small.PPOCRV6SmallRecConfig(
            backbone_config=trunk, hidden_size=192, mlp_ratio=4.0, head_out_channels=CLASSES
        )
        network = small.PPOCRV6SmallRecForTextRecognition(config)
    else:
        config = small.PPOCRV6SmallRecConfig(backbone_config=backbone(), head_out_channels=CLASSES)
        network = small.PPOCRV6SmallRecForTextRecognition(config)
    for module in network.modules():
        spread(module)
    return Probabilities(network).eval()


@torch.no_grad()
def spread(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Linear)):
        module.weight.normal_(0, (1.6 / module.weight[0].numel()) ** 0.5)
    elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm)):
        module.weight.normal_(1, 0.1)
    if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
        assert module.running_mean is not None
        assert module.running_var is not None
        module.running_mean.normal_(0, 0.1)
        module.running_var.uniform_(0.5, 1.5)
    bias = getattr(module, "bias", None)
    if isinstance(bias, Tensor):
        bias.normal_(0, 0.05)


class Probabilities(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x).last_hidden_state


@pytest.mark.parametrize("arch", ["ctc_pplcnetv4_tiny", "ctc_pplcnetv4_small", "ctc_pplcnetv4_medium"])
@pytest.mark.filterwarnings("ignore")
def test_recogniser_does_what_the_one_of_transformers_does(arch: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    theirs, x = reference(arch), torch.randn(2, 3, 48, 160)
    torch.onnx.export(theirs, (x,), str(tmp_path / "theirs.onnx"), dynamo=False, opset_version=OPSET)
    ours = load_network(FAMILY, str(tmp_path / "theirs.onnx"), arch).model.eval()
    with torch.no_grad():  # float64: random weights amplify rounding to 2e-4
        expected, found = (network.double()(x.double()).numpy() for network in (theirs, ours))
    assert np.ptp(expected.argmax(-1)) > 0, "an output that never changes proves nothing"
    np.testing.assert_allclose(found, expected, atol=1e-4)
