"""ResNet-vd for text lines, the backbone of PP-OCR v2.0's server recogniser.

Source: He et al. "Deep Residual Learning" (2016) in the vd variant (He et al. "Bag of Tricks", 2019), as CRNN (Shi et al.
2015) uses such a network: the stem keeps the size, later stages shrink the height alone, a maximum over 2x2 closes it.
"""

from __future__ import annotations

from torch import Tensor, nn

from ocrtune.nn.backbones.resnet import BasicBlock
from ocrtune.nn.layers import ConvBN, Size


class ResNetVdLine(nn.Module):
    """ResNet-vd with basic blocks for text lines.

    Args:
        depths: blocks of the four stages.

    Attributes:
        out_channels: channels of the output.
    """

    def __init__(self, depths: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.conv1_1 = ConvBN(3, 32, 3, activation=nn.ReLU())
        self.conv1_2 = ConvBN(32, 32, 3, activation=nn.ReLU())
        self.conv1_3 = ConvBN(32, 64, 3, activation=nn.ReLU())
        self.pool = nn.MaxPool2d(3, 2, padding=1)
        self.blocks = []
        before = 64
        for stage, (width, depth) in enumerate(zip((64, 128, 256, 512), depths, strict=True)):
            for index in range(depth):
                stride: Size = (2, 1) if stage > 0 and index == 0 else 1
                self.blocks.append(f"bb_{stage}_{index}")
                block = BasicBlock(before, width, stride, project=index == 0, pooled=True)
                self.add_module(self.blocks[-1], block)
                before = width
        self.out_pool = nn.MaxPool2d(2)
        self.out_channels = before

    def forward(self, x: Tensor) -> Tensor:
        """float [N, 3, 32, W] -> float [N, 512, 1, W/4]."""
        x = self.pool(self.conv1_3(self.conv1_2(self.conv1_1(x))))
        for name in self.blocks:
            x = self.get_submodule(name)(x)
        return self.out_pool(x)


def resnet34_vd_line() -> ResNetVdLine:
    """The backbone of PP-OCR v2.0's server recogniser: 3, 4, 6 and 3 basic blocks."""
    return ResNetVdLine(depths=(3, 4, 6, 3))
