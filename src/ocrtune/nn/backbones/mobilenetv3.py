"""MobileNetV3, the backbone of PP-OCR v2.0's mobile models.

Source: Howard et al., "Searching for MobileNetV3" (2019). What differs for text lines: all strides but the first shrink
the height alone, and a maximum over 2x2 closes the network.
"""

from __future__ import annotations

from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from ocrtune.nn.layers import ConvBN, Size, SqueezeExcitation, scaled_channels

_scaled = partial(scaled_channels, divisor=8)

# kernel, middle channels, output channels, squeeze-and-excitation, hard swish, strided; channels before scaling
_SMALL: tuple[tuple[int, int, int, bool, bool, bool], ...] = (
    (3, 16, 16, True, False, True),
    (3, 72, 24, False, False, True),
    (3, 88, 24, False, False, False),
    (5, 96, 40, True, True, True),
    (5, 240, 40, True, True, False),
    (5, 240, 40, True, True, False),
    (5, 120, 48, True, True, False),
    (5, 144, 48, True, True, False),
    (5, 288, 96, True, True, True),
    (5, 576, 96, True, True, False),
    (5, 576, 96, True, True, False),
)
_LAST = 576


class InvertedResidual(nn.Module):
    """Expand, depthwise convolution, optional squeeze-and-excitation, project; a shortcut where the shape stays."""

    def __init__(
        self,
        in_channels: int,
        middle: int,
        out_channels: int,
        kernel_size: int,
        stride: Size,
        *,
        use_se: bool,
        hardswish: bool,
    ) -> None:
        super().__init__()
        activation = nn.Hardswish if hardswish else nn.ReLU
        self.expand_conv = ConvBN(in_channels, middle, 1, activation=activation())
        self.bottleneck_conv = ConvBN(middle, middle, kernel_size, stride, groups=middle, activation=activation())
        self.mid_se = SqueezeExcitation(middle, slope=0.2) if use_se else None
        self.linear_conv = ConvBN(middle, out_channels, 1)
        self.shortcut = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        out = self.bottleneck_conv(self.expand_conv(x))
        out = self.linear_conv(out if self.mid_se is None else self.mid_se(out))
        return x + out if self.shortcut else out


class MobileNetV3Line(nn.Module):
    """MobileNetV3 small for text lines.

    Args:
        scale: width multiplier; channels are rounded to multiples of 8.
        first_stride: of the first block; the pair (1, 1) shrinks nothing, but the block has no shortcut.

    Attributes:
        out_channels: channels of the output.
    """

    def __init__(self, scale: float, first_stride: tuple[int, int] = (2, 1)) -> None:
        super().__init__()
        before = _scaled(16, scale)
        self.conv1 = ConvBN(3, before, 3, 2, activation=nn.Hardswish())
        blocks = []
        for index, (kernel, middle, out, use_se, hardswish, strided) in enumerate(_SMALL):
            stride: Size = first_stride if index == 0 else (2, 1) if strided else 1
            width = _scaled(out, scale)
            blocks.append(
                InvertedResidual(
                    before, _scaled(middle, scale), width, kernel, stride, use_se=use_se, hardswish=hardswish
                )
            )
            before = width
        self.blocks = nn.Sequential(*blocks)
        self.out_channels = _scaled(_LAST, scale)
        self.conv2 = ConvBN(before, self.out_channels, 1, activation=nn.Hardswish())

    def forward(self, x: Tensor) -> Tensor:
        """float [N, 3, H, W] -> float [N, C, H/64, W/4], or H/32 where the first block does not shrink."""
        return F.max_pool2d(self.conv2(self.blocks(self.conv1(x))), 2)


def mobilenetv3_line_small_x0_5() -> MobileNetV3Line:
    """The backbone of PP-OCR v2.0's mobile recogniser: lines of height 32, an output of 288 channels."""
    return MobileNetV3Line(scale=0.5, first_stride=(1, 1))


def mobilenetv3_line_small_x0_35() -> MobileNetV3Line:
    """The backbone of PP-OCR's mobile direction classifier: an output of 200 channels."""
    return MobileNetV3Line(scale=0.35)
