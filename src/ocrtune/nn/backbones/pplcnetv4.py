"""PP-LCNetV4, the backbone of PP-OCRv6's models.

Source: PP-OCRv6 (PaddleOCR, 2026); token and channel mixers as in RepViT (Wang et al. 2024), the stem as in PP-HGNetV2.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ocrtune.nn.backbones.pphgnetv2 import Stem
from ocrtune.nn.fuse import bn_scale_and_shift, centred, conv_like, identity_kernel
from ocrtune.nn.layers import ConvBN, Size, SqueezeExcitation


class RepDepthwise(nn.Module):
    """BN(BN(depthwise 3x3) + depthwise 1x1 + x), one depthwise convolution when deployed."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = ConvBN(channels, channels, 3, groups=channels)
        self.conv1 = nn.Conv2d(channels, channels, 1, groups=channels, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x) + self.conv1(x) + x)

    @torch.no_grad()
    def fused(self) -> nn.Module:
        conv = self.conv.conv
        inner, inner_shift = bn_scale_and_shift(self.conv.bn)
        scale, shift = bn_scale_and_shift(self.bn)
        weight = conv.weight * inner[:, None, None, None] + centred(self.conv1.weight, 3)
        weight = weight + identity_kernel(conv.in_channels, conv.groups, 3)
        return conv_like(conv, weight * scale[:, None, None, None], inner_shift * scale + shift)


class TokenMixer(nn.Module):
    """Depthwise mixing over positions: re-parameterised, or a plain depthwise convolution that may stride."""

    def __init__(self, channels: int, stride: Size, reparameterised: bool, use_se: bool) -> None:
        super().__init__()
        if reparameterised:
            self.rep_dw = RepDepthwise(channels)
        else:
            self.dw_conv = ConvBN(channels, channels, 3, stride, groups=channels)
        self.reparameterised = reparameterised
        self.se = SqueezeExcitation(channels) if use_se else None

    def forward(self, x: Tensor) -> Tensor:
        x = self.rep_dw(x) if self.reparameterised else self.dw_conv(x)
        return x if self.se is None else self.se(x)


