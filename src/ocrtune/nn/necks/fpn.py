"""Feature pyramids that end in one map at stride 4: DB-FPN, RSE-FPN and RepLK-FPN.

Source: Liao et al. "DB" (2020) for the pyramid; PP-OCRv3 (Li et al. 2022) for the residual squeeze-and-excitation;
PP-OCRv6 for the large kernels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ocrtune.nn.layers import ResidualSE, upsample2x
from ocrtune.nn.necks.large_kernel import DilatedReparam


def top_down(c2: Tensor, c3: Tensor, c4: Tensor, c5: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Add each coarser map, doubled, to the next finer one; returns the maps from fine to coarse."""
    f4 = c4 + upsample2x(c5)
    f3 = c3 + upsample2x(f4)
    f2 = c2 + upsample2x(f3)
    return f2, f3, f4, c5


def concatenated(p2: Tensor, p3: Tensor, p4: Tensor, p5: Tensor) -> Tensor:
    """Enlarge all maps to stride 4 and concatenate them from coarse to fine."""

    def enlarge(x: Tensor, times: int) -> Tensor:
        return nn.functional.interpolate(x, scale_factor=float(times), mode="nearest")

    return torch.cat([enlarge(p5, 8), enlarge(p4, 4), enlarge(p3, 2), p2], dim=1)


class AdaptiveScaleFusion(nn.Module):
    """Weighs the levels of a pyramid at each position (DBNet++, Liao et al. 2022, section 3.3).

    Args:
        channels: of the concatenated levels.
        levels: how many there are.
    """

    def __init__(self, channels: int, levels: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels // 4, 3, padding=1)
        self.spatial_scale = nn.Sequential(
            nn.Conv2d(1, 1, 3, padding=1, bias=False), nn.ReLU(), nn.Conv2d(1, 1, 1, bias=False), nn.Sigmoid()
        )
        self.channel_scale = nn.Sequential(nn.Conv2d(channels // 4, levels, 1, bias=False), nn.Sigmoid())
        self.levels = levels

    def forward(self, x: Tensor) -> Tensor:
        """float [N, C, H, W], the levels one behind the other -> the same shape."""
        mixed = self.conv(x)
        weights = self.channel_scale(mixed + self.spatial_scale(mixed.mean(dim=1, keepdim=True)))
        return x * weights.repeat_interleave(x.shape[1] // self.levels, dim=1)


class DBFPN(nn.Module):
    """The pyramid of DBNet: 1x1 laterals, 3x3 outputs of a quarter of the channels.

    Args:
        in_channels: of the four maps.
        out_channels: of the result.
        asf: whether adaptive scale fusion weighs the levels (DBNet++).
    """

    def __init__(self, in_channels: Sequence[int], out_channels: int, asf: bool = False) -> None:
        super().__init__()
        quarter = out_channels // 4
        self.in5_conv, self.in4_conv, self.in3_conv, self.in2_conv = (
            nn.Conv2d(channels, out_channels, 1, bias=False) for channels in reversed(in_channels)
        )
        self.p5_conv, self.p4_conv, self.p3_conv, self.p2_conv = (
            nn.Conv2d(out_channels, quarter, 3, padding=1, bias=False) for _ in range(4)
        )
        self.asf = AdaptiveScaleFusion(out_channels) if asf else nn.Identity()
        self.out_channels = out_channels

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Four maps at strides 4..32 -> float [N, out, H/4, W/4] and the pyramid's maps at strides 4, 8, 16."""
        c2, c3, c4, c5 = maps
        in5, in4, in3, in2 = self.in5_conv(c5), self.in4_conv(c4), self.in3_conv(c3), self.in2_conv(c2)
        f2, f3, f4, f5 = top_down(in2, in3, in4, in5)
        p5, p4, p3, p2 = self.p5_conv(f5), self.p4_conv(f4), self.p3_conv(f3), self.p2_conv(f2)
        return self.asf(concatenated(p2, p3, p4, p5)), [f2, f3, f4]


class RSELayer(nn.Module):
    """Convolution without bias, then residual squeeze-and-excitation."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__()
        self.in_conv = nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False)
        self.se_block = ResidualSE(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.se_block(self.in_conv(x))


class RSEFPN(nn.Module):
    """Pyramid of PP-OCRv3 and v4 mobile: DB-FPN with residual squeeze-and-excitation on every convolution."""

    def __init__(self, in_channels: Sequence[int], out_channels: int) -> None:
        super().__init__()
        self.ins_conv = nn.ModuleList(RSELayer(channels, out_channels, 1) for channels in in_channels)
        self.inp_conv = nn.ModuleList(RSELayer(out_channels, out_channels // 4, 3) for _ in in_channels)
        self.out_channels = out_channels

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Four maps at strides 4..32 -> float [N, out, H/4, W/4] and the pyramid's maps at strides 4, 8, 16."""
        c5, c4, c3, c2 = (self.ins_conv[i](maps[i]) for i in (3, 2, 1, 0))
        fused = top_down(c2, c3, c4, c5)
        p5, p4, p3, p2 = (self.inp_conv[i](fused[i]) for i in (3, 2, 1, 0))
        return concatenated(p2, p3, p4, p5), list(fused[:3])


class RepLKFPN(nn.Module):
    """Pyramid of PP-OCRv6 small and tiny: RSE laterals, then large depthwise kernel, 1x1 and RSE at each level.

    Args:
        in_channels: of the four maps.
        out_channels: of the result.
        kernel_size: 7 in the small detector, 5 in the tiny one.
    """

    def __init__(self, in_channels: Sequence[int], out_channels: int, kernel_size: int) -> None:
        super().__init__()
        quarter = out_channels // 4
        self.ins_conv = nn.ModuleList(RSELayer(channels, out_channels, 1) for channels in in_channels)
        self.inp_conv_dw = nn.ModuleList(DilatedReparam(out_channels, kernel_size) for _ in in_channels)
        self.inp_conv_pw = nn.ModuleList(nn.Conv2d(out_channels, quarter, 1, bias=False) for _ in in_channels)
        self.inp_conv_se = nn.ModuleList(ResidualSE(quarter) for _ in in_channels)
        self.out_channels = out_channels

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Four maps at strides 4..32 -> float [N, out, H/4, W/4] and the pyramid's maps at strides 4, 8, 16."""
        c5, c4, c3, c2 = (self.ins_conv[i](maps[i]) for i in (3, 2, 1, 0))
        fused = top_down(c2, c3, c4, c5)
        p5, p4, p3, p2 = (self.inp_conv_se[i](self.inp_conv_pw[i](self.inp_conv_dw[i](fused[i]))) for i in (3, 2, 1, 0))
        return concatenated(p2, p3, p4, p5), list(fused[:3])
