"""Layers that several papers share: convolution with normalisation, squeeze-and-excitation, learnable affine and positions.

Attribute names follow PaddleOCR's state dicts, so that official weights map one to one (see `ocrtune.weights.paddle`).
"""

from __future__ import annotations

from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ocrtune.nn.fuse import conv_bn_to_conv

Size: TypeAlias = int | tuple[int, int]
"""One number for both axes, or (height, width)."""


class ConvBN(nn.Module):
    """Convolution without bias, batch normalisation, then an optional activation."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        *,
        padding: Size | None = None,
        groups: int = 1,
        activation: nn.Module | None = None,
    ) -> None:
        super().__init__()
        if padding is None:
            height, width = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
            padding = (height // 2, width // 2)
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)
        self.act = activation if activation is not None else nn.Identity()
        nn.init.kaiming_normal_(self.conv.weight)

    def forward(self, x: Tensor) -> Tensor:
        """float [N, in, H, W] -> float [N, out, H/stride, W/stride]."""
        return self.act(self.bn(self.conv(x)))

    def fused(self) -> nn.Module:
        """The same function for inference: one convolution with bias, then the activation."""
        conv = conv_bn_to_conv(self.conv, self.bn)
        return conv if isinstance(self.act, nn.Identity) else nn.Sequential(conv, self.act)


class Affine(nn.Module):
    """Learnable affine block: one scale and one bias for all channels (MetaFormer-style, as PP-LCNetV3 uses it)."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.addcmul(self.bias.to(x.dtype), self.scale.to(x.dtype), x)


class Positions(nn.Module):
    """Adds a learned vector to each of a fixed number of places."""

    def __init__(self, places: int, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(1, places, channels))
        nn.init.trunc_normal_(self.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """float [N, places, C] -> float [N, places, C]."""
        return x + self.weight


class SqueezeExcitation(nn.Module):
    """Channel attention: global average, two 1x1 convolutions, hard sigmoid gate (Hu et al. 2018).

    Args:
        channels: input channels.
        reduction: how many times fewer channels the middle has.
        slope: of the hard sigmoid clip(slope * x + 0.5, 0, 1); PaddleOCR's modules use 1/6 or 0.2.
    """

    def __init__(self, channels: int, reduction: int = 4, slope: float = 1 / 6) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels // reduction, 1)
        self.conv2 = nn.Conv2d(channels // reduction, channels, 1)
        self.slope = slope

    def gate(self, x: Tensor) -> Tensor:
        """Weights of the channels, [N, C, 1, 1], 0 to 1."""
        gate = self.conv2(F.relu(self.conv1(F.adaptive_avg_pool2d(x, 1))))
        return (gate * self.slope + 0.5).clamp(0, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


class DepthwiseSeparable(nn.Module):
    """Depthwise convolution, optional squeeze-and-excitation, pointwise convolution; hard swish behind both convolutions."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: Size, use_se: bool) -> None:
        super().__init__()
        self.dw_conv = ConvBN(
            in_channels, in_channels, kernel_size, stride, groups=in_channels, activation=nn.Hardswish()
        )
        self.se = SqueezeExcitation(in_channels) if use_se else None
        self.pw_conv = ConvBN(in_channels, out_channels, 1, activation=nn.Hardswish())

    def forward(self, x: Tensor) -> Tensor:
        """float [N, in, H, W] -> float [N, out, H/stride, W/stride]."""
        x = self.dw_conv(x)
        return self.pw_conv(x if self.se is None else self.se(x))


class ResidualSE(SqueezeExcitation):
    """Squeeze-and-excitation with a shortcut: x + gate(x) * x, in one multiplication."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, reduction=4, slope=0.2)

    def forward(self, x: Tensor) -> Tensor:
        return x * (1 + self.gate(x))


def scaled_channels(channels: int, scale: float, divisor: int) -> int:
    """Channels under a width multiplier, rounded to multiples of ``divisor`` but never by more than a tenth down.

    Source: MobileNet's make_divisible (Howard et al. 2017), which the PP-LCNet family shares.
    """
    value = channels * scale
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def upsample2x(x: Tensor) -> Tensor:
    """Nearest-neighbour doubling of height and width."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")
