"""Direction classifiers: is a text line upright, or turned by 180 degrees?"""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from ocrtune.errors import named
from ocrtune.nn.backbones.mobilenetv3 import mobilenetv3_line_small_x0_35
from ocrtune.nn.backbones.pplcnet import pplcnet_textline_x0_25, pplcnet_textline_x1_0


class LineClassifier(nn.Module):
    """Backbone, global average, one linear layer.

    Args:
        backbone: float [N, 3, H, W] -> float [N, C, h, w].
        channels: C.
        classes: number of directions.
    """

    def __init__(self, backbone: nn.Module, channels: int, classes: int = 2) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """float [N, 3, H, W] -> float [N, classes]: probabilities in eval mode, logits in training mode."""
        logits: Tensor = self.head(F.adaptive_avg_pool2d(self.backbone(x), 1).flatten(1))
        return logits if self.training else logits.float().softmax(dim=-1)


def cls_mobilenetv3_x0_35() -> LineClassifier:
    """PP-OCR v2.0's mobile direction classifier for 48 x 192: 0.13 M parameters."""
    backbone = mobilenetv3_line_small_x0_35()
    return LineClassifier(backbone, backbone.out_channels)


def cls_pplcnet_x0_25() -> LineClassifier:
    """PP-OCR v3.x's small text line direction classifier for 80 x 160."""
    backbone = pplcnet_textline_x0_25()
    return LineClassifier(backbone, backbone.out_channels)


def cls_pplcnet_x1_0() -> LineClassifier:
    """PP-OCR v3.x's text line direction classifier for 80 x 160."""
    backbone = pplcnet_textline_x1_0()
    return LineClassifier(backbone, backbone.out_channels)


CLASSIFIERS: dict[str, Callable[[], LineClassifier]] = {
    "cls_mobilenetv3_x0_35": cls_mobilenetv3_x0_35,
    "cls_pplcnet_x0_25": cls_pplcnet_x0_25,
    "cls_pplcnet_x1_0": cls_pplcnet_x1_0,
}


def build_classifier(arch: str) -> LineClassifier:
    """A direction classifier in its training form with fresh weights.

    Raises:
        ConfigError: no classifier has this name.
    """
    return named(arch, CLASSIFIERS, "direction classifier", "model.arch")()
