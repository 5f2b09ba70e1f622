"""MobileNetV1-enhance, the backbone of PP-OCRv2's and v3's recognisers.

Source: PP-OCRv2 (Du et al. 2021) after MobileNets (Howard et al. 2017): hard swish throughout, 5x5 kernels in the later
half and squeeze-and-excitation in the last two blocks, as in PP-LCNet. All strides but the first shrink the height alone.
"""

from __future__ import annotations

from torch import Tensor, nn

from ocrtune.nn.layers import ConvBN, DepthwiseSeparable, Size

# kernel, output channels, strided, squeeze-and-excitation; channels before scaling
_BLOCKS: tuple[tuple[int, int, bool, bool], ...] = (
    (3, 64, False, False),
    (3, 128, False, False),
    (3, 128, False, False),
    (3, 256, True, False),
    (3, 256, False, False),
    (3, 512, True, False),
    *((5, 512, False, False),) * 5,
    (5, 1024, True, True),
)


class MobileNetV1Line(nn.Module):
    """MobileNetV1-enhance for text lines.

    Args:
        scale: width multiplier.
        last_stride: of the last block.
        pool: what closes the network and leaves one row.

    Attributes:
        out_channels: channels of the output.
    """

    def __init__(self, scale: float, last_stride: Size, pool: nn.Module) -> None:
        super().__init__()
        before = int(32 * scale)
        self.conv1 = ConvBN(3, before, 3, 2, activation=nn.Hardswish())
        rows: list[tuple[int, int, Size, bool]] = [
            *((kernel, out, (2, 1) if strided else 1, use_se) for kernel, out, strided, use_se in _BLOCKS),
            (5, 1024, last_stride, True),
        ]
        blocks = []
        for kernel, out, stride, use_se in rows:
            width = int(out * scale)
            blocks.append(DepthwiseSeparable(before, width, kernel, stride, use_se))
            before = width
        self.block_list = nn.Sequential(*blocks)
        self.pool = pool
        self.out_channels = before

    def forward(self, x: Tensor) -> Tensor:
        """float [N, 3, H, W] -> float [N, C, 1, W/4] or, where the last block strides, [N, C, 1, W/8]."""
        return self.pool(self.block_list(self.conv1(x)))


def mobilenetv1_line_v2() -> MobileNetV1Line:
    """The backbone of the PP-OCRv2 recogniser: lines of height 32, an output of 512 channels at W/4."""
    return MobileNetV1Line(scale=0.5, last_stride=1, pool=nn.MaxPool2d(2))


def mobilenetv1_line_v3() -> MobileNetV1Line:
    """The backbone of the PP-OCRv3 recogniser: lines of height 48, an output of 512 channels at W/8."""
    return MobileNetV1Line(scale=0.5, last_stride=(1, 2), pool=nn.AvgPool2d(2))
