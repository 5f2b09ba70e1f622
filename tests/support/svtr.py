"""SVTRNet in a size that a test can train and export."""

from __future__ import annotations

from ocrtune.nn.backbones.svtrnet import SVTRNet

LARGE = "ocrtune.recognition.model.svtrnet_large"
"""What `small_svtrnet` takes the place of."""


def small_svtrnet() -> SVTRNet:
    """Every kind of block, two hundred times fewer parameters."""
    return SVTRNet(channels=(32, 64, 64), depths=(1, 2, 1), local=(1, 1, 0))
