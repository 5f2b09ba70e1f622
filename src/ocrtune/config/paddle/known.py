"""The networks that PaddleOCR's files describe and that exist here, as those files describe them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_V1_KEYS, _V5_KEYS, _V6_KEYS = "ppocr_keys_v1.txt", "ppocrv5_dict.txt", "ppocrv6_dict.txt"
NO_DICTIONARY = ""


@dataclass(frozen=True)
class Known:
    """A network that PaddleOCR's files describe and that exists here.

    Attributes:
        arch: our name.
        name: PaddleOCR's.
        task: what it does.
        parts: what its description says, where that is not in `DEFAULTS`.
        batch: samples in one step of the official training, over all its cards (lines: at a height of 48 pixels where the
            height changes); None where nobody says.
        height: of the lines that it reads, in pixels.
        width: of the lines, where it reads no other; None where any will do.
        guide: the decoder that trains beside CTC in the official recipe, and its width.
        published: registered names of its published weights, by the file name of the dictionary that they read.
    """

    arch: str
    name: str
    task: str
    parts: Mapping[str, Any] = field(default_factory=dict)
    batch: int | None = None
    height: int = 48
    width: int | None = None
    guide: tuple[str, int] | None = None
    published: Mapping[str, str] = field(default_factory=dict)


# what PaddleOCR assumes where a description is silent; whatever differs from it makes another network
DEFAULTS: dict[str, Any] = {
    "Transform.name": None,
    "Backbone.det": False,
    "Backbone.text_rec": False,
    "Backbone.dcn_stage": None,
    "Backbone.disable_se": False,
    "Backbone.last_conv_stride": 1,
    "Backbone.last_pool_type": "max",
    "Backbone.last_pool_kernel_size": [2, 2],
    "Backbone.small_stride": [2, 2, 2, 2],
    "Backbone.patch_merging": "Conv",
    "Backbone.prenorm": True,
    "Backbone.last_stage": True,
    "Neck.intracl": False,
    "Neck.use_asf": False,
    "Neck.mode": "large",
    "Neck.shortcut": True,
    "Neck.kernel_size": [3, 3],
    "Neck.local_kernel": 7,
    "Neck.hidden_dims": 120,
    "Head.k": 50,
    "Head.mode": "small",
    "Head.kernel_list": [3, 2, 2],
    "Head.mid_channels": None,
    "Head.use_pool": False,
    "Head.use_pos": False,
}
_MOBILENET_DET = {
    "Backbone.name": "MobileNetV3",
    "Backbone.scale": 0.5,
    "Backbone.model_name": "large",
    "Backbone.disable_se": True,
    "Head.name": "DBHead",
    "Neck.out_channels": 96,
}
_LKPAN = {"Neck.name": "LKPAN", "Neck.out_channels": 256}
_LKPAN_LOCAL = {**_LKPAN, "Neck.intracl": True, "Head.name": "PFHeadLocal", "Head.mode": "large"}
_LCNETV4_DET = {"Backbone.name": "PPLCNetV4", "Backbone.det": True, "Head.name": "DBHead"}
_CTC = {"Head.name": "CTCHead"}
_SVTR = {**_CTC, "Neck.name": "svtr", "Neck.dims": 120, "Neck.depth": 2, "Neck.kernel_size": [1, 3]}
_RNN = {**_CTC, "Neck.name": "rnn"}

KNOWN = (
    Known(
        "db_mobilenetv3_dbfpn",
        "PP-OCR v2.0 mobile, v2 student",
        "detection",
        {**_MOBILENET_DET, "Neck.name": "DBFPN"},
        published={NO_DICTIONARY: "ppocrv2.0-mobile-det-train"},
    ),
    Known(
        "db_resnet18_vd",
        "PP-OCR v2.0 server",
        "detection",
        {
            "Backbone.name": "ResNet_vd",
            "Backbone.layers": 18,
            "Neck.name": "DBFPN",
            "Neck.out_channels": 256,
            "Head.name": "DBHead",
        },
        published={NO_DICTIONARY: "ppocrv2.0-server-det-train"},
    ),
    Known(
        "db_mobilenetv3_rsefpn",
        "PP-OCRv3 mobile",
        "detection",
        {**_MOBILENET_DET, "Neck.name": "RSEFPN"},
        published={NO_DICTIONARY: "ppocrv3-mobile-det-train"},
    ),
    Known(
        "db_resnet50_vd_lkpan",
        "PP-OCRv3 server",
        "detection",
        {
            **_LKPAN,
            "Backbone.name": "ResNet_vd",
            "Backbone.layers": 50,
            "Head.name": "DBHead",
            "Head.kernel_list": [7, 2, 2],
        },
        published={NO_DICTIONARY: "ppocrv3-server-det-train"},
    ),
    Known(
        "db_pplcnetv3_mobile",
        "PP-OCRv4 and v5 mobile",
        "detection",
        {
            "Backbone.name": "PPLCNetV3",
            "Backbone.scale": 0.75,
            "Backbone.det": True,
            "Neck.name": "RSEFPN",
            "Neck.out_channels": 96,
            "Head.name": "DBHead",
        },
        published={NO_DICTIONARY: "ppocrv4-mobile-det"},
    ),
    Known(
        "db_pphgnet_server",
        "PP-OCRv4 server",
        "detection",
        {**_LKPAN_LOCAL, "Backbone.name": "PPHGNet_small", "Backbone.det": True},
        published={NO_DICTIONARY: "ppocrv4-server-det"},
    ),
    Known(
        "db_pphgnetv2_server",
        "PP-OCRv5 server",
        "detection",
        {**_LKPAN_LOCAL, "Backbone.name": "PPHGNetV2_B4", "Backbone.det": True},
        published={NO_DICTIONARY: "ppocrv5-server-det"},
    ),
    Known(
        "db_pplcnetv4_tiny",
        "PP-OCRv6 tiny",
        "detection",
        {
            **_LCNETV4_DET,
            "Backbone.model_size": "tiny",
            "Neck.name": "RepLKFPN",
            "Neck.out_channels": 64,
            "Neck.dilated_kernel_size": 5,
        },
        published={NO_DICTIONARY: "ppocrv6-tiny-det"},
    ),
    Known(
        "db_pplcnetv4_small",
        "PP-OCRv6 small",
        "detection",
        {
            **_LCNETV4_DET,
            "Backbone.model_size": "small",
            "Neck.name": "RepLKFPN",
            "Neck.out_channels": 96,
            "Neck.dilated_kernel_size": 7,
        },
        published={NO_DICTIONARY: "ppocrv6-small-det"},
    ),
    Known(
        "db_pplcnetv4_medium",
        "PP-OCRv6 medium",
        "detection",
        {
            **_LCNETV4_DET,
            "Backbone.model_size": "medium",
            "Neck.name": "RepLKPAN",
            "Neck.out_channels": 256,
            "Neck.intracl": True,
        },
        published={NO_DICTIONARY: "ppocrv6-medium-det"},
    ),
    Known(
        "ctc_mobilenetv3_crnn",
        "PP-OCR v2.0 mobile",
        "recognition",
        {
            **_RNN,
            "Backbone.name": "MobileNetV3",
            "Backbone.scale": 0.5,
            "Backbone.model_name": "small",
            "Backbone.disable_se": False,
            "Backbone.small_stride": [1, 2, 2, 2],
            "Neck.hidden_size": 48,
        },
        batch=2048,
        height=32,
        published={_V1_KEYS: "ppocrv2.0-mobile-rec-train"},
    ),
    Known(
        "ctc_resnet34_crnn",
        "PP-OCR v2.0 server",
        "recognition",
        {**_RNN, "Backbone.name": "ResNet_vd", "Backbone.layers": 34, "Neck.hidden_size": 256},
        batch=2048,
        height=32,
        published={_V1_KEYS: "ppocrv2.0-server-rec-train"},
    ),
    Known(
        "ctc_mobilenetv1_crnn",
        "PP-OCRv2",
        "recognition",
        {
            **_RNN,
            "Backbone.name": "MobileNetV1Enhance",
            "Backbone.scale": 0.5,
            "Neck.hidden_size": 64,
            "Head.mid_channels": 96,
        },
        batch=1024,
        height=32,
        published={_V1_KEYS: "ppocrv2-mobile-rec-train"},
    ),
    Known(
        "ctc_mobilenetv1_svtr",
        "PP-OCRv3 mobile",
        "recognition",
        {
            **_SVTR,
            "Backbone.name": "MobileNetV1Enhance",
            "Backbone.scale": 0.5,
            "Backbone.last_conv_stride": [1, 2],
            "Backbone.last_pool_type": "avg",
            "Neck.dims": 64,
            "Neck.kernel_size": [3, 3],
        },
        batch=1024,
        guide=("SARHead", 512),
        published={_V1_KEYS: "ppocrv3-mobile-rec-train"},
    ),
    Known(
        "ctc_pplcnetv3_mobile",
        "PP-OCRv4 and v5 mobile",
        "recognition",
        {**_SVTR, "Backbone.name": "PPLCNetV3", "Backbone.scale": 0.95},
        batch=1024,
        guide=("NRTRHead", 384),
        published={
            _V1_KEYS: "ppocrv4-mobile-rec",
            _V5_KEYS: "ppocrv5-mobile-rec",
            "en_dict.txt": "en-ppocrv4-mobile-rec",
        },
    ),
    Known(
        "ctc_pphgnet_server",
        "PP-OCRv4 server",
        "recognition",
        {**_SVTR, "Backbone.name": "PPHGNet_small"},
        680,
        guide=("NRTRHead", 384),
        published={_V1_KEYS: "ppocrv4-server-rec"},
    ),
    Known(
        "ctc_svtrnet_large",
        "PP-OCRv4 svtr_large",
        "recognition",
        {
            **_SVTR,
            "Backbone.name": "SVTRNet",
            "Backbone.img_size": [48, 320],
            "Backbone.embed_dim": [192, 256, 512],
            "Backbone.depth": [6, 6, 9],
            "Backbone.num_heads": [6, 8, 16],
            "Backbone.mixer": ["Conv"] * 9 + ["Global"] * 12,
            "Backbone.local_mixer": [[5, 5], [5, 5], [5, 5]],
            "Backbone.last_stage": False,
            "Neck.dims": 256,
            "Neck.hidden_dims": 256,
            "Head.use_pool": True,
            "Head.use_pos": True,
        },
        512,
        width=320,
        guide=("NRTRHead", 512),
    ),
    Known(
        "ctc_pphgnetv2_server",
        "PP-OCRv5 server",
        "recognition",
        {**_SVTR, "Backbone.name": "PPHGNetV2_B4", "Backbone.text_rec": True},
        680,
        guide=("NRTRHead", 384),
        published={_V5_KEYS: "ppocrv5-server-rec"},
    ),
    Known(
        "ctc_pplcnetv4_tiny",
        "PP-OCRv6 tiny",
        "recognition",
        {
            **_CTC,
            "Backbone.name": "PPLCNetV4",
            "Backbone.model_size": "tiny",
            "Neck.name": "reshape",
            "Head.mid_channels": 80,
        },
        680,
        guide=("NRTRHead", 384),
        published={"ppocrv6_tiny_dict.txt": "ppocrv6-tiny-rec"},
    ),
    Known(
        "ctc_pplcnetv4_small",
        "PP-OCRv6 small",
        "recognition",
        {
            **_CTC,
            "Backbone.name": "PPLCNetV4",
            "Backbone.model_size": "small",
            "Neck.name": "lightsvtr",
            "Neck.dims": 120,
            "Neck.depth": 2,
            "Neck.mlp_ratio": 2.0,
        },
        680,
        guide=("NRTRHead", 384),
        published={_V6_KEYS: "ppocrv6-small-rec"},
    ),
    Known(
        "ctc_pplcnetv4_medium",
        "PP-OCRv6 medium",
        "recognition",
        {
            **_CTC,
            "Backbone.name": "PPLCNetV4",
            "Backbone.model_size": "medium",
            "Neck.name": "lightsvtr",
            "Neck.dims": 192,
            "Neck.depth": 2,
            "Neck.mlp_ratio": 4.0,
        },
        680,
        guide=("NRTRHead", 512),
        published={_V6_KEYS: "ppocrv6-medium-rec"},
    ),
    Known(
        "cls_mobilenetv3_x0_35",
        "PP-OCR v2.0 direction classifier",
        "orientation",
        {
            "Backbone.name": "MobileNetV3",
            "Backbone.scale": 0.35,
            "Backbone.model_name": "small",
            "Backbone.disable_se": False,
            "Head.name": "ClsHead",
            "Head.class_dim": 2,
        },
        published={NO_DICTIONARY: "ppocr-mobile-ori"},
    ),
)
