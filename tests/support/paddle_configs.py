"""PaddleOCR's official training configurations, as values: what they have in common once, and where they differ.

Source: facts about PaddleOCR's configuration files (keys and values of the versions 2.0 to 3.x).
"""

from __future__ import annotations

import copy
from typing import Any

import yaml

Values = dict[str, Any]

_MEAN, _STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
_MOBILENET = {"name": "MobileNetV3", "scale": 0.5, "model_name": "large", "disable_se": True}
_RESNET50 = {"name": "ResNet_vd", "in_channels": 3, "layers": 50}
_LCNET = {"name": "PPLCNetV3", "scale": 0.75, "det": True}
_DBFPN, _RSEFPN = {"name": "DBFPN", "out_channels": 96}, {"name": "RSEFPN", "out_channels": 96, "shortcut": True}
_LKPAN = {"name": "LKPAN", "out_channels": 256}
_HEAD = {"name": "DBHead", "k": 50}
_LOCAL = {"name": "PFHeadLocal", "k": 50, "fix_nan": True, "mode": "large"}


def _globals(epochs: int, folder: str, steps: list[int], **more: Any) -> Values:
    return {
        "debug": False,
        "use_gpu": True,
        "epoch_num": epochs,
        "log_smooth_window": 20,
        "print_batch_step": 10,
        "save_model_dir": folder,
        "save_epoch_step": 10,
        "eval_batch_step": steps,
        "cal_metric_during_train": False,
        "checkpoints": None,
        "pretrained_model": None,
        "save_inference_dir": None,
        "use_visualdl": False,
        "infer_img": "doc/imgs_en/img_10.jpg",
        "save_res_path": "./output/predicts.txt",
        "distributed": True,
        **more,
    }


def _adam(factor: Any, warmup: int | None = 2, rate: Any = 0.001) -> Values:
    lr = {"name": "Cosine", "learning_rate": rate, **({} if warmup is None else {"warmup_epoch": warmup})}
    return {"name": "Adam", "beta1": 0.9, "beta2": 0.999, "lr": lr, "regularizer": {"name": "L2", "factor": factor}}


def _loader(batch: int, workers: int, shuffle: bool = True, drop: bool = False) -> Values:
    return {"shuffle": shuffle, "drop_last": drop, "batch_size_per_card": batch, "num_workers": workers}


def _dataset(folder: str, labels: str, transforms: list[Values], **more: Any) -> Values:
    return {"name": "SimpleDataSet", "data_dir": folder, "label_file_list": [labels], "transforms": transforms, **more}


_DECODE: Values = {"DecodeImage": {"img_mode": "BGR", "channel_first": False}}
_NORMALISE: list[Values] = [
    {"NormalizeImage": {"scale": "1./255.", "mean": _MEAN, "std": _STD, "order": "hwc"}},
    {"ToCHWImage": None},
]


