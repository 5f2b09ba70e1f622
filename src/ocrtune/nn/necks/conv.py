"""Neck of PP-OCRv6's tiny recogniser: neighbouring columns are mixed by convolutions alone.

Source: PP-OCRv6 (PaddleOCR, 2026).
"""

from __future__ import annotations

from torch import Tensor, nn

from ocrtune.nn.layers import ConvBN


class ConvNeck(nn.Module):
    """A depthwise convolution along the line, a pointwise one, and a linear layer that narrows the result.

    Args:
        in_channels: of the backbone.
        narrow: outputs of the linear layer.

    Attributes:
        out_channels: channels of the output.
    """

    def __init__(self, in_channels: int, narrow: int) -> None:
        super().__init__()
        self.depthwise_conv = ConvBN(in_channels, in_channels, (1, 5), groups=in_channels, activation=nn.Hardswish())
        self.pointwise_conv = ConvBN(in_channels, in_channels, 1, activation=nn.Hardswish())
        self.fc1 = nn.Linear(in_channels, narrow)
        self.out_channels = narrow

    def forward(self, x: Tensor) -> Tensor:
        """float [N, C, 1, T] -> float [N, T, narrow]."""
        return self.fc1(self.pointwise_conv(self.depthwise_conv(x)).squeeze(2).transpose(1, 2))
