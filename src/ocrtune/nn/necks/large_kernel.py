"""The dilated re-parameterised large kernel of PP-OCRv6's necks.

Source: UniRepLKNet (Ding et al. 2024), section 3.2.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ocrtune.nn.fuse import bn_scale_and_shift, centred, conv_bn_to_conv, conv_like, dilated_kernel

_BRANCHES = {
    5: ((3, 1), (3, 2)),
    7: ((5, 1), (3, 2), (3, 3)),
    9: ((5, 1), (5, 2), (3, 3), (3, 4)),
}
"""Kernel and dilation of what stands beside a large kernel."""


class DilatedReparam(nn.Module):
    """Depthwise large kernel beside dilated smaller ones, each normalised; one convolution when deployed.

    Args:
        channels: of input and output.
        kernel_size: 5, 7 or 9.
    """

    def __init__(self, channels: int, kernel_size: int) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        pad = kernel_size // 2
        self.lk_origin = nn.Conv2d(channels, channels, kernel_size, padding=pad, groups=channels, bias=False)
        self.origin_bn = nn.BatchNorm2d(channels)
        self.branches = _BRANCHES[kernel_size]
        for kernel, dilation in self.branches:
            pad = (kernel - 1) * dilation // 2
            conv = nn.Conv2d(channels, channels, kernel, padding=pad, dilation=dilation, groups=channels, bias=False)
            self.add_module(f"dil_conv_k{kernel}_{dilation}", conv)
            self.add_module(f"dil_bn_k{kernel}_{dilation}", nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """float [N, C, H, W] -> the same shape."""
        out = self.origin_bn(self.lk_origin(x))
        for kernel, dilation in self.branches:
            conv, bn = self._branch(kernel, dilation)
            out = out + bn(conv(x))
        return out

    def _branch(self, kernel: int, dilation: int) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
        conv, bn = getattr(self, f"dil_conv_k{kernel}_{dilation}"), getattr(self, f"dil_bn_k{kernel}_{dilation}")
        return conv, bn

    @torch.no_grad()
    def fused(self) -> nn.Module:
        scale, bias = bn_scale_and_shift(self.origin_bn)
        weight = self.lk_origin.weight * scale[:, None, None, None]
        for kernel, dilation in self.branches:
            conv, bn = self._branch(kernel, dilation)
            scale, shift = bn_scale_and_shift(bn)
            dense = centred(dilated_kernel(conv.weight, dilation), self.kernel_size)
            weight = weight + dense * scale[:, None, None, None]
            bias = bias + shift
        return conv_like(self.lk_origin, weight, bias)


class LargeKernelConv(nn.Module):
    """In place of a dense 9x9 convolution: the depthwise large kernel, a 1x1 convolution, normalisation."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.dw = DilatedReparam(in_channels, 9)
        self.pw = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """float [N, in, H, W] -> float [N, out, H, W]."""
        return self.bn(self.pw(self.dw(x)))

    def fused(self) -> nn.Module:
        return nn.Sequential(self.dw.fused(), conv_bn_to_conv(self.pw, self.bn))