def detection(
    backbone: Values,
    neck: Values,
    head: Values,
    *,
    crop: int = 960,
    paste: bool = False,
    epochs: int = 500,
    factor: Any = 5.0e-5,
    batch: int = 8,
    workers: int = 4,
    steps: tuple[int, int] = (0, 400),
    dynamic: bool = False,
    pretrained: str | None = None,
    limit: Values | None = None,
    **more: Any,
) -> Values:
    """A detector's configuration; the defaults are those of PP-OCRv3."""
    folder = "./train_data/icdar2015/text_localization/"
    total = {"total_epoch": epochs} if dynamic else {}
    train: list[Values] = [
        _DECODE,
        {"DetLabelEncode": None},
        *([{"CopyPaste": None}] if paste else []),
        {
            "IaaAugment": {
                "augmenter_args": [
                    {"type": "Fliplr", "args": {"p": 0.5}},
                    {"type": "Affine", "args": {"rotate": [-10, 10]}},
                    {"type": "Resize", "args": {"size": [0.5, 3]}},
                ]
            }
        },
        {"EastRandomCropData": {"size": [crop, crop], "max_tries": 50, "keep_ratio": True}},
        {"MakeBorderMap": {"shrink_ratio": 0.4, "thresh_min": 0.3, "thresh_max": 0.7, **total}},
        {"MakeShrinkMap": {"shrink_ratio": 0.4, "min_text_size": 8, **total}},
        *_NORMALISE,
        {"KeepKeys": {"keep_keys": ["image", "threshold_map", "threshold_mask", "shrink_map", "shrink_mask"]}},
    ]
    evaluation: list[Values] = [
        _DECODE,
        {"DetLabelEncode": None},
        {"DetResizeForTest": limit},
        *_NORMALISE,
        {"KeepKeys": {"keep_keys": ["image", "shape", "polys", "ignore_tags"]}},
    ]
    return {
        "Global": _globals(epochs, "./output/det", list(steps), pretrained_model=pretrained, **more),
        "Architecture": {
            "model_type": "det",
            "algorithm": "DB",
            "Transform": None,
            "Backbone": backbone,
            "Neck": neck,
            "Head": head,
        },
        "Loss": {
            "name": "DBLoss",
            "balance_loss": True,
            "main_loss_type": "DiceLoss",
            "alpha": 5,
            "beta": 10,
            "ohem_ratio": 3,
        },
        "Optimizer": _adam(factor),
        "PostProcess": {
            "name": "DBPostProcess",
            "thresh": 0.3,
            "box_thresh": 0.6,
            "max_candidates": 1000,
            "unclip_ratio": 1.5,
        },
        "Metric": {"name": "DetMetric", "main_indicator": "hmean"},
        "Train": {
            "dataset": _dataset(folder, f"{folder}train_icdar2015_label.txt", train, ratio_list=[1.0]),
            "loader": _loader(batch, workers),
        },
        "Eval": {
            "dataset": _dataset(folder, f"{folder}test_icdar2015_label.txt", evaluation),
            "loader": _loader(1, 2, shuffle=False),
        },
    }


def _cml(student: Values, teacher: Values, base: Values) -> Values:
    """A detector's configuration in which two students and a teacher are trained together."""
    plain = {key: value for key, value in base["Loss"].items() if key != "name"}
    names, pairs = ["Student", "Student2"], [["Student", "Teacher"], ["Student2", "Teacher"]]
    return {
        **base,
        "Architecture": {
            "name": "DistillationModel",
            "algorithm": "Distillation",
            "model_type": "det",
            "Models": {
                "Student": {"model_type": "det", "algorithm": "DB", "Transform": None, **student},
                "Student2": {"pretrained": None, "model_type": "det", "algorithm": "DB", "Transform": None, **student},
                "Teacher": {"pretrained": "https://example.org/teacher.pdparams", "freeze_params": True, **teacher},
            },
        },
        "Loss": {
            "name": "CombinedLoss",
            "loss_config_list": [
                {"DistillationDilaDBLoss": {"weight": 1.0, "model_name_pairs": pairs, "key": "maps", **plain}},
                {"DistillationDMLLoss": {"model_name_pairs": names, "maps_name": "thrink_maps", "key": "maps"}},
                {"DistillationDBLoss": {"weight": 1.0, "model_name_list": names, **plain}},
            ],
        },
        "PostProcess": {
            **base["PostProcess"],
            "name": "DistillationDBPostProcess",
            "model_name": ["Student"],
            "key": "head_out",
        },
        "Metric": {
            "name": "DistillationMetric",
            "base_metric_name": "DetMetric",
            "main_indicator": "hmean",
            "key": "Student",
        },
    }


def _guided(neck: Values, guide: Values) -> Values:
    return {
        "name": "MultiHead",
        "head_list": [{"CTCHead": {"Neck": {**neck, "use_guide": True}, "Head": {"fc_decay": 0.00001}}}, guide],
    }


_SVTR = {"name": "svtr", "dims": 120, "depth": 2, "hidden_dims": 120, "kernel_size": [1, 3]}
_NRTR = {"NRTRHead": {"nrtr_dim": 384, "max_text_length": 25}}
_SAR = {"SARHead": {"enc_dim": 512, "max_text_length": 25}}
_RNN_NECK = {"name": "SequenceEncoder", "encoder_type": "rnn"}


