"""Neck of a CRNN: two bidirectional LSTM layers over the columns of a text line.

Source: Shi et al., "An End-to-End Trainable Neural Network for Image-based Sequence Recognition" (2015), as PP-OCR v2.0
and v2 use it; v2 puts a linear layer between the neck and the characters.
"""

from __future__ import annotations

from torch import Tensor, nn


class BiLSTMNeck(nn.Module):
    """Two bidirectional LSTM layers, and optionally a linear layer that narrows the result.

    Args:
        in_channels: of the backbone.
        hidden: of each direction.
        narrow: outputs of the linear layer; None: there is none.

    Attributes:
        out_channels: channels of the output.
    """

    def __init__(self, in_channels: int, hidden: int, narrow: int | None = None) -> None:
        super().__init__()
        self.lstm = nn.LSTM(in_channels, hidden, num_layers=2, bidirectional=True, batch_first=True)
        self.fc1 = nn.Identity() if narrow is None else nn.Linear(2 * hidden, narrow)
        self.out_channels = 2 * hidden if narrow is None else narrow

    def forward(self, x: Tensor) -> Tensor:
        """float [N, C, 1, T] -> float [N, T, out_channels]."""
        return self.fc1(self.lstm(x.squeeze(2).transpose(1, 2))[0])
