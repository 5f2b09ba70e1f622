"""PP-HGNetV2, the backbone of PP-OCRv5's server models.

Source: PP-HGNetV2 (PaddleClas, 2023; described in Zhao et al., "RT-DETR", 2024): PP-HGNet with a two-path stem, light
layers (a 1x1 and a depthwise convolution) in its later stages, and an aggregation in two steps instead of attention. What
differs for text lines: a stem of stride 2, a strided first stage, and strides that shrink one axis alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ocrtune.nn.layers import ConvBN, Size

_LAYERS = 6


class _Stage(NamedTuple):
    middle: int
    out_channels: int
    blocks: int
    light: bool


_B4 = (
    _Stage(48, 128, 1, light=False),
    _Stage(96, 512, 1, light=False),
    _Stage(192, 1024, 3, light=True),
    _Stage(384, 2048, 1, light=True),
)


class Stem(nn.Module):
    """Stem with a pooled and a convolved path; the 2x2 layers pad one pixel right and below.

    Args:
        middle: channels of its inside.
        out_channels: of the result.
        stride: of the third convolution; the first has 2.
    """

    def __init__(self, middle: int, out_channels: int, stride: Size = 2) -> None:
        super().__init__()
        self.stem1 = ConvBN(3, middle, 3, 2, activation=nn.ReLU())
        self.stem2a = ConvBN(middle, middle // 2, 2, padding=0, activation=nn.ReLU())
        self.stem2b = ConvBN(middle // 2, middle, 2, padding=0, activation=nn.ReLU())
        self.stem3 = ConvBN(2 * middle, middle, 3, stride, activation=nn.ReLU())
        self.stem4 = ConvBN(middle, out_channels, 1, activation=nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        """float [N, 3, H, W] -> float [N, out, H/(2*stride), W/(2*stride)]."""
        x = self.stem1(x)
        convolved = self.stem2b(F.pad(self.stem2a(F.pad(x, (0, 1, 0, 1))), (0, 1, 0, 1)))
        # x >= 0 after the ReLU, so that padding with 0 pools like padding with -inf
        pooled = F.max_pool2d(F.pad(x, (0, 1, 0, 1)), kernel_size=2, stride=1)
        return self.stem4(self.stem3(torch.cat([pooled, convolved], dim=1)))


class LightLayer(nn.Module):
    """1x1 convolution, then a depthwise 5x5 convolution with the only activation."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = ConvBN(in_channels, out_channels, 1)
        self.conv2 = ConvBN(out_channels, out_channels, 5, groups=out_channels, activation=nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(self.conv1(x))


class HGBlock(nn.Module):
    """Layers in a row; their outputs and the block's input together pass two 1x1 convolutions."""

    def __init__(self, in_channels: int, stage: _Stage, shortcut: bool) -> None:
        super().__init__()
        middle, out_channels = stage.middle, stage.out_channels
        self.layers = nn.ModuleList(
            LightLayer(width, middle) if stage.light else ConvBN(width, middle, 3, activation=nn.ReLU())
            for width in [in_channels, *[middle] * (_LAYERS - 1)]
        )
        joined = in_channels + _LAYERS * middle
        self.aggregation_squeeze_conv = ConvBN(joined, out_channels // 2, 1, activation=nn.ReLU())
        self.aggregation_excitation_conv = ConvBN(out_channels // 2, out_channels, 1, activation=nn.ReLU())
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """float [N, in, H, W] -> float [N, out, H, W]."""
        outputs = [x]
        for layer in self.layers:
            outputs.append(layer(outputs[-1]))
        out: Tensor = self.aggregation_excitation_conv(self.aggregation_squeeze_conv(torch.cat(outputs, dim=1)))
        return x + out if self.shortcut else out


class HGStage(nn.Module):
    """An optional depthwise convolution that shrinks the map, then blocks; all but the first have a shortcut.

    Args:
        in_channels: of the input.
        stage: widths and depth.
        stride: of the depthwise convolution; None leaves it out.
    """

    def __init__(self, in_channels: int, stage: _Stage, stride: Size | None) -> None:
        super().__init__()
        self.downsample = (
            nn.Identity() if stride is None else ConvBN(in_channels, in_channels, 3, stride, groups=in_channels)
        )
        widths = [in_channels, *[stage.out_channels] * (stage.blocks - 1)]
        self.blocks = nn.Sequential(*(HGBlock(width, stage, shortcut=i > 0) for i, width in enumerate(widths)))

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(self.downsample(x))


class PPHGNetV2(nn.Module):
    """The trunk of PP-HGNetV2-B4.

    Args:
        stem_stride: of the stem's third convolution.
        strides: of the four stages; None for a stage that keeps the size of its input.
    """

    def __init__(self, stem_stride: Size, strides: Sequence[Size | None]) -> None:
        super().__init__()
        self.stem = Stem(32, 48, stem_stride)
        before, stages = 48, []
        for stage, stride in zip(_B4, strides, strict=True):
            stages.append(HGStage(before, stage, stride))
            before = stage.out_channels
        self.stages = nn.ModuleList(stages)

    def maps(self, x: Tensor) -> list[Tensor]:
        """float [N, 3, H, W] -> the outputs of the four stages, 128, 512, 1024 and 2048 channels."""
        x, maps = self.stem(x), []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


class PPHGNetV2Det(PPHGNetV2):
    """PP-HGNetV2-B4 with outputs at strides 4, 8, 16 and 32 for detection.

    Attributes:
        out_channels: channels of the four outputs.
    """

    def __init__(self) -> None:
        super().__init__(stem_stride=2, strides=(None, 2, 2, 2))
        self.out_channels = [stage.out_channels for stage in _B4]

    def forward(self, x: Tensor) -> list[Tensor]:
        """float [N, 3, H, W], H and W multiples of 32 -> four maps at strides 4, 8, 16, 32."""
        return self.maps(x)


class PPHGNetV2Rec(PPHGNetV2):
    """PP-HGNetV2-B4 for text lines: height is reduced 16-fold and averaged away, width 8-fold.

    Attributes:
        out_channels: channels of the output.
    """

    def __init__(self) -> None:
        super().__init__(stem_stride=1, strides=((2, 1), (1, 2), (2, 1), (2, 1)))
        self.out_channels = _B4[-1].out_channels

    def forward(self, x: Tensor) -> Tensor:
        """float [N, 3, 48, W] -> float [N, 2048, 1, W/8]."""
        return F.avg_pool2d(self.maps(x)[-1], (3, 2))


def pphgnetv2_b4_det() -> PPHGNetV2Det:
    """The backbone of the PP-OCRv5 server detector: outputs of 128, 512, 1024 and 2048 channels."""
    return PPHGNetV2Det()


def pphgnetv2_b4_rec() -> PPHGNetV2Rec:
    """The backbone of the PP-OCRv5 server recogniser: an output of 2048 channels."""
    return PPHGNetV2Rec()
