"""SVTRNet, the backbone of PP-OCRv4's large recogniser, the teacher of its small ones.

Source: Du et al., "SVTR: Scene Text Recognition with a Single Visual Model" (2022): image patches as tokens, mixed in
three stages, the height halved between them. What differs: convolutions mix neighbours where the paper has windows of
attention, normalisation stands behind each shortcut, and an average over what is left of the height and over pairs of
columns closes the network, which PaddleOCR counts to the head.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ocrtune.nn.fuse import conv_bn_to_conv
from ocrtune.nn.layers import Positions

_HEAD = 32  # channels of an attention head, and of a group of a local mixer
_DROP_PATH = 0.1  # of the last block


class Attention(nn.Module):
    """Multi-head self-attention with one projection for queries, keys and values.

    Args:
        channels: of the tokens.
        heads: into which they are divided.
        dropout: of the weights, in training.
    """

    def __init__(self, channels: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        self.heads, self.dropout = heads, dropout

    def forward(self, x: Tensor) -> Tensor:
        """float [N, T, C] -> float [N, T, C]."""
        n, steps, channels = x.shape
        q, k, v = self.qkv(x).reshape(n, steps, 3, self.heads, channels // self.heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, dropout_p=self.dropout if self.training else 0.0)
        return self.proj(mixed.transpose(1, 2).reshape(n, steps, channels))


class MLP(nn.Module):
    """Linear layer to ``ratio`` times the channels, activation, dropout, linear layer back."""

    def __init__(self, channels: int, ratio: int, activation: nn.Module, dropout: float = 0.0) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, ratio * channels)
        self.act = activation
        self.fc2 = nn.Linear(ratio * channels, channels)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """float [N, T, C] -> float [N, T, C]."""
        return self.fc2(F.dropout(self.act(self.fc1(x)), self.dropout, self.training))


class LocalMixer(nn.Module):
    """A 5x5 convolution in groups over the tokens' places, ``height`` rows of them."""

    def __init__(self, channels: int, height: int) -> None:
        super().__init__()
        self.local_mixer = nn.Conv2d(channels, channels, 5, padding=2, groups=channels // _HEAD)
        self.height = height

    def forward(self, x: Tensor) -> Tensor:
        """float [N, T, C] -> float [N, T, C]."""
        return _as_tokens(self.local_mixer(_as_map(x, self.height)))


class Block(nn.Module):
    """Mixing and MLP, each with a shortcut and then normalised.

    Args:
        channels: of the tokens.
        mixer: of tokens among each other.
        drop_path: share of samples that skip a branch in training (Huang et al., "Stochastic Depth", 2016).
    """

    def __init__(self, channels: int, mixer: Attention | LocalMixer, drop_path: float) -> None:
        super().__init__()
        self.mixer = mixer
        self.norm1 = nn.LayerNorm(channels, eps=1e-6)
        self.mlp = MLP(channels, 4, nn.GELU())
        self.norm2 = nn.LayerNorm(channels, eps=1e-6)
        self.drop_path = drop_path

    def forward(self, x: Tensor) -> Tensor:
        """float [N, T, C] -> float [N, T, C]."""
        x = self.norm1(x + self._sometimes(self.mixer(x)))
        return self.norm2(x + self._sometimes(self.mlp(x)))

    def _sometimes(self, x: Tensor) -> Tensor:
        if not self.training or self.drop_path == 0:
            return x
        kept = torch.rand(len(x), 1, 1, device=x.device) >= self.drop_path
        return x * kept / (1 - self.drop_path)


class PatchConv(nn.Module):
    """3x3 convolution with bias and stride 2, batch normalisation, GELU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, 2, padding=1)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """float [N, in, H, W] -> float [N, out, H/2, W/2]."""
        return F.gelu(self.norm(self.conv(x)))

    def fused(self) -> nn.Module:
        """The same function for inference."""
        return nn.Sequential(conv_bn_to_conv(self.conv, self.norm), nn.GELU())


class PatchEmbed(nn.Module):
    """Overlapping patches of the image as tokens, one for 4x4 pixels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.proj = nn.Sequential(PatchConv(3, channels // 2), PatchConv(channels // 2, channels))

    def forward(self, x: Tensor) -> Tensor:
        """float [N, 3, H, W] -> float [N, H/4 * W/4, C]."""
        return _as_tokens(self.proj(x))


class SubSample(nn.Module):
    """The paper's merging: a 3x3 convolution that halves the height and leaves the width, then normalisation.

    Args:
        in_channels, out_channels: of the tokens.
        height: rows of tokens before.
    """

    def __init__(self, in_channels: int, out_channels: int, height: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, (2, 1), padding=1)
        self.norm = nn.LayerNorm(out_channels, eps=1e-5)
        self.height = height

    def forward(self, x: Tensor) -> Tensor:
        """float [N, T, in] -> float [N, T/2, out]."""
        return self.norm(_as_tokens(self.conv(_as_map(x, self.height))))


class SVTRNet(nn.Module):
    """Three stages of blocks for text lines of 48 x 320 pixels: the learned positions fit no other size.

    Args:
        channels: of the three stages.
        depths: blocks of each.
        local: how many of them, from the first on, mix neighbours; the others mix all tokens.

    Attributes:
        out_channels: channels of the output.
    """

    def __init__(
        self, channels: tuple[int, int, int], depths: tuple[int, int, int], local: tuple[int, int, int]
    ) -> None:
        super().__init__()
        first, second, third = channels
        self.patch_embed = PatchEmbed(first)
        self.pos_embed = Positions(12 * 80, first)
        rates = (_DROP_PATH * index / (sum(depths) - 1) for index in range(sum(depths)))
        self.blocks1, self.blocks2, self.blocks3 = (
            nn.Sequential(
                *(
                    Block(
                        width,
                        LocalMixer(width, height) if index < neighbours else Attention(width, width // _HEAD),
                        next(rates),
                    )
                    for index in range(depth)
                )
            )
            for width, height, depth, neighbours in zip(channels, (12, 6, 3), depths, local, strict=True)
        )
        self.sub_sample1 = SubSample(first, second, height=12)
        self.sub_sample2 = SubSample(second, third, height=6)
        self.pool = nn.AvgPool2d((3, 2))
        self.out_channels = third
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, x: Tensor) -> Tensor:
        """float [N, 3, 48, 320] -> float [N, C, 1, 40]."""
        tokens = self.pos_embed(self.patch_embed(x))
        tokens = self.sub_sample1(self.blocks1(tokens))
        tokens = self.sub_sample2(self.blocks2(tokens))
        return self.pool(_as_map(self.blocks3(tokens), 3))


def svtrnet_large() -> SVTRNet:
    """The backbone of PP-OCRv4's large recogniser: attention from the middle of the second stage on."""
    return SVTRNet(channels=(192, 256, 512), depths=(6, 6, 9), local=(6, 3, 0))


def _as_map(tokens: Tensor, height: int) -> Tensor:
    """float [N, H * W, C] -> float [N, C, H, W]."""
    n, places, channels = tokens.shape
    return tokens.transpose(1, 2).reshape(n, channels, height, places // height)


def _as_tokens(x: Tensor) -> Tensor:
    """float [N, C, H, W] -> float [N, H * W, C]."""
    return x.flatten(2).transpose(1, 2)