class ChannelMixer(nn.Module):
    """1x1 convolution to twice the channels, GELU, 1x1 convolution."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.expand = ConvBN(in_channels, 2 * in_channels, 1, activation=nn.GELU())
        self.compress = ConvBN(2 * in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.compress(self.expand(x))


class LCNetV4Block(nn.Module):
    """Token mixer, then channel mixer; a shortcut and a re-parameterised token mixer where the shape stays."""

    def __init__(self, in_channels: int, out_channels: int, stride: Size, use_se: bool) -> None:
        super().__init__()
        self.shortcut = stride == 1 and in_channels == out_channels
        self.token_mixer = TokenMixer(in_channels, stride, self.shortcut, use_se)
        self.channel_mixer = ChannelMixer(in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.token_mixer(x)
        return x + self.channel_mixer(x) if self.shortcut else self.channel_mixer(x)


class PPLCNetV4Det(nn.Module):
    """PP-LCNetV4 with outputs at strides 4, 8, 16 and 32 for detection.

    Args:
        stem: middle channels of the stem.
        channels: channels of the four stages.
        depths: blocks of the four stages; from stage 2 on the first one halves the resolution.
    """

    def __init__(self, stem: int, channels: tuple[int, int, int, int], depths: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.stem = Stem(stem, channels[0])
        self.out_channels = list(channels)
        before = channels[0]
        for stage, (width, depth) in enumerate(zip(channels, depths, strict=True), start=1):
            blocks = []
            for index in range(depth):
                halve = stage > 1 and index == 0
                # every second stride-1 block carries squeeze-and-excitation, starting with the first of them
                use_se = not halve and (index - (stage > 1)) % 2 == 0
                blocks.append(LCNetV4Block(before, width, 2 if halve else 1, use_se))
                before = width
            self.add_module(f"blocks_s{stage}", nn.Sequential(*blocks))

    def forward(self, x: Tensor) -> list[Tensor]:
        """float [N, 3, H, W], H and W multiples of 32 -> four maps at strides 4, 8, 16, 32."""
        x = self.stem(x)
        maps = []
        for stage in range(1, 5):
            x = self.get_submodule(f"blocks_s{stage}")(x)
            maps.append(x)
        return maps


def pplcnetv4_det_tiny() -> PPLCNetV4Det:
    """The backbone of the PP-OCRv6 tiny detector."""
    return PPLCNetV4Det(stem=16, channels=(32, 48, 64, 160), depths=(2, 3, 5, 3))


def pplcnetv4_det_medium() -> PPLCNetV4Det:
    """The backbone of the PP-OCRv6 medium detector."""
    return PPLCNetV4Det(stem=64, channels=(128, 256, 512, 896), depths=(2, 3, 5, 3))


def pplcnetv4_det_small() -> PPLCNetV4Det:
    """The backbone of the PP-OCRv6 small detector."""
    return PPLCNetV4Det(stem=24, channels=(48, 96, 192, 384), depths=(2, 3, 5, 3))


class PPLCNetV4Rec(nn.Module):
    """PP-LCNetV4 for text lines: height is reduced 16-fold and averaged away, width 8-fold.

    Args:
        stem: float [N, 3, 48, W] -> float [N, C, 12, W/4], C as many as the first stage has.
        stages: rows of (output channels, stride, squeeze-and-excitation) for the blocks of each stage.

    Attributes:
        out_channels: channels of the output.
    """

    def __init__(self, stem: nn.Module, stages: Sequence[Sequence[tuple[int, Size, bool]]]) -> None:
        super().__init__()
        before = stages[0][0][0]
        self.conv1 = stem
        self.stages = []
        for number, rows in enumerate(stages, start=2):
            blocks = []
            for width, stride, use_se in rows:
                blocks.append(LCNetV4Block(before, width, stride, use_se))
                before = width
            self.stages.append(f"blocks{number}")
            self.add_module(self.stages[-1], nn.Sequential(*blocks))
        self.out_channels = before

    def forward(self, x: Tensor) -> Tensor:
        """float [N, 3, 48, W] -> float [N, C, 1, W/8]."""
        x = self.conv1(x)
        for name in self.stages:
            x = self.get_submodule(name)(x)
        return F.avg_pool2d(x, (3, 2))


def pplcnetv4_rec_tiny() -> PPLCNetV4Rec:
    """The backbone of the PP-OCRv6 tiny recogniser: a stem of two convolutions, an output of 160 channels."""
    return PPLCNetV4Rec(
        stem=nn.Sequential(ConvBN(3, 24, 3, 2), nn.GELU(), ConvBN(24, 48, 3, 2)),
        stages=(
            [(48, 1, True)],
            [(48, 1, False)],
            [(96, (2, 1), False), (96, 1, True), (96, 1, False)],
            [(160, (2, 1), False), (160, 1, True), *[(160, 1, False)] * 2],
        ),
    )


def pplcnetv4_rec_small() -> PPLCNetV4Rec:
    """The backbone of the PP-OCRv6 small recogniser: an output of 384 channels."""
    return PPLCNetV4Rec(
        stem=Stem(48, 96),
        stages=(
            [(96, 1, True)],
            [(96, 1, False)] * 2,
            [(192, (2, 1), False), *[(192, 1, True), (192, 1, False)] * 3],
            [(384, (2, 1), False), (384, 1, True), (384, 1, False)],
        ),
    )


def pplcnetv4_rec_medium() -> PPLCNetV4Rec:
    """The backbone of the PP-OCRv6 medium recogniser: an output of 768 channels."""
    return PPLCNetV4Rec(
        stem=Stem(64, 128),
        stages=(
            [(128, 1, True)],
            [(256, 1, False), (256, 1, False), (256, 1, True)],
            [(512, (2, 1), False), *[(512, 1, True), (512, 1, False)] * 3],
            [(768, (2, 1), False), (768, 1, True), (768, 1, False)],
        ),
    )
