"""Path aggregation necks with large kernels, of PP-OCR's server detectors: LK-PAN and RepLK-PAN.

Source: PP-OCRv3 (Li et al. 2022), section 2.1, on PANet (Liu et al. 2018); the intra-collection block of PP-OCRv4;
PP-OCRv6's medium detector with re-parameterised kernels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from ocrtune.nn.fuse import conv_bn_to_conv
from ocrtune.nn.necks.fpn import concatenated, top_down
from ocrtune.nn.necks.large_kernel import LargeKernelConv


class IntraCLBlock(nn.Module):
    """Intra-collection: square, tall and wide kernels of 7, 5 and 3 on half of the channels, added to the input.

    Args:
        channels: of input and output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.conv1x1_reduce_channel = nn.Conv2d(channels, half, 1)
        for k in (7, 5, 3):
            self.add_module(f"c_layer_{k}x{k}", nn.Conv2d(half, half, k, padding=k // 2))
            self.add_module(f"v_layer_{k}x1", nn.Conv2d(half, half, (k, 1), padding=(k // 2, 0)))
            self.add_module(f"q_layer_1x{k}", nn.Conv2d(half, half, (1, k), padding=(0, k // 2)))
        self.conv1x1_return_channel = nn.Conv2d(half, channels, 1)
        self.bn: nn.Module = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """float [N, C, H, W] -> the same shape."""
        y = self.conv1x1_reduce_channel(x)
        for k in (7, 5, 3):
            square, tall, wide = (
                getattr(self, name) for name in (f"c_layer_{k}x{k}", f"v_layer_{k}x1", f"q_layer_1x{k}")
            )
            y = square(y) + tall(y) + wide(y)
        return x + F.relu(self.bn(self.conv1x1_return_channel(y)))

    def fused(self) -> nn.Module:
        if not isinstance(self.bn, nn.BatchNorm2d):  # folded already
            return self
        self.conv1x1_return_channel = conv_bn_to_conv(self.conv1x1_return_channel, self.bn)
        self.bn = nn.Identity()
        return self


class PAN(nn.Module):
    """Top-down pyramid, then a bottom-up path, with large kernels before and after it.

    Args:
        in_channels: of the four maps.
        out_channels: of the result; each level has a quarter.
        large: two numbers of channels -> a convolution with a large receptive field.
        intracl: whether an intra-collection block closes each level.
    """

    def __init__(
        self, in_channels: Sequence[int], out_channels: int, large: type[LargeKernelConv] | type[Conv9x9], intracl: bool
    ) -> None:
        super().__init__()
        quarter = out_channels // 4
        self.ins_conv = nn.ModuleList(nn.Conv2d(channels, out_channels, 1, bias=False) for channels in in_channels)
        self.inp_conv = nn.ModuleList(large(out_channels, quarter) for _ in in_channels)
        self.pan_head_conv = nn.ModuleList(nn.Conv2d(quarter, quarter, 3, 2, padding=1, bias=False) for _ in range(3))
        self.pan_lat_conv = nn.ModuleList(large(quarter, quarter) for _ in in_channels)
        self.intracl = intracl
        if intracl:
            for level in (1, 2, 3, 4):
                self.add_module(f"incl{level}", IntraCLBlock(quarter))
        self.out_channels = out_channels

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Four maps at strides 4..32 -> float [N, out, H/4, W/4] and the pyramid's maps at strides 4, 8, 16."""
        c2, c3, c4, c5 = (conv(m) for conv, m in zip(self.ins_conv, maps, strict=True))
        pyramid = top_down(c2, c3, c4, c5)
        f2, f3, f4, f5 = (conv(m) for conv, m in zip(self.inp_conv, pyramid, strict=True))
        n3 = f3 + self.pan_head_conv[0](f2)
        n4 = f4 + self.pan_head_conv[1](n3)
        n5 = f5 + self.pan_head_conv[2](n4)
        p2, p3, p4, p5 = (conv(m) for conv, m in zip(self.pan_lat_conv, (f2, n3, n4, n5), strict=True))
        if self.intracl:
            p2, p3, p4, p5 = (getattr(self, f"incl{level}")(m) for level, m in enumerate((p2, p3, p4, p5), start=1))
        return concatenated(p2, p3, p4, p5), list(pyramid[:3])


class Conv9x9(nn.Conv2d):
    """A dense 9x9 convolution without bias."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 9, padding=4, bias=False)


class LKPAN(PAN):
    """Large-kernel PAN of the PP-OCRv3, v4 and v5 server detectors: dense 9x9 convolutions."""

    def __init__(self, in_channels: Sequence[int], out_channels: int, intracl: bool) -> None:
        super().__init__(in_channels, out_channels, Conv9x9, intracl)


class RepLKPAN(PAN):
    """The same with re-parameterised depthwise kernels, of the PP-OCRv6 medium detector."""

    def __init__(self, in_channels: Sequence[int], out_channels: int) -> None:
        super().__init__(in_channels, out_channels, LargeKernelConv, intracl=True)
