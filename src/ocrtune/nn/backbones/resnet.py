"""ResNet-vd with basic blocks, the backbone of DBNet ResNet-18.

Source: He et al. "Deep Residual Learning" (2016); the vd variant (He et al. "Bag of Tricks", 2019) has a stem of three
3x3 convolutions and an average pool before the shortcut's 1x1 convolution.
"""

from __future__ import annotations

from torch import Tensor, nn

from ocrtune.nn.layers import ConvBN


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut; ``pool`` averages 2x2 before the shortcut's convolution."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, project: bool) -> None:
        super().__init__()
        self.conv0 = ConvBN(in_channels, out_channels, 3, stride, activation=nn.ReLU())
        self.conv1 = ConvBN(out_channels, out_channels, 3)
        self.pool = nn.AvgPool2d(2, 2, ceil_mode=True) if stride == 2 else nn.Identity()
        self.short = ConvBN(in_channels, out_channels, 1) if project else nn.Identity()
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.conv1(self.conv0(x)) + self.short(self.pool(x)))


class ResNetVd(nn.Module):
    """ResNet-vd with outputs at strides 4, 8, 16 and 32.

    Args:
        depths: blocks of the four stages.
    """

    def __init__(self, depths: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.conv1_1 = ConvBN(3, 32, 3, 2, activation=nn.ReLU())
        self.conv1_2 = ConvBN(32, 32, 3, activation=nn.ReLU())
        self.conv1_3 = ConvBN(32, 64, 3, activation=nn.ReLU())
        self.pool = nn.MaxPool2d(3, 2, padding=1)
        self.depths = depths
        self.out_channels = [64, 128, 256, 512]
        before = 64
        for stage, (width, depth) in enumerate(zip(self.out_channels, depths, strict=True)):
            for index in range(depth):
                stride = 2 if stage > 0 and index == 0 else 1
                self.add_module(f"bb_{stage}_{index}", BasicBlock(before, width, stride, project=index == 0))
                before = width

    def forward(self, x: Tensor) -> list[Tensor]:
        """float [N, 3, H, W], H and W multiples of 32 -> four maps of 64, 128, 256, 512 channels."""
        x = self.pool(self.conv1_3(self.conv1_2(self.conv1_1(x))))
        maps = []
        for stage, depth in enumerate(self.depths):
            for index in range(depth):
                x = self.get_submodule(f"bb_{stage}_{index}")(x)
            maps.append(x)
        return maps


def resnet18_vd() -> ResNetVd:
    """ResNet-18-vd: two basic blocks a stage."""
    return ResNetVd(depths=(2, 2, 2, 2))
