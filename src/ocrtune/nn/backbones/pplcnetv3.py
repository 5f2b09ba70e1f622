"""PP-LCNetV3, the backbone of PP-OCRv4's mobile models.

Source: PP-OCRv4 (PaddleOCR, 2023); re-parameterised branches as in MobileOne (Vasu et al. 2023). What differs from
PP-LCNet (Cui et al. 2021): learnable re-parameterised layers with an affine after convolution and activation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ocrtune.nn.fuse import bn_scale_and_shift, centred, conv_like, identity_kernel
from ocrtune.nn.layers import Affine, ConvBN, Size, SqueezeExcitation, scaled_channels

_scaled = partial(scaled_channels, divisor=16)

_Row: TypeAlias = tuple[int, int, int, Size, bool]
# kernel, input channels, output channels, stride, squeeze-and-excitation; channels before scaling
_DET_BLOCKS: dict[str, list[_Row]] = {
    "blocks2": [(3, 16, 32, 1, False)],
    "blocks3": [(3, 32, 64, 2, False), (3, 64, 64, 1, False)],
    "blocks4": [(3, 64, 128, 2, False), (3, 128, 128, 1, False)],
    "blocks5": [(3, 128, 256, 2, False), *[(5, 256, 256, 1, False)] * 4],
    "blocks6": [(5, 256, 512, 2, True), (5, 512, 512, 1, True), *[(5, 512, 512, 1, False)] * 2],
}
_REC_BLOCKS: dict[str, list[_Row]] = {
    "blocks2": [(3, 16, 32, 1, False)],
    "blocks3": [(3, 32, 64, 1, False), (3, 64, 64, 1, False)],
    "blocks4": [(3, 64, 128, (2, 1), False), (3, 128, 128, 1, False)],
    "blocks5": [(3, 128, 256, (1, 2), False), *[(5, 256, 256, 1, False)] * 4],
    "blocks6": [
        (5, 256, 512, (2, 1), True),
        (5, 512, 512, 1, True),
        (5, 512, 512, (2, 1), False),
        (5, 512, 512, 1, False),
    ],
}


class AffineHardswish(nn.Module):
    """Hard swish followed by a learnable affine."""

    def __init__(self) -> None:
        super().__init__()
        self.lab = Affine()

    def forward(self, x: Tensor) -> Tensor:
        return self.lab(F.hardswish(x))


class LearnableRepLayer(nn.Module):
    """Parallel convolutions that are summed, then an affine and, unless stride is 2, an activation with its own affine.

    A stride of (2, 1) or (1, 2) keeps the activation: that is how the published networks were trained.

    Branches: four k x k convolutions, a 1x1 convolution where k > 1, and a bare normalisation where shapes allow it.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: Size, groups: int, branches: int = 4
    ) -> None:
        super().__init__()
        self.stride = stride
        same = in_channels == out_channels and stride == 1
        self.identity = nn.BatchNorm2d(in_channels) if same else None
        self.conv_kxk = nn.ModuleList(
            ConvBN(in_channels, out_channels, kernel_size, stride, groups=groups) for _ in range(branches)
        )
        self.conv_1x1 = ConvBN(in_channels, out_channels, 1, stride, groups=groups) if kernel_size > 1 else None
        self.lab = Affine()
        self.act = AffineHardswish()

    def forward(self, x: Tensor) -> Tensor:
        """float [N, in, H, W] -> float [N, out, H/stride, W/stride]."""
        out = sum(conv(x) for conv in self.conv_kxk)
        if self.conv_1x1 is not None:
            out = out + self.conv_1x1(x)
        if self.identity is not None:
            out = out + self.identity(x)
        out = self.lab(out)
        return out if self.stride == 2 else self.act(out)

    @torch.no_grad()
    def fused(self) -> nn.Module:
        """One convolution (with the affine folded in), then the activation."""
        first = self.conv_kxk[0]
        assert isinstance(first, ConvBN)
        conv = first.conv
        size = conv.kernel_size[0]
        weight, bias = torch.zeros_like(conv.weight), torch.zeros(conv.out_channels)
        for branch in [*self.conv_kxk, self.conv_1x1]:
            if isinstance(branch, ConvBN):
                scale, shift = bn_scale_and_shift(branch.bn)
                weight += centred(branch.conv.weight, size) * scale[:, None, None, None]
                bias += shift
        if self.identity is not None:
            scale, shift = bn_scale_and_shift(self.identity)
            weight += identity_kernel(conv.in_channels, conv.groups, size) * scale[:, None, None, None]
            bias += shift
        merged = conv_like(conv, weight * self.lab.scale, bias * self.lab.scale + self.lab.bias)
        return merged if self.stride == 2 else nn.Sequential(merged, self.act)


