"""Necks of CTC recognisers: a few global attention blocks over the columns of a text line.

Source: SVTR (Du et al. 2022) as PP-OCRv3 to v6 reduce it. `SVTRNeck` is PP-OCRv3's to v5's, `LightSVTRNeck` PP-OCRv6's.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ocrtune.nn.backbones.svtrnet import MLP, Attention
from ocrtune.nn.layers import ConvBN, Size

_HEADS = 8
_DROPOUT = 0.1


class SVTRBlock(nn.Module):
    """Attention and MLP, each behind a layer normalisation and with a shortcut."""

    def __init__(self, channels: int, ratio: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels, eps=1e-5)
        self.mixer = Attention(channels, _HEADS, _DROPOUT)
        self.norm2 = nn.LayerNorm(channels, eps=1e-5)
        self.mlp = MLP(channels, ratio, nn.SiLU(), _DROPOUT)

    def forward(self, x: Tensor) -> Tensor:
        x = x + F.dropout(self.mixer(self.norm1(x)), _DROPOUT, self.training)
        return x + F.dropout(self.mlp(self.norm2(x)), _DROPOUT, self.training)


class SVTRBlocks(nn.Module):
    """Blocks over the columns of a line, closed by a layer normalisation."""

    def __init__(self, channels: int, depth: int, ratio: int) -> None:
        super().__init__()
        self.svtr_block = nn.ModuleList(SVTRBlock(channels, ratio) for _ in range(depth))
        self.norm = nn.LayerNorm(channels, eps=1e-6)

    def mix(self, x: Tensor) -> Tensor:
        """float [N, C, 1, T] -> float [N, C, 1, T]."""
        tokens = x.flatten(2).transpose(1, 2)
        for block in self.svtr_block:
            tokens = block(tokens)
        return self.norm(tokens).transpose(1, 2).unsqueeze(2)


class SVTRNeck(SVTRBlocks):
    """PP-OCRv3's, v4's and v5's: reduce, attend, expand, join with the input, reduce.

    Args:
        in_channels: of the backbone.
        hidden: channels of the attention blocks.
        out_channels: of the result.
        depth: number of blocks.
        kernel: of the first and the last but one convolution.

    Attributes:
        out_channels: channels of the output.
    """

    def __init__(
        self, in_channels: int, hidden: int = 120, out_channels: int = 120, depth: int = 2, kernel: Size = (1, 3)
    ) -> None:
        super().__init__(hidden, depth, ratio=2)
        narrow = in_channels // 8
        self.conv1 = ConvBN(in_channels, narrow, kernel, activation=nn.SiLU())
        self.conv2 = ConvBN(narrow, hidden, 1, activation=nn.SiLU())
        self.conv3 = ConvBN(hidden, in_channels, 1, activation=nn.SiLU())
        self.conv4 = ConvBN(2 * in_channels, narrow, kernel, activation=nn.SiLU())
        self.conv1x1 = ConvBN(narrow, out_channels, 1, activation=nn.SiLU())
        self.out_channels = out_channels

    def forward(self, x: Tensor) -> Tensor:
        """float [N, C, 1, T] -> float [N, T, out_channels]."""
        mixed = self.conv3(self.mix(self.conv2(self.conv1(x))))
        joined = self.conv1x1(self.conv4(torch.cat([x, mixed], dim=1)))
        return joined.squeeze(2).transpose(1, 2)


class LightSVTRNeck(SVTRBlocks):
    """PP-OCRv6's: reduce, mix neighbours by a depthwise convolution, attend, add a reduced shortcut."""

    def __init__(self, in_channels: int, channels: int = 120, depth: int = 2, ratio: int = 2) -> None:
        super().__init__(channels, depth, ratio)
        self.skip_conv = ConvBN(in_channels, channels, 1, activation=nn.SiLU())
        self.conv_reduce = ConvBN(in_channels, channels, 1, activation=nn.SiLU())
        self.local_conv = ConvBN(channels, channels, (1, 7), groups=channels, activation=nn.SiLU())
        self.out_channels = channels

    def forward(self, x: Tensor) -> Tensor:
        """float [N, C, 1, T] -> float [N, T, channels]."""
        skip = self.skip_conv(x)
        reduced = self.conv_reduce(x)
        mixed = self.mix(reduced + self.local_conv(reduced)) + skip
        return mixed.squeeze(2).transpose(1, 2)
