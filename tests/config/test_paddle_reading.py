"""What PaddleOCR's files may hold: YAML 1.1's numbers, overrides, and what was never meant to be read."""

from __future__ import annotations

from typing import Any

import pytest

from ocrtune.config.paddle import Imported, import_paddle
from ocrtune.config.paddle.reading import as_number
from ocrtune.errors import ConfigError
from support.paddle_configs import as_yaml, official

DET = "PP-OCRv4_mobile_det"


def imported(*overrides: str) -> Imported:
    return import_paddle(as_yaml(official(DET)), "theirs.yml", overrides)


@pytest.mark.parametrize(
    ("written", "number"),
    [("1e-6", 1e-6), ("1./255.", 1 / 255), (" -2*(3+1) ", -8), (3, 3), ("5E-5", 5e-5), (0.5, 0.5)],
)
def test_numbers(written: Any, number: float) -> None:
    assert as_number(written) == pytest.approx(number)


@pytest.mark.parametrize(
    "written",
    ["abc", "", "1/0", "__import__('os')", "2**9999", "nan", "inf", True, None, [1], "1e999", "(" * 50, "'1'", "1j"],
)
def test_what_is_no_number(written: Any) -> None:
    with pytest.raises(ValueError, match=r"is no (finite )?number"):
        as_number(written)


def test_overrides_are_those_of_the_official_tools_and_may_hold_equals_signs() -> None:
    result = imported(
        "Global.pretrained_model=https://example.org/w.pdparams?a=b.pdparams",
        "Train.dataset.label_file_list=[a.txt,b.txt]",
        "Train.dataset.data_dir=.",
        "Global.brand_new=1",
    )
    assert result.config.model.pretrained == "https://example.org/w.pdparams?a=b.pdparams"
    assert result.config.data.train == ["paddle:a.txt", "paddle:b.txt"]
    assert [row.key for row in result.unknown] == ["Global.brand_new"]


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("Globl.epoch_num=3", "did you mean 'Global'"),
        ("Train.datset.data_dir=x", "did you mean 'Train.dataset'"),
        ("Global.epoch_num", "a key and a value"),
        ("Global.epoch_num=[1", "no valid YAML"),
        ("Global.epoch_num.x=1", "no section 'Global.epoch_num'"),
    ],
)
def test_overrides_that_do_not_fit(override: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        imported(override)
    assert says in str(caught.value)


BOMB = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{c}: &{c} [{','.join(['*' + p] * 9)}]\n" for p, c in ("ab", "bc", "cd", "de")
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Global: [1, 2\n", "theirs.yml:2: the file is no valid YAML"),
        ("- a\n- b\n", "no mapping of sections"),
        ("just text", "no mapping of sections"),
        ("", "there is nothing"),
        ("# a comment\n", "there is nothing"),
        ("data: {train: x}\n", "there is data"),
        ("Global: !!python/object/apply:os.system [ls]\n", "theirs.yml:1: the file is no valid YAML"),
        ("Global: 2020-99-99\n", "no usable YAML"),
        ("Global: &g {a: *g}\n", "too many values"),
        ("Global: " + "[" * 3000, "YAML"),
        (BOMB, "too many values"),
        ("Global: *gone\n", "theirs.yml:1: the file is no valid YAML"),
        ("\x00", "no valid YAML"),
        ("Global: {}\nArchitecture: {}\n", "'None' is no kind of model"),
        ("Global: {}\nArchitecture: {model_type: table}\n", "'table' is no kind of model"),
        (
            "Global: 1\nArchitecture: {model_type: det, Backbone: 3, Head: [x]}\n",
            "no network here is an empty description",
        ),
    ],
)
def test_hostile_files_give_one_clear_error(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        import_paddle(text, "theirs.yml")
    assert says in str(caught.value), str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("Optimizer.lr.learning_rate", "abc", "Optimizer.lr.learning_rate: 'abc' is no number"),
        ("Optimizer.lr.learning_rate", "-1", "-1 is no learning rate"),
        ("Global.epoch_num", "2.5", "Global.epoch_num: 2.5 is no whole number"),
        ("Global.epoch_num", "0", "theirs.yml: Global.epoch_num: schedule.epochs"),
        ("Architecture.model_type", "[]", "'[]' is no kind of model"),
        ("Architecture.Backbone.name", "{}", "no network here"),
        ("Global.use_gpu", "maybe", "neither true nor false"),
        ("Loss.main_loss_type", "HuberLoss", "DiceFocalLoss"),
        ("Loss.name", "EASTLoss", "there is no EASTLoss here"),
        ("Train.dataset.label_file_list", "[]", "no labels to train on"),
    ],
)
def test_values_that_do_not_fit_are_named(key: str, value: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        imported(f"{key}={value}")
    assert says in str(caught.value), str(caught.value)


def test_yaml_as_it_is_found() -> None:
    """A byte order mark, anchors, a key given twice, numbers that YAML 1.1 reads as text."""
    text = "\ufeff" + as_yaml(official(DET)).replace("factor: 5.0e-05", "factor: 1e-6")
    text = text.replace("epoch_num: 500", "epoch_num: &epochs 500\n  seed: 1\n  seed: 5").replace(
        "total_epoch: 500", "total_epoch: *epochs"
    )
    result = import_paddle(text, "theirs.yml")
    assert result.config.optimizer.weight_decay == 1e-6
    assert result.config.trainer.seed == 5
    (notice,) = result.notices
    assert "'Global.seed' is also given in line" in notice