class LCNetV3Block(nn.Module):
    """Depthwise layer, optional squeeze-and-excitation, pointwise layer; no shortcut around the block."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: Size, use_se: bool) -> None:
        super().__init__()
        self.dw_conv = LearnableRepLayer(in_channels, in_channels, kernel_size, stride, groups=in_channels)
        self.se = SqueezeExcitation(in_channels) if use_se else None
        self.pw_conv = LearnableRepLayer(in_channels, out_channels, 1, 1, groups=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.dw_conv(x)
        return self.pw_conv(x if self.se is None else self.se(x))


class PPLCNetV3(nn.Module):
    """The trunk: a stride-2 convolution and five groups of blocks.

    Args:
        scale: width multiplier; channels are rounded to multiples of 16.
        groups: rows of blocks by group name.
    """

    def __init__(self, scale: float, groups: Mapping[str, Sequence[_Row]]) -> None:
        super().__init__()
        self.conv1 = ConvBN(3, _scaled(16, scale), 3, 2)
        for name, rows in groups.items():
            blocks = [LCNetV3Block(_scaled(i, scale), _scaled(o, scale), k, s, se) for k, i, o, s, se in rows]
            self.add_module(name, nn.Sequential(*blocks))
        self.groups = tuple(groups)

    def trunk(self, x: Tensor) -> list[Tensor]:
        """float [N, 3, H, W] -> the output of each group of blocks."""
        x, maps = self.conv1(x), []
        for name in self.groups:
            x = self.get_submodule(name)(x)
            maps.append(x)
        return maps


class PPLCNetV3Det(PPLCNetV3):
    """PP-LCNetV3 with outputs at strides 4, 8, 16 and 32 for detection.

    Args:
        scale: width multiplier; channels are rounded to multiples of 16.

    Attributes:
        out_channels: channels of the four outputs.
        HALF_RESOLUTION: names of the parts in front of the first output, at stride 2.
    """

    HALF_RESOLUTION = ("conv1", "blocks2")

    def __init__(self, scale: float) -> None:
        super().__init__(scale, _DET_BLOCKS)
        self.out_channels = [int(channels * scale) for channels in (16, 24, 56, 480)]
        widths = [_scaled(channels, scale) for channels in (64, 128, 256, 512)]
        self.layer_list = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in zip(widths, self.out_channels, strict=True))

    def forward(self, x: Tensor) -> list[Tensor]:
        """float [N, 3, H, W], H and W multiples of 32 -> four maps at strides 4, 8, 16, 32."""
        maps = self.trunk(x)[1:]  # without stride 2
        return [layer(m) for layer, m in zip(self.layer_list, maps, strict=True)]


class PPLCNetV3Rec(PPLCNetV3):
    """PP-LCNetV3 for text lines: height is reduced 16-fold and averaged away, width 8-fold.

    Args:
        scale: width multiplier.

    Attributes:
        out_channels: channels of the output.
    """

    def __init__(self, scale: float) -> None:
        super().__init__(scale, _REC_BLOCKS)
        self.out_channels = _scaled(512, scale)

    def forward(self, x: Tensor) -> Tensor:
        """float [N, 3, 48, W] -> float [N, C, 1, W/8]."""
        return F.avg_pool2d(self.trunk(x)[-1], (3, 2))


def pplcnetv3_det_x0_75() -> PPLCNetV3Det:
    """The backbone of the PP-OCRv4 and v5 mobile detectors: outputs of 12, 18, 42 and 360 channels."""
    return PPLCNetV3Det(scale=0.75)


def pplcnetv3_rec_x0_95() -> PPLCNetV3Rec:
    """The backbone of the PP-OCRv4 and v5 mobile recognisers: an output of 480 channels."""
    return PPLCNetV3Rec(scale=0.95)
