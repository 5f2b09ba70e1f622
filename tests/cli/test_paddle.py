"""``ocrtune config import``, training from what it writes, and ``tools/train_net.py``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ocrtune.config.load import load_config
from ocrtune.data.formats import write_dataset
from ocrtune.page import Page, TextRegion, whole_image
from support.paddle_configs import as_yaml, official
from support.pages import sample_pages, save_image
from support.paths import ROOT
from support.runs import fails, ocrtune, quiet_environment

DET, REC = "PP-OCRv4_mobile_det", "PP-OCRv4_mobile_rec"


def test_command_line(tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs.yml", tmp_path / "new" / "ours.yaml"
    theirs.write_text(as_yaml(official(DET)), encoding="utf-8")
    more = ("-o", "Global.epoch_num=30", "Global.seed=4", "Global.released=2020-05-14")
    shown = ocrtune("config", "import", theirs, "--out", ours, *more).stdout
    for part in ("mapped", "without meaning here", "not followed", "proposals", "CopyPaste", f"ocrtune train {ours}"):
        assert part in shown
    assert "correct" in ocrtune("config", "check", ours).stdout
    config = load_config(ours).config
    assert (config.schedule.epochs, config.trainer.seed) == (30, 4)
    done = ocrtune("config", "import", theirs)
    assert yaml.safe_load(done.stdout)["model"]["arch"] == "db_pplcnetv3_mobile"
    assert "mapped" in done.stderr
    content = json.loads(ocrtune("config", "import", theirs, "--json", *more[3:]).stdout)
    assert [row["value"] for row in content["unknown"]] == ["2020-05-14"]
    assert content["arch"] == "db_pplcnetv3_mobile"
    assert {"key", "value", "reason"} == set(content["refused"][0])
    assert content["proposals"]
    assert content["config"]["schedule"]["epochs"] == 500


def test_command_line_fails_with_one_error(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.yml"
    theirs.write_text("Global: {}\nArchitecture: {model_type: det}\n", encoding="utf-8")
    fails(2, "config", "import", theirs, says="no network here")
    fails(2, "config", "import", theirs, "--out", theirs, says="written over")
    fails(2, "config", "import", tmp_path / "gone.yml", says="does not exist")
    fails(2, "train", theirs, says=f"ocrtune config import {theirs}")
    theirs.write_bytes(b"\xff\xfe\x00")
    fails(2, "config", "import", theirs, says="no UTF-8")


def det_files(folder: Path) -> Path:
    """A configuration of PaddleOCR and the few pages that it names."""
    pages = sample_pages(folder / "pages")
    for name in ("train.txt", "val.txt"):
        write_dataset(pages, "paddle", folder / "pages" / name)
    values = official("PP-OCRv5_mobile_det")
    for section, name in (("Train", "train.txt"), ("Eval", "val.txt")):
        data = {"data_dir": str(folder / "pages"), "label_file_list": [str(folder / "pages" / name)]}
        values[section]["dataset"] |= data
    values["Train"]["loader"] |= {"batch_size_per_card": 2, "num_workers": 0}
    values["Global"] |= {"use_gpu": False, "epoch_num": 1, "save_model_dir": str(folder / "runs")}
    crop = next(entry for entry in values["Train"]["dataset"]["transforms"] if "EastRandomCropData" in entry)
    crop["EastRandomCropData"]["size"] = [64, 64]
    path = folder / "det.yml"
    path.write_text(as_yaml(values), encoding="utf-8")
    return path


@pytest.mark.slow
def test_a_detector_trains_from_an_imported_configuration(tmp_path: Path) -> None:
    ours = tmp_path / "ours.yaml"
    ocrtune("config", "import", det_files(tmp_path), "--out", ours)
    assert load_config(ours).config.trainer.evals == 1
    done = ocrtune("train", ours, "schedule.steps=1", "input.page_size=160", "--json")
    assert json.loads(done.stdout)["task"] == "detection"


@pytest.mark.slow
def test_a_recogniser_trains_from_an_imported_configuration(tmp_path: Path) -> None:
    lines = []
    for index, text in enumerate(("TOTAL 12", "7.50", "中文")):
        image = save_image(tmp_path / "lines" / f"{index}.png", 160, 32, seed=index)
        lines.append(Page(image, [TextRegion(whole_image(160, 32), text)]))
    for name in ("train_list.txt", "val_list.txt"):
        write_dataset(lines, "paddle", tmp_path / "lines" / name)
    characters = [chr(code) for code in (*range(0x21, 0x7F), *range(0x4E00, 0x4E00 + 6623 - 94))]
    dictionary = tmp_path / "keys.txt"
    dictionary.write_text("".join(f"{character}\n" for character in characters), encoding="utf-8")
    values = official(REC)
    for section, name in (("Train", "train_list.txt"), ("Eval", "val_list.txt")):
        data = {"data_dir": str(tmp_path / "lines"), "label_file_list": [str(tmp_path / "lines" / name)]}
        values[section]["dataset"] |= data
    values["Train"]["sampler"]["first_bs"] = 3
    values["Train"]["loader"]["num_workers"] = 0
    values["Global"] |= {"use_gpu": False, "epoch_num": 1, "save_model_dir": str(tmp_path / "runs")}
    theirs, ours = tmp_path / "rec.yml", tmp_path / "ours.yaml"
    theirs.write_text(as_yaml(values), encoding="utf-8")
    ocrtune("config", "import", theirs, "-o", f"Global.character_dict_path={dictionary}", "--out", ours)
    done = ocrtune("train", ours, "schedule.steps=1", "--json")
    assert json.loads(done.stdout)["task"] == "recognition"


def train_net(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools" / "train_net.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=quiet_environment(), check=False)


@pytest.mark.slow
def test_the_other_way_to_type_train(tmp_path: Path) -> None:
    theirs, out = det_files(tmp_path), tmp_path / "out"
    common = ("--config-file", theirs, "--num-gpus", "0")
    settings = ("OUTPUT_DIR", out, "schedule.steps", "1", "input.page_size", "160", "Global.epoch_num", "3")
    done = train_net(*common, "--resume", *settings, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "is a configuration of PaddleOCR" in done.stdout
    assert "a new one starts" in done.stdout
    (run,) = out.glob("exp_*")
    config = load_config(run / "config.yaml").config
    assert (config.schedule.steps, config.schedule.epochs, config.trainer.num_gpus) == (1, 3, 0)
    again = train_net(*common, "--resume", *settings, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert list(out.glob("exp_*")) == [run]
    measured = train_net(*common, "--eval-only", *settings, cwd=tmp_path)
    assert measured.returncode == 0, measured.stderr
    assert "hmean" in measured.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--config-file", "gone.yaml"), "does not exist"),
        (("--config-file", "ours.yaml", "OUTPUT_DIR"), "settings come in pairs"),
        (("--config-file", "ours.yaml", "MAX_ITER", "3"), "there is no key 'MAX_ITER'"),
        (("--config-file", "ours.yaml", "--eval-only"), "needs a run in OUTPUT_DIR"),
    ],
)
def test_the_other_way_fails_as_the_first(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    (tmp_path / "ours.yaml").write_text("data: {train: icdar:gone}\n", encoding="utf-8")
    done = train_net(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