def recognition(
    backbone: Values,
    neck: Values | None,
    head: Values,
    *,
    algorithm: str = "SVTR_LCNet",
    epochs: int = 200,
    rate: float = 0.001,
    warmup: int | None = 5,
    factor: float = 3.0e-5,
    batch: int = 192,
    height: int = 48,
    join: bool = True,
    scales: bool = True,
    dictionary: str = "ppocr/utils/ppocr_keys_v1.txt",
) -> Values:
    """A recogniser's configuration; the defaults are those of PP-OCRv4 mobile."""
    guided = head["name"] == "MultiHead"
    sar = guided and "SARHead" in head["head_list"][1]
    encode: Values = {"MultiLabelEncode": None if sar else {"gtc_encode": "NRTRLabelEncode"}}
    keys = ["image", "label_ctc", "label_sar" if sar else "label_gtc", "length", "valid_ratio"]
    if not guided:
        encode, keys = {"CTCLabelEncode": None}, ["image", "label", "length"]
    resize: Values = {"RecResizeImg": {"image_shape": [3, height, 320]}}
    longer = {"prob": 0.5, "ext_data_num": 2, "image_shape": [48, 320, 3], "max_text_length": 25}
    train: list[Values] = [
        _DECODE,
        *([{"RecConAug": longer}] if join else []),
        {"RecAug": None},
        encode,
        *([] if scales else [resize]),
        {"KeepKeys": {"keep_keys": keys}},
    ]
    sampler = {
        "name": "MultiScaleSampler",
        "scales": [[320, 32], [320, 48], [320, 64]],
        "first_bs": batch,
        "fix_bs": False,
        "divided_factor": [8, 16],
        "is_training": True,
    }
    dataset = _dataset("./train_data/", "./train_data/train_list.txt", train)
    if scales:
        dataset |= {"name": "MultiScaleDataSet", "ds_width": False, "ext_op_transform_idx": 1}
    guide = "SARLoss" if sar else "NRTRLoss"
    return {
        "Global": _globals(
            epochs,
            "./output/rec",
            [0, 2000],
            character_dict_path=dictionary,
            max_text_length=25,
            infer_mode=False,
            use_space_char=True,
        ),
        "Optimizer": _adam(factor, warmup, rate),
        "Architecture": {
            "model_type": "rec",
            "algorithm": algorithm,
            "Transform": None,
            "Backbone": backbone,
            **({} if neck is None else {"Neck": neck}),
            "Head": head,
        },
        "Loss": {"name": "MultiLoss", "loss_config_list": [{"CTCLoss": None}, {guide: None}]}
        if guided
        else {"name": "CTCLoss"},
        "PostProcess": {"name": "CTCLabelDecode"},
        "Metric": {"name": "RecMetric", "main_indicator": "acc", **({"ignore_space": False} if sar else {})},
        "Train": {
            "dataset": dataset,
            **({"sampler": sampler} if scales else {}),
            "loader": _loader(batch, 8, drop=True),
        },
        "Eval": {
            "dataset": _dataset(
                "./train_data",
                "./train_data/val_list.txt",
                [_DECODE, encode, resize, {"KeepKeys": {"keep_keys": keys}}],
            ),
            "loader": _loader(128, 4, shuffle=False),
        },
    }


def _svtr_large() -> Values:
    """The recogniser that v4's small ones are taught by, which reads lines of one size."""
    backbone = {
        "name": "SVTRNet",
        "img_size": [48, 320],
        "out_char_num": 40,
        "out_channels": 512,
        "patch_merging": "Conv",
        "embed_dim": [192, 256, 512],
        "depth": [6, 6, 9],
        "num_heads": [6, 8, 16],
        "mixer": ["Conv"] * 9 + ["Global"] * 12,
        "local_mixer": [[5, 5], [5, 5], [5, 5]],
        "last_stage": False,
        "prenorm": True,
    }
    guide = {"NRTRHead": {"nrtr_dim": 512, "max_text_length": 40}}
    head = {"use_pool": True, "use_pos": True, **_guided({**_SVTR, "dims": 256, "hidden_dims": 256}, guide)}
    values = recognition(backbone, None, head, batch=64, join=False, scales=False)
    values["Global"]["max_text_length"] = 40
    values["Optimizer"] = {
        "name": "AdamW",
        "beta1": 0.9,
        "beta2": 0.99,
        "epsilon": 1.0e-08,
        "weight_decay": 0.05,
        "no_weight_decay_name": "norm pos_embed char_node_embed pos_node_embed char_pos_embed vis_pos_embed",
        "one_dim_param_no_weight_decay": True,
        "lr": {"name": "Cosine", "learning_rate": 0.00025, "warmup_epoch": 5},
    }
    values["Train"]["dataset"]["ext_op_transform_idx"] = 1
    for entry in values["Eval"]["dataset"]["transforms"]:
        if "RecResizeImg" in entry:
            entry["SVTRRecResizeImg"] = entry.pop("RecResizeImg")
    return values


