"""PP-LCNet, the backbone of PP-OCR v3.x's direction classifiers.

Source: Cui et al., "PP-LCNet: A Lightweight CPU Convolutional Neural Network" (2021): hard swish throughout, 5x5
kernels and squeeze-and-excitation at the end, one wide 1x1 convolution behind the average. What differs for text
lines: the strides after the first shrink the height alone.
"""

from __future__ import annotations

from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from ocrtune.nn.layers import ConvBN, DepthwiseSeparable, scaled_channels

_scaled = partial(scaled_channels, divisor=8)

# kernel, input channels, output channels, strided, squeeze-and-excitation; channels before scaling
_BLOCKS: dict[str, list[tuple[int, int, int, bool, bool]]] = {
    "blocks2": [(3, 16, 32, False, False)],
    "blocks3": [(3, 32, 64, True, False), (3, 64, 64, False, False)],
    "blocks4": [(3, 64, 128, True, False), (3, 128, 128, False, False)],
    "blocks5": [(3, 128, 256, True, False), *[(5, 256, 256, False, False)] * 5],
    "blocks6": [(5, 256, 512, True, True), (5, 512, 512, False, True)],
}


class PPLCNetLine(nn.Module):
    """PP-LCNet for text lines.

    Args:
        scale: width multiplier; channels are rounded to multiples of 8.
        last: channels of the 1x1 convolution behind the global average.

    Attributes:
        out_channels: channels of the output.
    """

    def __init__(self, scale: float, last: int = 1280, dropout: float = 0.2) -> None:
        super().__init__()
        self.conv1 = ConvBN(3, _scaled(16, scale), 3, 2, activation=nn.Hardswish())
        for name, rows in _BLOCKS.items():
            blocks = [
                DepthwiseSeparable(_scaled(i, scale), _scaled(o, scale), k, (2, 1) if strided else 1, use_se)
                for k, i, o, strided, use_se in rows
            ]
            self.add_module(name, nn.Sequential(*blocks))
        self.last_conv = nn.Conv2d(_scaled(512, scale), last, 1, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.out_channels = last

    def forward(self, x: Tensor) -> Tensor:
        """float [N, 3, H, W] -> float [N, last, 1, 1]."""
        x = self.conv1(x)
        for name in _BLOCKS:
            x = self.get_submodule(name)(x)
        return self.dropout(F.hardswish(self.last_conv(F.adaptive_avg_pool2d(x, 1))))


def pplcnet_textline_x0_25() -> PPLCNetLine:
    """The backbone of the small text line direction classifier."""
    return PPLCNetLine(scale=0.25)


def pplcnet_textline_x1_0() -> PPLCNetLine:
    """The backbone of the text line direction classifier."""
    return PPLCNetLine(scale=1.0)
