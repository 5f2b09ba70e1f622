"""ResNet and ResNet-vd, the backbones of DBNet's own models and of PP-OCR's early server models.

Source: He et al. "Deep Residual Learning" (2016); the vd variant (He et al. "Bag of Tricks", 2019) has a stem of three
3x3 convolutions and an average pool before the shortcut's 1x1 convolution.
"""

from __future__ import annotations

from torch import Tensor, nn

from ocrtune.nn.layers import ConvBN, Size


class Shortcut(nn.Module):
    """What is added to a block's output: the input, projected where its shape changes.

    Args:
        stride: of the block.
        project: whether channels change, or the block opens a stage.
        pooled: average over the stride and project with stride 1 (vd) instead of projecting with the block's stride.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: Size, project: bool, pooled: bool) -> None:
        super().__init__()
        pools = pooled and stride != 1
        self.pool = nn.AvgPool2d(stride, stride, ceil_mode=True) if pools else nn.Identity()
        self.short = ConvBN(in_channels, out_channels, 1, 1 if pools else stride) if project else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.short(self.pool(x))


class BasicBlock(Shortcut):
    """Two 3x3 convolutions and a shortcut."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: Size, project: bool, pooled: bool) -> None:
        super().__init__(in_channels, width, stride, project, pooled)
        self.conv0 = ConvBN(in_channels, width, 3, stride, activation=nn.ReLU())
        self.conv1 = ConvBN(width, width, 3)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.conv1(self.conv0(x)) + super().forward(x))


class Bottleneck(Shortcut):
    """1x1, 3x3 (which strides) and 1x1 to four times the width, and a shortcut."""

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: Size, project: bool, pooled: bool) -> None:
        super().__init__(in_channels, 4 * width, stride, project, pooled)
        self.conv0 = ConvBN(in_channels, width, 1, activation=nn.ReLU())
        self.conv1 = ConvBN(width, width, 3, stride, activation=nn.ReLU())
        self.conv2 = ConvBN(width, 4 * width, 1)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.conv2(self.conv1(self.conv0(x))) + super().forward(x))


class ResNet(nn.Module):
    """ResNet with outputs at strides 4, 8, 16 and 32.

    Args:
        block: `BasicBlock` or `Bottleneck`.
        depths: blocks of the four stages.
        vd: three 3x3 convolutions as the stem and pooled shortcuts, instead of one 7x7 and strided ones.

    Attributes:
        out_channels: channels of the four outputs.
    """

    def __init__(
        self, block: type[BasicBlock] | type[Bottleneck], depths: tuple[int, int, int, int], *, vd: bool
    ) -> None:
        super().__init__()
        if vd:
            self.conv1_1 = ConvBN(3, 32, 3, 2, activation=nn.ReLU())
            self.conv1_2 = ConvBN(32, 32, 3, activation=nn.ReLU())
            self.conv1_3 = ConvBN(32, 64, 3, activation=nn.ReLU())
        else:
            self.conv1 = ConvBN(3, 64, 7, 2, activation=nn.ReLU())
        self.vd = vd
        self.pool = nn.MaxPool2d(3, 2, padding=1)
        self.depths = depths
        self.out_channels = [block.expansion * width for width in (64, 128, 256, 512)]
        before = 64
        for stage, (out, depth) in enumerate(zip(self.out_channels, depths, strict=True)):
            for index in range(depth):
                stride = 2 if stage > 0 and index == 0 else 1
                # a plain ResNet-18 has nothing to project in its first stage; the vd variant projects there as well
                project = index == 0 and (vd or before != out)
                self.add_module(
                    f"bb_{stage}_{index}", block(before, out // block.expansion, stride, project, pooled=vd)
                )
                before = out

    def forward(self, x: Tensor) -> list[Tensor]:
        """float [N, 3, H, W], H and W multiples of 32 -> four maps at strides 4, 8, 16, 32."""
        x = self.conv1_3(self.conv1_2(self.conv1_1(x))) if self.vd else self.conv1(x)
        x, maps = self.pool(x), []
        for stage, depth in enumerate(self.depths):
            for index in range(depth):
                x = self.get_submodule(f"bb_{stage}_{index}")(x)
            maps.append(x)
        return maps


def resnet18_vd() -> ResNet:
    """ResNet-18-vd: two basic blocks a stage."""
    return ResNet(BasicBlock, (2, 2, 2, 2), vd=True)


def resnet50_vd() -> ResNet:
    """ResNet-50-vd: 3, 4, 6 and 3 bottlenecks."""
    return ResNet(Bottleneck, (3, 4, 6, 3), vd=True)


def resnet18() -> ResNet:
    """ResNet-18, as in DBNet's paper."""
    return ResNet(BasicBlock, (2, 2, 2, 2), vd=False)


def resnet50() -> ResNet:
    """ResNet-50, as in DBNet's paper but without deformable convolutions."""
    return ResNet(Bottleneck, (3, 4, 6, 3), vd=False)