def _taught(student: Values, teacher: Values) -> Values:
    """A recogniser's configuration in which it is taught by a frozen one."""
    models = {
        name: {
            "pretrained": None,
            "freeze_params": name == "Teacher",
            "return_all_feats": True,
            "model_type": "rec",
            "algorithm": "SVTR",
            "Transform": None,
            "Backbone": values["Architecture"]["Backbone"],
            "Head": values["Architecture"]["Head"],
        }
        for name, values in (("Teacher", teacher), ("Student", student))
    }
    pairs, common = [["Student", "Teacher"]], {"key": "head_out", "multi_head": True}
    alone = {"weight": 1.0, "model_name_list": ["Student"], **common}
    return {
        **student,
        "Architecture": {
            "model_type": "rec",
            "name": "DistillationModel",
            "algorithm": "Distillation",
            "Models": models,
        },
        "Loss": {
            "name": "CombinedLoss",
            "loss_config_list": [
                {
                    "DistillationDKDLoss": {
                        "weight": 0.1,
                        "model_name_pairs": pairs,
                        **common,
                        "alpha": 1.0,
                        "beta": 2.0,
                        "dis_head": "gtc",
                        "name": "dkd",
                    }
                },
                {"DistillationCTCLoss": alone},
                {"DistillationNRTRLoss": {**alone, "smoothing": False}},
                {
                    "DistillCTCLogits": {
                        "weight": 1.0,
                        "reduction": "mean",
                        "model_name_pairs": pairs,
                        "key": "head_out",
                    }
                },
            ],
        },
        "PostProcess": {
            "name": "DistillationCTCLabelDecode",
            "model_name": ["Student"],
            "key": "head_out",
            "multi_head": True,
        },
        "Metric": {
            "name": "DistillationMetric",
            "base_metric_name": "RecMetric",
            "main_indicator": "acc",
            "key": "Student",
            "ignore_space": False,
        },
    }


def _piecewise(values: Values) -> Values:
    changed = copy.deepcopy(values)
    lr = {"name": "Piecewise", "decay_epochs": [700, 800], "values": [0.001, 0.0001], "warmup_epoch": 5}
    changed["Optimizer"]["lr"] = lr
    return changed


def _orientation() -> Values:
    folder = "./train_data/cls"
    resize: Values = {"ClsResizeImg": {"image_shape": [3, 48, 192]}}
    keys: Values = {"KeepKeys": {"keep_keys": ["image", "label"]}}
    backbone = {"name": "MobileNetV3", "scale": 0.35, "model_name": "small"}
    changes: list[Values] = [{"BaseDataAugmentation": None}, {"RandAugment": None}]
    before: list[Values] = [_DECODE, {"ClsLabelEncode": None}]
    return {
        "Global": _globals(100, "./output/cls/mv3/", [0, 1000], label_list=["0", "180"], use_xpu=False),
        "Architecture": {
            "model_type": "cls",
            "algorithm": "CLS",
            "Transform": None,
            "Backbone": backbone,
            "Neck": None,
            "Head": {"name": "ClsHead", "class_dim": 2},
        },
        "Loss": {"name": "ClsLoss"},
        "Optimizer": _adam(0, warmup=None),
        "PostProcess": {"name": "ClsPostProcess"},
        "Metric": {"name": "ClsMetric", "main_indicator": "acc"},
        "Train": {
            "dataset": _dataset(folder, f"{folder}/train.txt", [*before, *changes, resize, keys]),
            "loader": _loader(512, 8, drop=True),
        },
        "Eval": {
            "dataset": _dataset(folder, f"{folder}/test.txt", [*before, resize, keys]),
            "loader": _loader(512, 4, shuffle=False),
        },
    }


