"""SAR, the guide of PP-OCRv3's recognisers in training.

Source: Li et al., "Show, Attend and Read: A Simple and Strong Baseline for Irregular Text Recognition" (2019): an LSTM
encodes the line as a whole, another one is told the text up to each character and attends to the feature map.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ocrtune.nn.heads.guide import Tokens

_DROPOUT = 0.1


class SAREncoder(nn.Module):
    """Two LSTM layers over the columns; the state at the last column that is no padding describes the line."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.rnn_encoder = nn.LSTM(in_channels, width, num_layers=2, dropout=_DROPOUT, batch_first=True)
        self.linear = nn.Linear(width, width)

    def forward(self, features: Tensor, valid: Tensor) -> Tensor:
        """float [N, C, H, T], float [N] -> float [N, width]."""
        states = self.rnn_encoder(features.amax(dim=2).transpose(1, 2))[0]
        last = _valid_columns(valid, states.shape[1]) - 1
        return self.linear(states[torch.arange(len(states), device=states.device), last])


class SARAttention(nn.Module):
    """Two LSTM layers over the text, and for each of its positions an average over the feature map."""

    def __init__(self, in_channels: int, classes: int, width: int) -> None:
        super().__init__()
        self.conv1x1_1 = nn.Linear(width, width)
        self.conv3x3_1 = nn.Conv2d(in_channels, width, 3, padding=1)
        self.conv1x1_2 = nn.Linear(width, 1)
        self.rnn_decoder = nn.LSTM(width, width, num_layers=2, batch_first=True)
        self.embedding = nn.Embedding(classes + 2, width, padding_idx=classes + 1)
        self.prediction = nn.Linear(2 * width + in_channels, classes + 1)

    def forward(self, features: Tensor, line: Tensor, tokens: Tensor, valid: Tensor) -> Tensor:
        """float [N, C, H, T], float [N, width], long [N, L], float [N] -> float [N, L, classes + 1]."""
        told = torch.cat([line[:, None], self.embedding(tokens)], dim=1)
        states = self.rnn_decoder(told)[0][:, 1:]
        keys = self.conv3x3_1(features).permute(0, 2, 3, 1)
        scores = self.conv1x1_2(torch.tanh(keys[:, None] + self.conv1x1_1(states)[:, :, None, None]))[..., 0]
        columns = torch.arange(features.shape[3], device=features.device)
        padding = columns[None] >= _valid_columns(valid, len(columns))[:, None]
        scores = scores.masked_fill(padding[:, None, None], -torch.inf).flatten(2).softmax(dim=2)
        seen = scores @ features.flatten(2).transpose(1, 2)
        logits = self.prediction(torch.cat([states, seen, line[:, None].expand_as(states)], dim=2))
        return F.dropout(logits, _DROPOUT, self.training)


class SARDecoder(nn.Module):
    """Encoder and attention decoder over the feature map of a text line.

    Args:
        in_channels: of the backbone.
        classes: of CTC: characters and the blank.
        width: channels inside.

    Attributes:
        in_channels, width: as above.
        SMOOTHING: of the labels in the loss.
        CHARACTER_ROWS: parameters whose first axis counts tokens.
    """

    SMOOTHING: ClassVar[float] = 0.0
    CHARACTER_ROWS: ClassVar[tuple[str, ...]] = (
        "decoder.embedding.weight",
        "decoder.prediction.weight",
        "decoder.prediction.bias",
    )

    def __init__(self, in_channels: int, classes: int, width: int = 512) -> None:
        super().__init__()
        self.in_channels, self.width = in_channels, width
        self.encoder = SAREncoder(in_channels, width)
        self.decoder = SARAttention(in_channels, classes, width)

    @staticmethod
    def tokens(classes: int) -> Tokens:
        """Characters come first, then unknown, a common start and end, and padding, which is never predicted."""
        return Tokens(first=0, start=classes, end=classes, pad=classes + 1)

    def forward(self, features: Tensor, tokens: Tensor, valid: Tensor) -> Tensor:
        """Logits of the token behind each one.

        Args:
            features: of the backbone, float [N, C, H, T].
            tokens: the start and the text, long [N, L].
            valid: share of each line's columns that is no padding, float [N].

        Returns:
            float [N, L, classes + 1].
        """
        return self.decoder(features, self.encoder(features, valid), tokens, valid)


def _valid_columns(valid: Tensor, columns: int) -> Tensor:
    """How many columns are no padding, long [N]."""
    return (valid * columns).ceil().long().clamp(1, columns)
