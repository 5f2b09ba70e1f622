"""DB detectors: which backbone, neck and head belong together."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn

from ocrtune.errors import named
from ocrtune.nn.backbones.mobilenetv3 import mobilenetv3_det_large_x0_5
from ocrtune.nn.backbones.pphgnet import pphgnet_small_det
from ocrtune.nn.backbones.pphgnetv2 import pphgnetv2_b4_det
from ocrtune.nn.backbones.pplcnetv3 import pplcnetv3_det_x0_75
from ocrtune.nn.backbones.pplcnetv4 import pplcnetv4_det_medium, pplcnetv4_det_small, pplcnetv4_det_tiny
from ocrtune.nn.backbones.resnet import resnet18, resnet18_vd, resnet50, resnet50_vd
from ocrtune.nn.heads.db import DBHead, DBMaps, PFHead
from ocrtune.nn.necks.fpn import DBFPN, RSEFPN, RepLKFPN
from ocrtune.nn.necks.pan import LKPAN, RepLKPAN


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
            return self.head(features)
        return DBOutput(self.head.training_maps(features), self.head.auxiliary_maps(pyramid))


def db_mobilenetv3_dbfpn() -> DBDetector:
    """PP-OCR v2.0 mobile and v2: MobileNetV3 large x0.5, DB-FPN 96; 0.57 M parameters when deployed."""
    backbone = mobilenetv3_det_large_x0_5()
    return DBDetector(backbone, DBFPN(backbone.out_channels, 96), DBHead(96))


def db_mobilenetv3_rsefpn() -> DBDetector:
    """PP-OCRv3 mobile: MobileNetV3 large x0.5, RSE-FPN 96; 0.59 M parameters when deployed."""
    backbone = mobilenetv3_det_large_x0_5()
    return DBDetector(backbone, RSEFPN(backbone.out_channels, 96), DBHead(96))


def db_pplcnetv3_mobile() -> DBDetector:
    """PP-OCRv4 mobile (and v5 mobile): PP-LCNetV3 x0.75, RSE-FPN 96; 1.17 M parameters when deployed."""
    backbone = pplcnetv3_det_x0_75()
    return DBDetector(backbone, RSEFPN(backbone.out_channels, 96), DBHead(96))


def db_pplcnetv4_tiny() -> DBDetector:
    """PP-OCRv6 tiny: PP-LCNetV4, RepLK-FPN 64, auxiliary heads at levels 4, 3 and 2; 0.43 M parameters deployed."""
    backbone = pplcnetv4_det_tiny()
    head = DBHead(64, auxiliary=(4, 3, 2), auxiliary_channels=64)
    return DBDetector(backbone, RepLKFPN(backbone.out_channels, 64, kernel_size=5), head)


def db_pplcnetv4_small() -> DBDetector:
    """PP-OCRv6 small: PP-LCNetV4, RepLK-FPN 96, auxiliary heads at levels 4, 3 and 2; 2.4 M parameters deployed."""
    backbone = pplcnetv4_det_small()
    head = DBHead(96, auxiliary=(4, 3, 2), auxiliary_channels=96)
    return DBDetector(backbone, RepLKFPN(backbone.out_channels, 96, kernel_size=7), head)


def db_pplcnetv4_medium() -> DBDetector:
    """PP-OCRv6 medium: PP-LCNetV4, RepLK-PAN 256, auxiliary heads at levels 4, 3 and 2; 15.5 M parameters deployed."""
    backbone = pplcnetv4_det_medium()
    head = DBHead(256, auxiliary=(4, 3, 2), auxiliary_channels=256)
    return DBDetector(backbone, RepLKPAN(backbone.out_channels, 256), head)


def db_resnet18_vd() -> DBDetector:
    """PP-OCR v2.0 server: ResNet-18-vd, DB-FPN 256; 12.2 M parameters when deployed."""
    backbone = resnet18_vd()
    return DBDetector(backbone, DBFPN(backbone.out_channels, 256), DBHead(256))


def db_resnet50_vd() -> DBDetector:
    """PaddleOCR's det_r50_vd_db: ResNet-50-vd, DB-FPN 256; 25.2 M parameters when deployed."""
    backbone = resnet50_vd()
    return DBDetector(backbone, DBFPN(backbone.out_channels, 256), DBHead(256))


def db_resnet50_vd_lkpan() -> DBDetector:
    """PP-OCRv3 server: ResNet-50-vd, LK-PAN 256, 7x7 convolutions in the head; 32.1 M parameters when deployed."""
    backbone = resnet50_vd()
    return DBDetector(backbone, LKPAN(backbone.out_channels, 256, intracl=False), DBHead(256, kernel_size=7))


def db_pphgnet_server() -> DBDetector:
    """PP-OCRv4 server: PP-HGNet small, LK-PAN 256 with intra-collection, PF head; 28.3 M parameters when deployed."""
    backbone = pphgnet_small_det()
    return DBDetector(backbone, LKPAN(backbone.out_channels, 256, intracl=True), PFHead(256))


def db_pphgnetv2_server() -> DBDetector:
    """PP-OCRv5 server: PP-HGNetV2-B4, LK-PAN 256 with intra-collection, PF head; 22.0 M parameters when deployed."""
    backbone = pphgnetv2_b4_det()
    return DBDetector(backbone, LKPAN(backbone.out_channels, 256, intracl=True), PFHead(256))


def db_resnet18() -> DBDetector:
    """DBNet ResNet-18 without deformable convolutions: DB-FPN 256."""
    backbone = resnet18()
    return DBDetector(backbone, DBFPN(backbone.out_channels, 256), DBHead(256))


def db_resnet50() -> DBDetector:
    """DBNet ResNet-50 without deformable convolutions: DB-FPN 256."""
    backbone = resnet50()
    return DBDetector(backbone, DBFPN(backbone.out_channels, 256), DBHead(256))


def dbpp_resnet50() -> DBDetector:
    """DBNet++ ResNet-50 without deformable convolutions: DB-FPN 256 with adaptive scale fusion (Liao et al. 2022)."""
    backbone = resnet50()
    return DBDetector(backbone, DBFPN(backbone.out_channels, 256, asf=True), DBHead(256))


DETECTORS: dict[str, Callable[[], DBDetector]] = {
    builder.__name__: builder
    for builder in (
        db_pplcnetv3_mobile,
        db_pplcnetv4_small,
        db_pplcnetv4_tiny,
        db_pplcnetv4_medium,
        db_mobilenetv3_dbfpn,
        db_mobilenetv3_rsefpn,
        db_resnet18_vd,
        db_resnet50_vd,
        db_resnet50_vd_lkpan,
        db_pphgnet_server,
        db_pphgnetv2_server,
        db_resnet18,
        db_resnet50,
        dbpp_resnet50,
    )
}


def build_detector(arch: str) -> DBDetector:
    """A detector in its training form with fresh weights.

    Raises:
        ConfigError: no detector has this name.
    """
    return named(arch, DETECTORS, "detector", "model.arch")()
