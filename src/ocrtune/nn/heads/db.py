"""The head of DBNet: probability map, threshold map and their differentiable binarisation; and PP-OCR's PF head.

Source: Liao et al., "Real-time Scene Text Detection with Differentiable Binarization" (2020). PP-OCRv6 adds heads on
the pyramid's maps, used in training only; PP-OCRv4's server detector a second look at the probability map.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ocrtune.nn.fuse import conv_bn_to_conv, deconv_bn_to_deconv
from ocrtune.nn.layers import ConvBN, upsample2x

STEP_SLOPE = 50.0  # k in the paper


class DBMaps(NamedTuple):
    """What the head gives in training; logits, so that the loss can choose a stable form.

    Attributes:
        shrink: float [N, 1, H, W], logits of the probability map.
        threshold: float [N, 1, H, W], logits of the threshold map; None for a network without that branch.
        refined: float [N, 1, H, W], logits of the PF head's second map; None for other heads.
    """

    shrink: Tensor
    threshold: Tensor | None
    refined: Tensor | None = None


class DeployedBranch(nn.Sequential):
    """`MapBranch` with its normalisations folded: the same layers, in their order."""

    def features(self, x: Tensor) -> Tensor:
        return self[:-1](x)

    @property
    def last(self) -> nn.ConvTranspose2d:
        layer = self[-1]
        assert isinstance(layer, nn.ConvTranspose2d)
        return layer


class MapBranch(nn.Module):
    """A convolution, then two transposed convolutions that give one map at four times the input's size.

    Args:
        in_channels: of the input.
        kernel_size: of the first convolution: 3, or 7 in PP-OCRv3's server detector.
    """

    def __init__(self, in_channels: int, kernel_size: int = 3) -> None:
        super().__init__()
        quarter = in_channels // 4
        self.conv1 = nn.Conv2d(in_channels, quarter, kernel_size, padding=kernel_size // 2, bias=False)
        self.conv_bn1 = nn.BatchNorm2d(quarter)
        self.conv2 = nn.ConvTranspose2d(quarter, quarter, 2, 2)
        self.conv_bn2 = nn.BatchNorm2d(quarter)
        self.conv3 = nn.ConvTranspose2d(quarter, 1, 2, 2)
        for bn in (self.conv_bn1, self.conv_bn2):
            nn.init.constant_(bn.bias, 1e-4)
        for deconv in (self.conv2, self.conv3):
            nn.init.kaiming_uniform_(deconv.weight)

    @property
    def last(self) -> nn.ConvTranspose2d:
        """The layer that gives the logits."""
        return self.conv3

    def features(self, x: Tensor) -> Tensor:
        """float [N, C, H/4, W/4] -> what the last layer sees, float [N, C/4, H/2, W/2]."""
        x = F.relu(self.conv_bn1(self.conv1(x)))
        return F.relu(self.conv_bn2(self.conv2(x)))

    def forward(self, x: Tensor) -> Tensor:
        """float [N, C, H/4, W/4] -> logits, float [N, 1, H, W]."""
        return self.conv3(self.features(x))

    def fused(self) -> nn.Module:
        return DeployedBranch(
            conv_bn_to_conv(self.conv1, self.conv_bn1),
            nn.ReLU(),
            deconv_bn_to_deconv(self.conv2, self.conv_bn2),
            nn.ReLU(),
            self.conv3,
        )


class DBHead(nn.Module):
    """Probability and threshold branches.

    Args:
        in_channels: of the neck's output.
        auxiliary: pyramid levels (4, 3, 2) with heads of their own, for training.
        auxiliary_channels: of those levels.
        kernel_size: of each branch's first convolution.
    """

    def __init__(
        self, in_channels: int, auxiliary: Sequence[int] = (), auxiliary_channels: int = 0, kernel_size: int = 3
    ) -> None:
        super().__init__()
        self.binarize: MapBranch | DeployedBranch = MapBranch(in_channels, kernel_size)
        self.thresh: nn.Module | None = MapBranch(in_channels, kernel_size)
        self.auxiliary = tuple(auxiliary)
        for level in self.auxiliary:
            self.add_module(f"aux_binarize_p{level}", MapBranch(auxiliary_channels))
            self.add_module(f"aux_thresh_p{level}", MapBranch(auxiliary_channels))

    def forward(self, x: Tensor) -> Tensor:
        """float [N, C, H/4, W/4] -> the probability map, float [N, 1, H, W]."""
        return self.binarize(x).sigmoid()

    def training_maps(self, x: Tensor) -> DBMaps:
        """float [N, C, H/4, W/4] -> the maps' logits."""
        return DBMaps(self.binarize(x), None if self.thresh is None else self.thresh(x))

    @torch.no_grad()
    def divide_logits(self, temperature: float) -> None:
        """Divide the logits of the probability map by a temperature, in the last layer's weights."""
        _divide(self.binarize.last, temperature)

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


class LocalModule(nn.Module):
    """Looks at the probability map together with the features that it was made of, and gives a second map.

    Args:
        channels: of those features.
        middle: of the convolution between.
    """

    def __init__(self, channels: int, middle: int) -> None:
        super().__init__()
        self.last_3 = ConvBN(channels + 1, middle, 3, activation=nn.ReLU())
        self.last_1 = nn.Conv2d(middle, 1, 1)

    def forward(self, probability: Tensor, features: Tensor) -> Tensor:
        """float [N, 1, H, W] and [N, C, H/2, W/2] -> logits, float [N, 1, H, W]."""
        return self.last_1(self.last_3(torch.cat([probability, upsample2x(features)], dim=1)))


class PFHead(DBHead):
    """PP-OCRv4's head for server detectors ("PFHeadLocal"): the mean of the probability map and of a refined one.

    Args:
        in_channels: of the neck's output.
        large: whether the refining convolution has as many channels as the features it sees, or half of them.
    """

    def __init__(self, in_channels: int, large: bool = True) -> None:
        super().__init__(in_channels)
        quarter = in_channels // 4
        self.cbn_layer = LocalModule(quarter, quarter if large else quarter // 2)

    def forward(self, x: Tensor) -> Tensor:
        shrink, refined = self._both(x)
        return (shrink.sigmoid() + refined.sigmoid()) / 2

    def training_maps(self, x: Tensor) -> DBMaps:
        shrink, refined = self._both(x)
        return DBMaps(shrink, None if self.thresh is None else self.thresh(x), refined)

    @torch.no_grad()
    def divide_logits(self, temperature: float) -> None:
        """For the refined map alone: it is made of the other, which therefore stays as it is."""
        _divide(self.cbn_layer.last_1, temperature)

    def _both(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.binarize.features(x)
        shrink = self.binarize.last(features)
        return shrink, self.cbn_layer(shrink.sigmoid(), features)


def _divide(layer: nn.Conv2d | nn.ConvTranspose2d, temperature: float) -> None:
    layer.weight /= temperature
    if layer.bias is not None:
        layer.bias /= temperature
