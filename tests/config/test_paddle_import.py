"""PaddleOCR's configurations become ours, and every value of them is accounted for."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocrtune.config.load import load_config
from ocrtune.config.paddle import Imported, import_paddle
from ocrtune.config.paddle.known import KNOWN
from ocrtune.config.paddle.ledger import leaves
from ocrtune.config.schema import DetectionConfig, OrientationConfig, RecognitionConfig
from ocrtune.data.formats._images import find_image
from ocrtune.detection.model import DETECTORS
from ocrtune.errors import ConfigError
from ocrtune.orientation.model import CLASSIFIERS
from ocrtune.recognition.model import GUIDES, RECOGNIZERS
from support.paddle_configs import OFFICIAL, Values, as_yaml, official
from support.pages import save_image

DET, REC, TEACHER = "PP-OCRv4_mobile_det", "PP-OCRv4_mobile_rec", "ch_PP-OCRv4_rec_svtr_large"


def imported(values: Values, *overrides: str, **options: Any) -> Imported:
    return import_paddle(as_yaml(values), "theirs.yml", overrides, **options)


def detection(values: Values, *overrides: str, **options: Any) -> DetectionConfig:
    config = imported(values, *overrides, **options).config
    assert isinstance(config, DetectionConfig)
    return config


def recognition(values: Values, *overrides: str) -> RecognitionConfig:
    config = imported(values, *overrides).config
    assert isinstance(config, RecognitionConfig)
    return config


def accounted(result: Imported) -> list[str]:
    lists = (result.mapped, result.meaningless, result.refused, result.unknown)
    return sorted(row.key for rows in lists for row in rows)


def proposed(result: Imported) -> dict[str, tuple[Any, Any, str]]:
    return {row.ours: (row.theirs, row.proposed, row.written) for row in result.proposals}


def reasons(result: Imported) -> dict[str, str]:
    return {row.key: row.reason for rows in (result.meaningless, result.refused) for row in rows}


def transform(values: Values, name: str, section: str = "Train") -> Values:
    return next(entry for entry in values[section]["dataset"]["transforms"] if name in entry)


@pytest.mark.parametrize("name", OFFICIAL)
def test_official_configurations_import_and_every_leaf_is_accounted_for(name: str) -> None:
    arch, values = OFFICIAL[name]
    result = imported(values)
    assert result.config.model.arch == arch
    assert accounted(result) == sorted(key for key, _ in leaves(values))
    assert result.unknown == []
    assert all(row.reason for rows in (result.meaningless, result.refused) for row in rows)


@pytest.mark.parametrize("name", [DET, REC, TEACHER, "cls_mv3", "PP-OCRv4_det_cml"])
def test_what_is_written_is_a_correct_configuration_with_the_same_values(tmp_path: Path, name: str) -> None:
    result = imported(official(name))
    path = tmp_path / "ours.yaml"
    path.write_text(result.yaml(["a heading", ""]), encoding="utf-8")
    assert load_config(path).config == result.config


def test_values_of_a_detector() -> None:
    config = detection(official(DET))
    assert config.data.train == "paddle:./train_data/icdar2015/text_localization/train_icdar2015_label.txt"
    assert config.data.val == "paddle:./train_data/icdar2015/text_localization/test_icdar2015_label.txt"
    assert (config.batch_size, config.data.num_workers) == (8, 8)
    assert (config.optimizer.type, config.optimizer.weight_decay) == ("Adam", 5e-5)
    assert config.optimizer.lr == pytest.approx(0.001 * 8 / 64)
    assert (config.schedule.epochs, config.schedule.name, config.schedule.warmup_epochs) == (500, "cosine", 2)
    assert config.schedule.warmup_factor == 0
    assert config.early_stopping.patience is None
    assert (config.input.view_size, config.input.page_size) == (640, "auto")
    assert (config.targets.shrink_ratio, config.targets.min_text_size) == (0.4, 8)
    assert config.targets.total_epoch is None
    assert (config.loss.main, config.loss.alpha, config.loss.beta, config.loss.gamma) == ("dice", 5, 10, 1)
    augment = config.augment
    assert (augment.scale, augment.rotate, augment.rotate_prob, augment.flip_prob) == ((0.5, 3), 10, 1, 0.5)
    assert not any((augment.colour, augment.blur, augment.noise, augment.occlusion))
    assert (augment.copy_paste, augment.paste_rotate) == (1, 180)
    assert config.model.pretrained is not None
    assert config.model.pretrained.endswith("/PPLCNetV3_x0_75_ocr_det.pdparams")
    assert config.model.partial


def test_values_of_a_recogniser() -> None:
    config = recognition(official(REC))
    assert config.batch_size == 128  # 192 lines of 32 x 320 pixels have as many pixels as 128 of 48 x 320
    assert config.optimizer.lr == pytest.approx(0.001 * 128 / 1024)
    assert config.text.dictionary == "ppocr/utils/ppocr_keys_v1.txt"
    assert (config.schedule.epochs, config.schedule.warmup_epochs) == (200, 5)
    augment = config.augment
    assert (augment.tia, augment.blur, augment.noise, augment.invert, augment.colour) == (0.4, 0.4, 0.4, 0.4, True)
    assert (augment.join, augment.overturn, augment.jpeg, augment.stretch) == (0.5, 0, 0, 1)
    assert config.early_stopping.monitor == "accuracy"
    assert config.model.guide
    assert recognition(official("PP-OCRv5_server_rec")).augment.join == 0
    assert recognition(official("PP-OCRv3_mobile_rec")).text.policy == "exact"


def test_values_of_a_direction_classifier() -> None:
    config = imported(official("cls_mv3")).config
    assert isinstance(config, OrientationConfig)
    assert (config.augment.rand_augment, config.augment.tia, config.augment.blur) == (5, 0, 0.4)
    assert (config.augment.erase, config.augment.mix) == ("none", "none")
    assert (config.batch_size, config.optimizer.lr, config.optimizer.weight_decay) == (512, 0.001, 0)


def test_steps_count_from_the_end_of_the_warm_up() -> None:
    config = recognition(official("ch_PP-OCRv2_rec"))
    assert config.schedule.name == "step"
    assert config.schedule.lr_decay_epochs == [705]  # the second boundary has no rate of its own
    assert config.schedule.lr_decay_rate == pytest.approx(0.1)
    assert config.optimizer.lr == pytest.approx(0.001 * 128 / 1024)


def test_unequal_steps_are_told() -> None:
    values = official("ch_PP-OCRv2_rec")
    values["Optimizer"]["lr"]["values"] = [0.001, 0.0005, 0.00001]
    result = imported(values)
    assert result.config.schedule.lr_decay_rate == 0.5
    assert "one factor" in reasons(result)["Optimizer.lr.values"]


@pytest.mark.parametrize(
    ("lr", "name", "epochs", "rate"),
    [
        ({"learning_rate": 0.0001}, "constant", [], 0.1),
        ({"name": "Step", "learning_rate": 0.0001, "step_size": 200, "gamma": 0.5}, "step", [200, 400], 0.5),
        (
            {"name": "MultiStepDecay", "learning_rate": 1e-4, "milestones": [3, 5], "gamma": 0.3, "warmup_epoch": 1},
            "step",
            [4, 6],
            0.3,
        ),
        ({"name": "OneCycle", "learning_rate": 0.0001}, "cosine", [], 0.1),
    ],
)
def test_schedules(lr: Values, name: str, epochs: list[int], rate: float) -> None:
    values = official(DET)
    values["Optimizer"]["lr"] = lr
    schedule = imported(values).config.schedule
    assert (schedule.name, schedule.lr_decay_epochs, schedule.lr_decay_rate) == (name, epochs, rate)


def test_learning_rate_follows_the_effective_batch_only_where_it_is_the_recipes() -> None:
    assert detection(official(DET), num_gpus=4).optimizer.lr == pytest.approx(0.0005)
    assert detection(official(DET), num_gpus=8).optimizer.lr == 0.001
    assert detection(official(DET), num_gpus=16).optimizer.lr == 0.001
    assert detection(official(DET), "Optimizer.lr.learning_rate=1e-4").optimizer.lr == 0.0001
    result = imported(official(DET))
    assert proposed(result)["optimizer.lr"] == (0.001, 0.000125, "ours")


def test_published_weights_are_moved_relative_to_their_size() -> None:
    result = imported(official(REC), "Global.pretrained_model=ppocrv4-mobile-rec")
    config = result.config
    assert isinstance(config, RecognitionConfig)
    assert (config.model.pretrained, config.optimizer.lr) == ("ppocrv4-mobile-rec", "auto")
    assert config.text.dictionary is None
    assert not config.model.guide  # these weights have none
    training = imported(official(REC), "Global.pretrained_model=ppocrv4-mobile-rec-train").config
    assert training.optimizer.lr == pytest.approx(0.000125)


@pytest.mark.parametrize(
    ("overrides", "pretrained"),
    [
        ((), None),
        (("Global.pretrained_model=ppocrv2.0-server-det-train",), "ppocrv2.0-server-det-train"),
        (("Global.pretrained_model=./train.tar#part=student",), "./train.tar#part=student"),
        (("Global.pretrained_model=./best/best_accuracy",), "./best/best_accuracy.pdparams"),
        (("Global.pretrained_model=./best/best.pdparams",), "./best/best.pdparams"),
        (("Global.pretrained_model=https://example.org/v4.0/student",), "https://example.org/v4.0/student.pdparams"),
        (("Global.pretrained_model=a", "Global.checkpoints=./output/latest"), "./output/latest.pdparams"),
    ],
)
def test_weights(overrides: tuple[str, ...], pretrained: str | None) -> None:
    result = imported(official("PP-OCRv5_mobile_det"), *overrides)
    assert result.config.model.pretrained == pretrained
    if len(overrides) == 2:
        assert "Global.checkpoints goes first" in reasons(result)["Global.pretrained_model"]


def test_targets_start_where_whole_weights_left_off_and_at_the_files_ratio_otherwise() -> None:
    whole = imported(official(DET), "Global.pretrained_model=./student.pdparams")
    assert isinstance(whole.config, DetectionConfig)
    assert whole.config.targets.shrink_ratio == "auto"
    assert proposed(whole)["targets.shrink_ratio"] == (0.4, "auto", "ours")
    assert proposed(whole)["targets.total_epoch"] == (500, None, "ours")
    assert "targets.shrink_ratio" not in proposed(imported(official(DET)))


def test_a_distillation_trains_its_student() -> None:
    values = official("PP-OCRv4_det_cml")
    values["Architecture"]["Models"]["Student"]["pretrained"] = "./student"
    result = imported(values)
    assert isinstance(result.config, DetectionConfig)
    assert result.config.model.pretrained == "./student.pdparams"
    assert result.config.input.page_size == 960
    teacher = [row for row in result.refused if ".Teacher." in row.key]
    assert len(teacher) > 5
    assert "only the student" in teacher[0].reason
    del values["Architecture"]["Models"]["Student"]
    with pytest.raises(ConfigError, match="no model is called Student"):
        imported(values)


def test_the_recogniser_that_teaches_reads_lines_of_one_width() -> None:
    result = imported(official(TEACHER))
    config = result.config
    assert isinstance(config, RecognitionConfig)
    assert (config.model.arch, config.model.guide) == ("ctc_svtrnet_large", True)
    assert (config.input.min_width, config.input.max_width) == (320, 320)
    assert "input.max_width" not in proposed(result)
    assert (config.optimizer.type, config.optimizer.weight_decay) == ("AdamW", 0.05)
    assert config.optimizer.lr == pytest.approx(0.00025 * 64 / 512)
    assert [row.key for row in result.refused] == ["Global.eval_batch_step"]
    assert "38 characters" in proposed(result)["data.train"][0]
    why = reasons(result)
    resized = {key: text for key, text in why.items() if "RecResizeImg" in key}
    assert len(resized) == 2
    assert all("320 x 48 pixels" in text for text in resized.values())
    values = official(TEACHER)
    transform(values, "SVTRRecResizeImg", "Eval")["SVTRRecResizeImg"]["image_shape"] = [3, 48, 640]
    assert "320 x 48" in reasons(imported(values))["Eval.dataset.transforms[2].SVTRRecResizeImg.image_shape"]
    assert any(row.key.endswith("SVTRRecResizeImg.image_shape") for row in imported(values).refused)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"embed_dim": [64, 128, 256]}, "Backbone.embed_dim [192, 256, 512] instead of [64, 128, 256]"),
        ({"prenorm": False}, "Backbone.prenorm True instead of False"),
        ({"mixer": ["Local"] * 9 + ["Global"] * 12}, "Backbone.mixer"),
        ({"img_size": [32, 100]}, "Backbone.img_size [48, 320] instead of [32, 100]"),
    ],
)
def test_other_networks_of_its_kind_are_refused(change: Values, says: str) -> None:
    values = official(TEACHER)
    values["Architecture"]["Backbone"] |= change
    with pytest.raises(ConfigError) as caught:
        imported(values)
    assert "no network here is SVTRNet + svtr + CTCHead" in str(caught.value)
    assert f"ctc_svtrnet_large (PP-OCRv4 svtr_large; {says}" in str(caught.value)


def test_a_recogniser_that_is_taught_is_trained_alone() -> None:
    result = imported(official("PP-OCRv4_mobile_rec_distillation"))
    config = result.config
    assert isinstance(config, RecognitionConfig)
    assert (config.model.arch, config.model.guide) == ("ctc_pplcnetv3_mobile", True)
    assert (config.input.min_width, config.input.max_width) == (32, 1600)  # the teacher's width is not the student's
    why = reasons(result)
    assert "only the student" in why["Architecture.Models.Teacher.Backbone.img_size"]
    assert "only the student" in why["Loss.loss_config_list[0].DistillationDKDLoss.weight"]
    assert "Architecture.Models.Student.Backbone.scale" in {row.key for row in result.mapped}


def test_a_recogniser_without_its_guide_is_the_same_network() -> None:
    values = official(REC)
    values["Architecture"]["Neck"] = {
        "name": "SequenceEncoder",
        "encoder_type": "svtr",
        "dims": 120,
        "depth": 2,
        "hidden_dims": 120,
        "kernel_size": [1, 3],
        "use_guide": False,
    }
    values["Architecture"]["Head"] = {"name": "CTCHead", "fc_decay": 0.00001}
    values["Loss"] = {"name": "CTCLoss"}
    result = imported(values)
    assert isinstance(result.config, RecognitionConfig)
    assert result.config.model.arch == "ctc_pplcnetv3_mobile"
    assert not result.config.model.guide
    assert result.unknown == []


def test_a_guide_that_is_not_the_recipes_is_told() -> None:
    values = official(REC)
    values["Architecture"]["Head"]["head_list"][1]["NRTRHead"]["nrtr_dim"] = 512
    values["Loss"] |= {"weight_1": 1.0, "weight_2": 0.5}
    values["Loss"]["loss_config_list"][1] = {"NRTRLoss": {"smoothing": False}}
    why = reasons(imported(values))
    assert "official recipe" in why["Architecture.Head.head_list[1].NRTRHead.nrtr_dim"]
    assert "weigh the same" in why["Loss.weight_2"]
    assert "smoothed" in why["Loss.loss_config_list[1].NRTRLoss.smoothing"]


def test_every_network_that_is_named_is_there() -> None:
    names = {*DETECTORS, *RECOGNIZERS, *CLASSIFIERS}
    assert {known.arch for known in KNOWN} <= names
    assert {known.arch for known in KNOWN if known.guide} == set(GUIDES)


V6_DET = {
    "tiny": ({"name": "RepLKFPN", "out_channels": 64, "dilated_kernel_size": 5, "shortcut": True}, 64),
    "small": ({"name": "RepLKFPN", "out_channels": 96, "dilated_kernel_size": 7, "shortcut": True}, 96),
    "medium": ({"name": "RepLKPAN", "out_channels": 256, "intracl": True}, 256),
}


@pytest.mark.parametrize("size", V6_DET)
def test_detectors_of_v6(size: str) -> None:
    neck, channels = V6_DET[size]
    values = official(DET)
    values["Global"] |= {"use_ema": True, "ema_decay": 0.9997, "ema_decay_type": "threshold"}
    values["Architecture"] |= {
        "Backbone": {"name": "PPLCNetV4", "det": True, "model_size": size},
        "Neck": neck,
        "Head": {"name": "DBHead", "k": 50, "fix_nan": True, "aux_in_channels": channels},
    }
    values["Loss"] = {
        "name": "DBLoss",
        "main_loss_type": "DiceFocalLoss",
        "alpha": 5,
        "beta": 10,
        "focal_alpha": 0.25,
        "focal_gamma": 2.5,
        "aux_weight_p4": 0.2,
        "aux_weight_p3": 0.3,
        "aux_weight_p2": 0.4,
    }
    transform(values, "IaaAugment")["IaaAugment"]["augmenter_args"][1]["args"] = {
        "p": 0.5,
        "rotate": [-45, 45],
        "fit_output": True,
    }
    crop = transform(values, "EastRandomCropData")
    crop["RandomCrop"] = crop.pop("EastRandomCropData")
    train = values["Train"]["dataset"]["transforms"]
    train.insert(3, {"ColorJitter": {"brightness": 0.4, "hue": 0.1}})
    train.insert(5, {"RandomPerspective": {"prob": 0.3, "fill_value": [0, 0, 0]}})
    result = imported(values)
    config = result.config
    assert isinstance(config, DetectionConfig)
    assert (config.model.arch, config.loss.main) == (f"db_pplcnetv4_{size}", "dice-focal")
    assert config.loss.auxiliary == {4: 0.2, 3: 0.3, 2: 0.4}
    assert (config.augment.rotate, config.augment.rotate_prob, config.augment.colour) == (45, 0.5, True)
    assert (config.trainer.ema, config.trainer.ema_decay) == (True, 0.9997)
    assert result.unknown == []
    assert accounted(result) == sorted(key for key, _ in leaves(values))


@pytest.mark.parametrize(
    ("size", "neck", "head"),
    [
        ("tiny", {"name": "reshape"}, {"mid_channels": 80, "use_guide": True, "fc_decay": 1e-5}),
        ("small", {"name": "lightsvtr", "dims": 120, "depth": 2, "mlp_ratio": 2.0, "local_kernel": 7}, {}),
        ("medium", {"name": "lightsvtr", "dims": 192, "depth": 2, "mlp_ratio": 4.0, "use_guide": False}, {}),
    ],
)
def test_recognisers_of_v6(size: str, neck: Values, head: Values) -> None:
    values = official(REC)
    values["Architecture"]["Backbone"] = {"name": "PPLCNetV4", "model_size": size}
    values["Architecture"]["Head"]["head_list"][0] = {"CTCHead": {"Neck": neck, "Head": {"fc_decay": 1e-5, **head}}}
    result = imported(values)
    assert result.config.model.arch == f"ctc_pplcnetv4_{size}"
    assert result.unknown == []


@pytest.mark.parametrize(
    ("section", "change", "says"),
    [
        ("Backbone", {"scale": 1.0}, ["db_pplcnetv3_mobile", "Backbone.scale 0.75 instead of 1.0"]),
        (
            "Neck",
            {"name": "DBFPN", "use_asf": True},
            ["PPLCNetV3 + DBFPN + DBHead", "Neck.name RSEFPN instead of DBFPN"],
        ),
        ("Head", {"name": "EASTHead"}, ["no network here is PPLCNetV3 + RSEFPN + EASTHead"]),
    ],
)
def test_unknown_networks_are_refused_with_the_nearest_known_ones(
    section: str, change: Values, says: list[str]
) -> None:
    values = official(DET)
    values["Architecture"][section] |= change
    with pytest.raises(ConfigError) as caught:
        imported(values)
    assert all(text in str(caught.value) for text in says), str(caught.value)


def test_unknown_keys_are_listed_as_unknown_wherever_they_are() -> None:
    values = official(REC)
    values["Global"]["new_switch"] = [1, 2]
    values["Architecture"]["Head"]["head_list"][0]["CTCHead"]["Neck"]["new_width"] = 3
    values["Train"]["loader"]["prefetch"] = {"factor": 2}
    transform(values, "RecConAug")["RecConAug"]["new.name"] = None
    values["Extra"] = {}
    result = imported(values)
    assert {row.key for row in result.unknown} == {
        "Global.new_switch",
        "Architecture.Head.head_list[0].CTCHead.Neck.new_width",
        "Train.loader.prefetch.factor",
        "Extra",
    }
    assert accounted(result) == sorted(key for key, _ in leaves(values))


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.sampled_from(["", "DBLoss", "1e-6", "true"]))
KEYS = st.one_of(st.sampled_from(["name", "p", "args", "a.b", "[0]", ""]), st.integers(0, 3))
TREES = st.recursive(
    SCALARS, lambda node: st.one_of(st.dictionaries(KEYS, node, max_size=3), st.lists(node, max_size=3)), max_leaves=8
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(KEYS, TREES, max_size=4), st.sampled_from(["Extra", "Metric", "PostProcess", "Eval"]))
def test_every_leaf_of_anything_is_accounted_for_once(tree: dict[Any, Any], section: str) -> None:
    values = official(REC)
    values[section] = tree
    text = yaml.safe_dump(values)
    keys = [key for key, _ in leaves(yaml.safe_load(text))]
    assert len(set(keys)) == len(keys)
    try:
        result = import_paddle(text)
    except ConfigError:
        return  # a value that cannot be used, in a key that means something
    assert accounted(result) == sorted(keys)


WEIRD: tuple[Any, ...] = (
    None,
    "abc",
    -1,
    0,
    10**9,
    [],
    {},
    [1],
    {"a": 1},
    True,
    "1e-6",
    [[1]],
    [{"b": 2}],
    [0, 1, 2],
    "",
    float("inf"),
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from([DET, REC, "cls_mv3", "PP-OCRv4_det_cml"]), st.randoms(use_true_random=False))
def test_any_value_anywhere_is_taken_refused_or_named_as_an_error(name: str, random: Random) -> None:
    values = official(name)
    node: Any = values
    while True:
        key = random.choice(list(node) if isinstance(node, dict) else range(len(node)))
        if not (isinstance(node[key], (dict, list)) and node[key]) or random.random() < 0.1:
            break
        node = node[key]
    node[key] = random.choice(WEIRD)
    text = as_yaml(values)
    try:
        result = import_paddle(text, "theirs.yml")
    except ConfigError as error:
        assert "theirs.yml" in str(error.where)  # noqa: PT017
    else:
        assert accounted(result) == sorted(key for key, _ in leaves(yaml.safe_load(text)))


def test_choices_that_bite_are_told_with_both_values() -> None:
    told = proposed(imported(official(DET)))
    assert told["model.pretrained"][1:] == ("ppocrv4-mobile-det", "theirs")
    assert "736" in told["input.page_size"][0]
    assert told["augment.flip_prob"] == (0.5, 0.0, "theirs")
    told = proposed(imported(official(REC)))
    assert "23 characters" in told["data.train"][0]
    assert told["model.guide"] == (True, False, "theirs")


def test_images_elsewhere_parts_of_files_and_several_validation_files_are_told() -> None:
    values = official(REC)
    values["Train"]["dataset"] |= {
        "data_dir": "/images",
        "label_file_list": ["a/x.txt", "a/y.txt"],
        "ratio_list": [1, 0.3],
    }
    values["Eval"]["dataset"]["label_file_list"] = ["./train_data/v1.txt", "./train_data/v2.txt"]
    result = imported(values)
    why = reasons(result)
    assert result.config.data.train == ["paddle:a/x.txt", "paddle:a/y.txt"]
    assert result.config.data.val == "paddle:./train_data/v1.txt"
    assert "beside the label file" in why["Train.dataset.data_dir"]
    assert "ocrtune data split" in why["Train.dataset.ratio_list"]
    assert "one data set" in why["Eval.dataset.label_file_list"]


@pytest.mark.parametrize(
    ("folder", "file", "found"),
    [
        ("./train_data/", "train_data/rec/t.txt", True),
        (".", "t.txt", True),
        ("a/b", "./a/b/t.txt", True),
        ("a", "a/b/c/d/t.txt", True),
        ("a", "a/b/c/d/e/t.txt", False),
        ("/a", "a/t.txt", False),
        ("a/images", "a/labels/t.txt", False),
    ],
)
def test_images_beside_the_label_file_or_some_folders_above_are_found(
    tmp_path: Path, folder: str, file: str, found: bool
) -> None:
    values = official(REC)
    values["Train"]["dataset"] |= {"data_dir": folder, "label_file_list": [file]}
    assert ("Train.dataset.data_dir" not in reasons(imported(values))) == found
    if not folder.startswith("/"):
        image = save_image(tmp_path / folder / "one.png")
        assert (find_image("one.png", (tmp_path / file).parent) == image) == found


def test_stores() -> None:
    values = official(REC)
    values["Train"]["dataset"] = {"name": "LMDBDataSet", "data_dir": "store", "transforms": []}
    assert imported(values).config.data.train == "lmdb:store"


def test_evaluations_are_counted_where_the_label_files_are_there() -> None:
    config = detection(official(DET), "Global.epoch_num=30", count_lines=lambda file: 801)
    assert config.trainer.evals == 30 * 101 // 1500
    assert imported(official(DET), "Global.eval_batch_epoch=50").config.trainer.evals == 10
    assert "Global.eval_batch_step" in reasons(imported(official(DET)))


def test_precision_processes_and_seed() -> None:
    overrides = ("Global.use_amp=True", "Global.amp_dtype=bfloat16", "Global.use_gpu=false", "Global.seed=7")
    trainer = imported(official(DET), *overrides).config.trainer
    assert (trainer.precision, trainer.num_gpus, trainer.seed) == ("bf16", 0, 7)
    assert imported(official(DET), "Global.use_amp=True").config.trainer.precision == "fp16"
    assert imported(official(DET), "Global.use_amp=False").config.trainer.precision == "fp32"