_LCNET_BACKBONE = "https://paddleocr.bj.bcebos.com/pretrained/PPLCNetV3_x0_75_ocr_det.pdparams"
_V20: dict[str, Any] = {
    "epochs": 1200,
    "factor": 0,
    "steps": (3000, 2000),
    "pretrained": "./pretrain_models/MobileNetV3_large_x0_5_pretrained",
}
_V4: dict[str, Any] = {"crop": 640, "paste": True, "workers": 8, "steps": (0, 1500), "dynamic": True}
_V4_MOBILE = detection(
    _LCNET, _RSEFPN, {**_HEAD, "fix_nan": True}, pretrained=_LCNET_BACKBONE, model_name="PP-OCRv4_mobile_det", **_V4
)
_MV1 = {"name": "MobileNetV1Enhance", "scale": 0.5}
_MV1_V3 = {**_MV1, "last_conv_stride": [1, 2], "last_pool_type": "avg", "last_pool_kernel_size": [2, 2]}
_PLAIN: dict[str, Any] = {"height": 32, "join": False, "scales": False, "algorithm": "CRNN"}

OFFICIAL: dict[str, tuple[str, Values]] = {
    "ch_det_mv3_db_v2.0": (
        "db_mobilenetv3_dbfpn",
        detection(_MOBILENET, _DBFPN, _HEAD, load_static_weights=True, **_V20),
    ),
    "ch_det_res18_db_v2.0": (
        "db_resnet18_vd",
        detection(
            {"name": "ResNet_vd", "layers": 18, "disable_se": True},
            {"name": "DBFPN", "out_channels": 256},
            _HEAD,
            **{**_V20, "pretrained": "./pretrain_models/ResNet18_vd_pretrained"},
        ),
    ),
    "ch_PP-OCRv2_det_student": ("db_mobilenetv3_dbfpn", detection(_MOBILENET, _DBFPN, _HEAD, epochs=1200, factor=0)),
    "PP-OCRv3_mobile_det": ("db_mobilenetv3_rsefpn", detection(_MOBILENET, _RSEFPN, _HEAD)),
    "PP-OCRv3_server_det": (
        "db_resnet50_vd_lkpan",
        detection(_RESNET50, _LKPAN, {**_HEAD, "kernel_list": [7, 2, 2]}, paste=True, amp_dtype="bfloat16"),
    ),
    "PP-OCRv4_mobile_det": ("db_pplcnetv3_mobile", _V4_MOBILE),
    "PP-OCRv4_server_det": (
        "db_pphgnet_server",
        detection({"name": "PPHGNet_small", "det": True}, {**_LKPAN, "intracl": True}, _LOCAL, factor="1e-6", **_V4),
    ),
    "PP-OCRv4_det_cml": (
        "db_pplcnetv3_mobile",
        _cml(
            {"Backbone": {**_LCNET, "pretrained": False}, "Neck": _RSEFPN, "Head": _HEAD},
            {"Backbone": _RESNET50, "Neck": _LKPAN, "Head": {**_HEAD, "kernel_list": [7, 2, 2]}},
            detection(
                _LCNET,
                _RSEFPN,
                _HEAD,
                batch=16,
                limit={"limit_side_len": 960, "limit_type": "max"},
                **{**_V4, "paste": False, "steps": (0, 1000)},
            ),
        ),
    ),
    "PP-OCRv5_mobile_det": ("db_pplcnetv3_mobile", detection(_LCNET, _RSEFPN, {**_HEAD, "fix_nan": True}, **_V4)),
    "PP-OCRv5_server_det": (
        "db_pphgnetv2_server",
        detection({"name": "PPHGNetV2_B4", "det": True}, {**_LKPAN, "intracl": True}, _LOCAL, factor="1e-6", **_V4),
    ),
    "rec_chinese_lite_train_v2.0": (
        "ctc_mobilenetv3_crnn",
        recognition(
            {"name": "MobileNetV3", "scale": 0.5, "model_name": "small", "small_stride": [1, 2, 2, 2]},
            {**_RNN_NECK, "hidden_size": 48},
            {"name": "CTCHead", "fc_decay": 1.0e-5},
            epochs=500,
            warmup=None,
            factor=1.0e-5,
            batch=256,
            **_PLAIN,
        ),
    ),
    "rec_chinese_common_train_v2.0": (
        "ctc_resnet34_crnn",
        recognition(
            {"name": "ResNet", "layers": 34},
            {**_RNN_NECK, "hidden_size": 256},
            {"name": "CTCHead", "fc_decay": 4.0e-5},
            epochs=500,
            warmup=None,
            factor=4.0e-5,
            batch=256,
            **_PLAIN,
        ),
    ),
    "ch_PP-OCRv2_rec": (
        "ctc_mobilenetv1_crnn",
        _piecewise(
            recognition(
                _MV1,
                {**_RNN_NECK, "hidden_size": 64},
                {"name": "CTCHead", "mid_channels": 96, "fc_decay": 2.0e-5},
                epochs=800,
                factor=2.0e-5,
                batch=128,
                **_PLAIN,
            )
        ),
    ),
    "PP-OCRv3_mobile_rec": (
        "ctc_mobilenetv1_svtr",
        recognition(
            _MV1_V3,
            None,
            _guided({"name": "svtr", "dims": 64, "depth": 2, "hidden_dims": 120}, _SAR),
            epochs=500,
            batch=128,
            scales=False,
        ),
    ),
    "PP-OCRv4_mobile_rec": (
        "ctc_pplcnetv3_mobile",
        recognition({"name": "PPLCNetV3", "scale": 0.95}, None, _guided(_SVTR, _NRTR)),
    ),
    "PP-OCRv4_server_rec": (
        "ctc_pphgnet_server",
        recognition({"name": "PPHGNet_small"}, None, _guided(_SVTR, _NRTR), algorithm="SVTR_HGNet", batch=128),
    ),
    "ch_PP-OCRv4_rec_svtr_large": ("ctc_svtrnet_large", _svtr_large()),
    "PP-OCRv4_mobile_rec_distillation": (
        "ctc_pplcnetv3_mobile",
        _taught(
            recognition({"name": "PPLCNetV3", "scale": 0.95}, None, _guided(_SVTR, _NRTR), warmup=2, batch=128),
            _svtr_large(),
        ),
    ),
    "en_PP-OCRv4_mobile_rec": (
        "ctc_pplcnetv3_mobile",
        recognition(
            {"name": "PPLCNetV3", "scale": 0.95},
            None,
            _guided(_SVTR, _NRTR),
            epochs=50,
            rate=0.0005,
            batch=96,
            dictionary="ppocr/utils/en_dict.txt",
        ),
    ),
    "PP-OCRv5_mobile_rec": (
        "ctc_pplcnetv3_mobile",
        recognition(
            {"name": "PPLCNetV3", "scale": 0.95},
            None,
            _guided(_SVTR, _NRTR),
            epochs=75,
            rate=0.0005,
            batch=128,
            dictionary="./ppocr/utils/dict/ppocrv5_dict.txt",
        ),
    ),
    "PP-OCRv5_server_rec": (
        "ctc_pphgnetv2_server",
        recognition(
            {"name": "PPHGNetV2_B4", "text_rec": True},
            None,
            _guided(_SVTR, _NRTR),
            algorithm="SVTR_HGNet",
            epochs=75,
            rate=0.0005,
            warmup=1,
            batch=128,
            join=False,
            dictionary="./ppocr/utils/dict/ppocrv5_dict.txt",
        ),
    ),
    "cls_mv3": ("cls_mobilenetv3_x0_35", _orientation()),
}
"""{name: (our network, values)}"""


def official(name: str) -> Values:
    """A copy of an official configuration's values, to be changed."""
    return copy.deepcopy(OFFICIAL[name][1])


def as_yaml(values: Values) -> str:
    return yaml.safe_dump(values, sort_keys=False)
