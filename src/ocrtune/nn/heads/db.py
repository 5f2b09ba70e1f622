"""The head of DBNet: probability map, threshold map and their differentiable binarisation.

Source: Liao et al., "Real-time Scene Text Detection with Differentiable Binarization" (2020). PP-OCRv6 adds heads on
the pyramid's maps, used in training only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from ocrtune.nn.fuse import conv_bn_to_conv, deconv_bn_to_deconv

STEP_SLOPE = 50.0  # k in the paper


class DBMaps(NamedTuple):
    """What the head gives in training; logits, so that the loss can choose a stable form.

    Attributes:
        shrink: float [N, 1, H, W], logits of the probability map.
        threshold: float [N, 1, H, W], logits of the threshold map; None for a network without that branch.
    """

    shrink: Tensor
    threshold: Tensor | None


class MapBranch(nn.Module):
    """3x3 convolution, then two transposed convolutions that give one map at four times the input's size."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        quarter = in_channels // 4
        self.conv1 = nn.Conv2d(in_channels, quarter, 3, padding=1, bias=False)
        self.conv_bn1 = nn.BatchNorm2d(quarter)
        self.conv2 = nn.ConvTranspose2d(quarter, quarter, 2, 2)
        self.conv_bn2 = nn.BatchNorm2d(quarter)
        self.conv3 = nn.ConvTranspose2d(quarter, 1, 2, 2)
        for bn in (self.conv_bn1, self.conv_bn2):
            nn.init.constant_(bn.bias, 1e-4)
        for deconv in (self.conv2, self.conv3):
            nn.init.kaiming_uniform_(deconv.weight)

    def forward(self, x: Tensor) -> Tensor:
        """float [N, C, H/4, W/4] -> logits, float [N, 1, H, W]."""
        x = F.relu(self.conv_bn1(self.conv1(x)))
        x = F.relu(self.conv_bn2(self.conv2(x)))
        return self.conv3(x)

    def fused(self) -> nn.Module:
        return nn.Sequential(
            conv_bn_to_conv(self.conv1, self.conv_bn1),
            nn.ReLU(),
            deconv_bn_to_deconv(self.conv2, self.conv_bn2),
            nn.ReLU(),
            self.conv3,
        )


class DBHead(nn.Module):
    """Probability and threshold branches; ``auxiliary`` names pyramid levels (4, 3, 2) with heads of their own."""

    def __init__(self, in_channels: int, auxiliary: Sequence[int] = (), auxiliary_channels: int = 0) -> None:
        super().__init__()
        self.binarize: nn.Module = MapBranch(in_channels)
        self.thresh: nn.Module | None = MapBranch(in_channels)
        self.auxiliary = tuple(auxiliary)
        for level in self.auxiliary:
            self.add_module(f"aux_binarize_p{level}", MapBranch(auxiliary_channels))
            self.add_module(f"aux_thresh_p{level}", MapBranch(auxiliary_channels))

    def forward(self, x: Tensor) -> Tensor:
        """float [N, C, H/4, W/4] -> logits of the probability map, float [N, 1, H, W]."""
        return self.binarize(x)

    def training_maps(self, x: Tensor) -> DBMaps:
        """The same with the threshold branch, where there is one."""
        return DBMaps(self.binarize(x), None if self.thresh is None else self.thresh(x))

    def drop_training_branches(self) -> None:
        """Remove what only training uses: the threshold branch and the auxiliary heads."""
        self.thresh = None
        for level in self.auxiliary:
            delattr(self, f"aux_binarize_p{level}")
            delattr(self, f"aux_thresh_p{level}")
        self.auxiliary = ()

    def auxiliary_maps(self, pyramid: Sequence[Tensor]) -> dict[int, DBMaps]:
        """Maps of the auxiliary heads by level; the pyramid's maps are enlarged to stride 4 first.

        Args:
            pyramid: maps at strides 4, 8 and 16 (levels 2, 3 and 4).
        """
        maps = {}
        for level in self.auxiliary:
            x = pyramid[level - 2]
            if level > 2:
                x = F.interpolate(x, scale_factor=float(2 ** (level - 2)), mode="bilinear", align_corners=False)
            maps[level] = DBMaps(getattr(self, f"aux_binarize_p{level}")(x), getattr(self, f"aux_thresh_p{level}")(x))
        return maps
