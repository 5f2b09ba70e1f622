"""PP-HGNet, the backbone of PP-OCRv4's server models.

Source: PP-HGNet (PaddleClas, 2022): blocks that aggregate the outputs of all their convolutions, as VoVNet's do, with its
effective squeeze-and-excitation (Lee and Park, "CenterMask", 2020). What differs for text lines: no pool behind the stem,
a strided first stage, and strides that shrink one axis alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ocrtune.nn.layers import ConvBN, Size

_LAYERS = 6
# middle channels, output channels, blocks of each stage
_STAGES = ((128, 256, 1), (160, 512, 1), (192, 768, 2), (224, 1024, 1))


class EffectiveSE(nn.Module):
    """Channel attention by one 1x1 convolution of the global average."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.conv(F.adaptive_avg_pool2d(x, 1)).sigmoid()


class HGBlock(nn.Module):
    """3x3 convolutions in a row; their outputs and the block's input together pass a 1x1 convolution and attention."""

    def __init__(self, in_channels: int, middle: int, out_channels: int, shortcut: bool) -> None:
        super().__init__()
        widths = [in_channels, *[middle] * (_LAYERS - 1)]
        self.layers = nn.ModuleList(ConvBN(width, middle, 3, activation=nn.ReLU()) for width in widths)
        self.aggregation_conv = ConvBN(in_channels + _LAYERS * middle, out_channels, 1, activation=nn.ReLU())
        self.att = EffectiveSE(out_channels)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """float [N, in, H, W] -> float [N, out, H, W]."""
        outputs = [x]
        for layer in self.layers:
            outputs.append(layer(outputs[-1]))
        out: Tensor = self.att(self.aggregation_conv(torch.cat(outputs, dim=1)))
        return x + out if self.shortcut else out


class HGStage(nn.Module):
    """An optional depthwise convolution that shrinks the map, then blocks; all but the first have a shortcut.

    Args:
        stride: of the depthwise convolution; None leaves it out.
    """

    def __init__(self, in_channels: int, middle: int, out_channels: int, blocks: int, stride: Size | None) -> None:
        super().__init__()
        self.downsample = (
            nn.Identity() if stride is None else ConvBN(in_channels, in_channels, 3, stride, groups=in_channels)
        )
        widths = [in_channels, *[out_channels] * (blocks - 1)]
        self.blocks = nn.Sequential(
            *(HGBlock(width, middle, out_channels, shortcut=index > 0) for index, width in enumerate(widths))
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(self.downsample(x))


class PPHGNet(nn.Module):
    """The trunk of PP-HGNet small: three 3x3 convolutions, the first of stride 2, and four stages.

    Args:
        strides: of the four stages; None for a stage that keeps the size of its input.
        stem_pool: halve both axes once more behind the stem.
    """

    def __init__(self, strides: Sequence[Size | None], stem_pool: bool) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            ConvBN(3, 64, 3, 2, activation=nn.ReLU()),
            ConvBN(64, 64, 3, activation=nn.ReLU()),
            ConvBN(64, 128, 3, activation=nn.ReLU()),
        )
        self.pool = nn.MaxPool2d(3, 2, padding=1) if stem_pool else nn.Identity()
        before, stages = 128, []
        for (middle, width, blocks), stride in zip(_STAGES, strides, strict=True):
            stages.append(HGStage(before, middle, width, blocks, stride))
            before = width
        self.stages = nn.ModuleList(stages)

    def maps(self, x: Tensor) -> list[Tensor]:
        """float [N, 3, H, W] -> the outputs of the four stages, 256, 512, 768 and 1024 channels."""
        x, maps = self.pool(self.stem(x)), []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


class PPHGNetDet(PPHGNet):
    """PP-HGNet small with outputs at strides 4, 8, 16 and 32 for detection.

    Attributes:
        out_channels: channels of the four outputs.
    """

    def __init__(self) -> None:
        super().__init__(strides=(None, 2, 2, 2), stem_pool=True)
        self.out_channels = [width for _, width, _ in _STAGES]

    def forward(self, x: Tensor) -> list[Tensor]:
        """float [N, 3, H, W], H and W multiples of 32 -> four maps at strides 4, 8, 16, 32."""
        return self.maps(x)


class PPHGNetRec(PPHGNet):
    """PP-HGNet small for text lines: height is reduced 16-fold and averaged away, width 8-fold.

    Attributes:
        out_channels: channels of the output.
    """

    def __init__(self) -> None:
        super().__init__(strides=((2, 1), (1, 2), (2, 1), (2, 1)), stem_pool=False)
        self.out_channels = _STAGES[-1][1]

    def forward(self, x: Tensor) -> Tensor:
        """float [N, 3, 48, W] -> float [N, 1024, 1, W/8]."""
        return F.avg_pool2d(self.maps(x)[-1], (3, 2))


def pphgnet_small_det() -> PPHGNetDet:
    """The backbone of the PP-OCRv4 server detector: outputs of 256, 512, 768 and 1024 channels."""
    return PPHGNetDet()


def pphgnet_small_rec() -> PPHGNetRec:
    """The backbone of the PP-OCRv4 server recogniser: an output of 1024 channels."""
    return PPHGNetRec()
