"""NRTR's decoder, the guide of PP-OCRv4's to v6's recognisers in training.

Source: Sheng et al., "NRTR: A No-Recurrence Sequence-to-Sequence Model for Scene Text Recognition" (2019): a transformer
decoder (Vaswani et al. 2017) that is told the text up to each character. What differs: no encoder, it attends to the
backbone's columns; normalisation stays behind each shortcut.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ocrtune.nn.heads.guide import Tokens

_HEAD = 32  # channels of an attention head
_BLOCKS = 4
_DROPOUT = 0.1


def _split(x: Tensor, parts: int) -> tuple[Tensor, ...]:
    """float [N, T, parts * C] -> ``parts`` times float [N, C / 32, T, 32]."""
    n, steps, channels = x.shape
    return x.reshape(n, steps, parts, channels // parts // _HEAD, _HEAD).permute(2, 0, 3, 1, 4).unbind(0)


def _joined(x: Tensor) -> Tensor:
    """float [N, heads, T, 32] -> float [N, T, C]."""
    return x.transpose(1, 2).flatten(2)


class SelfAttention(nn.Module):
    """Attention of each position to itself and those before it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out_proj = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = _split(self.qkv(x), 3)
        return self.out_proj(_joined(F.scaled_dot_product_attention(q, k, v, is_causal=True)))


class CrossAttention(nn.Module):
    """Attention of each position to all columns."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.q = nn.Linear(channels, channels)
        self.kv = nn.Linear(channels, 2 * channels)
        self.out_proj = nn.Linear(channels, channels)

    def forward(self, x: Tensor, columns: Tensor) -> Tensor:
        (q,), (k, v) = _split(self.q(x), 1), _split(self.kv(columns), 2)
        return self.out_proj(_joined(F.scaled_dot_product_attention(q, k, v)))


class MLP(nn.Module):
    """Linear layer to four times the channels, ReLU, linear layer back."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, 4 * channels)
        self.fc2 = nn.Linear(4 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.dropout(F.relu(self.fc1(x)), _DROPOUT, self.training))


class DecoderBlock(nn.Module):
    """Attention to the text so far, attention to the columns, MLP; each with a shortcut and then normalised."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.self_attn = SelfAttention(channels)
        self.norm1 = nn.LayerNorm(channels, eps=1e-5)
        self.cross_attn = CrossAttention(channels)
        self.norm2 = nn.LayerNorm(channels, eps=1e-5)
        self.mlp = MLP(channels)
        self.norm3 = nn.LayerNorm(channels, eps=1e-5)

    def forward(self, x: Tensor, columns: Tensor) -> Tensor:
        """float [N, L, C], float [N, T, C] -> float [N, L, C]."""
        x = self.norm1(x + F.dropout(self.self_attn(x), _DROPOUT, self.training))
        x = self.norm2(x + F.dropout(self.cross_attn(x, columns), _DROPOUT, self.training))
        return self.norm3(x + F.dropout(self.mlp(x), _DROPOUT, self.training))


class NRTRDecoder(nn.Module):
    """Transformer decoder over the columns of a text line.

    Args:
        in_channels: of the backbone.
        classes: of CTC: characters and the blank.
        width: channels inside.

    Attributes:
        in_channels, width: as above.
        SMOOTHING: of the labels in the loss.
        CHARACTER_ROWS: parameters whose first axis counts tokens.
    """

    SMOOTHING: ClassVar[float] = 0.1
    CHARACTER_ROWS: ClassVar[tuple[str, ...]] = ("embedding.weight", "tgt_word_prj.weight")

    def __init__(self, in_channels: int, classes: int, width: int = 384) -> None:
        super().__init__()
        self.in_channels, self.width = in_channels, width
        self.project = nn.Linear(in_channels, width, bias=False)
        self.embedding = nn.Embedding(classes + 4, width, padding_idx=self.tokens(classes).pad)
        self.decoder = nn.ModuleList(DecoderBlock(width) for _ in range(_BLOCKS))
        self.tgt_word_prj = nn.Linear(width, classes + 4, bias=False)
        for weight in (self.embedding.weight, self.tgt_word_prj.weight):
            nn.init.normal_(weight, std=width**-0.5)

    @staticmethod
    def tokens(classes: int) -> Tokens:
        """Padding, unknown, start and end come before the characters."""
        return Tokens(first=4, start=2, end=3, pad=0)

    def columns(self, features: Tensor) -> Tensor:
        """What the decoder attends to: float [N, C, 1, T] -> float [N, T, width]."""
        return self.project(features.flatten(2).transpose(1, 2))

    def forward(self, features: Tensor, tokens: Tensor, valid: Tensor) -> Tensor:
        """Logits of the token behind each one.

        Args:
            features: of the backbone, float [N, C, 1, T].
            tokens: the start and the text, long [N, L].
            valid: share of each line's columns that is no padding; NRTR attends to all of them.

        Returns:
            float [N, L, classes + 4].
        """
        columns = self.columns(features)
        x = self.embedding(tokens) * math.sqrt(self.width)
        x = x + sinusoids(tokens.shape[1], self.width, features.device)
        x = F.dropout(x, _DROPOUT, self.training)
        for block in self.decoder:
            x = block(x, columns)
        return self.tgt_word_prj(x)


class PositionedNRTRDecoder(NRTRDecoder):
    """NRTR's decoder that is told by learned vectors which column is where, for backbones that read one width alone.

    Args:
        in_channels, classes, width: as there.
    """

    def __init__(self, in_channels: int, classes: int, width: int = 384) -> None:
        super().__init__(in_channels, classes, width)
        self.positions = nn.Parameter(torch.empty(1, 80, width))
        nn.init.trunc_normal_(self.positions, std=0.02)

    def columns(self, features: Tensor) -> Tensor:
        columns = super().columns(features)
        return columns + self.positions[:, : columns.shape[1]]


def sinusoids(positions: int, width: int, device: torch.device) -> Tensor:
    """Positional encoding of a transformer, float [positions, width]: sines and cosines in turn."""
    rates = torch.exp(torch.arange(0, width, 2, device=device) * (-math.log(10000.0) / width))
    angles = torch.arange(positions, device=device)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)
