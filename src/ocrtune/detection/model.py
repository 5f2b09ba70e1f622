"""DB detectors: which backbone, neck and head belong together."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn

from ocrtune.errors import named
from ocrtune.nn.backbones.pplcnetv3 import pplcnetv3_det_x0_75
from ocrtune.nn.backbones.pplcnetv4 import pplcnetv4_det_small
from ocrtune.nn.backbones.resnet import resnet18_vd
from ocrtune.nn.heads.db import DBHead, DBMaps
from ocrtune.nn.necks.fpn import DBFPN, RSEFPN, RepLKFPN


class DBOutput(NamedTuple):
    """What a detector gives in training.

    Attributes:
        maps: logits of the main head.
        auxiliary: logits of the auxiliary heads by pyramid level; empty without them.
    """

    maps: DBMaps
    auxiliary: dict[int, DBMaps]


class DBDetector(nn.Module):
    """Backbone, neck and DB head (Liao et al. 2020)."""

    def __init__(self, backbone: nn.Module, neck: nn.Module, head: DBHead) -> None:
        super().__init__()
        self.backbone = backbone
        self.neck = neck
        self.head = head

    def forward(self, x: Tensor) -> Tensor | DBOutput:
        """float [N, 3, H, W], H and W multiples of 32.

        Returns:
            eval mode: probability of text, float [N, 1, H, W]; training mode: the maps' logits.
        """
        features, pyramid = self.neck(self.backbone(x))
        if not self.training:
            return self.head(features).sigmoid()
        return DBOutput(self.head.training_maps(features), self.head.auxiliary_maps(pyramid))


def db_pplcnetv3_mobile() -> DBDetector:
    """PP-OCRv4 mobile (and v5 mobile): PP-LCNetV3 x0.75, RSE-FPN 96; 1.17 M parameters when deployed."""
    backbone = pplcnetv3_det_x0_75()
    return DBDetector(backbone, RSEFPN(backbone.out_channels, 96), DBHead(96))


def db_pplcnetv4_small() -> DBDetector:
    """PP-OCRv6 small: PP-LCNetV4, RepLK-FPN 96, auxiliary heads at levels 4, 3 and 2; 2.4 M parameters deployed."""
    backbone = pplcnetv4_det_small()
    head = DBHead(96, auxiliary=(4, 3, 2), auxiliary_channels=96)
    return DBDetector(backbone, RepLKFPN(backbone.out_channels, 96), head)


def db_resnet18_vd() -> DBDetector:
    """DBNet ResNet-18-vd (PP-OCR v2.0 server): DB-FPN 256; 12.2 M parameters when deployed."""
    backbone = resnet18_vd()
    return DBDetector(backbone, DBFPN(backbone.out_channels, 256), DBHead(256))


DETECTORS: dict[str, Callable[[], DBDetector]] = {
    "db_pplcnetv3_mobile": db_pplcnetv3_mobile,
    "db_pplcnetv4_small": db_pplcnetv4_small,
    "db_resnet18_vd": db_resnet18_vd,
}


def build_detector(arch: str) -> DBDetector:
    """A detector in its training form with fresh weights.

    Raises:
        ConfigError: no detector has this name.
    """
    return named(arch, DETECTORS, "detector", "model.arch")()
