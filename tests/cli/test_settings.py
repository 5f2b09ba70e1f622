"""The verbs that find settings, as users call them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from ocrtune.config.load import load_config
from ocrtune.data.formats import write_dataset
from support.pages import printed_page
from support.paths import ROOT
from support.runs import OCRTUNE, fails, ocrtune, quiet_environment


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for seed, (name, count) in enumerate((("train", 4), ("val", 2))):
        pages = [printed_page(folder / f"{name}_{i}.png", 100 * seed + i) for i in range(count)]
        write_dataset(pages, "json", folder / f"{name}.json")
    values = {
        "data": {
            "train": f"json:{folder / 'train.json'}",
            "val": f"json:{folder / 'val.json'}",
            "batch_size": 2,
            "num_workers": 0,
        },
        "input": {"page_size": 320, "view_size": 96},
        "schedule": {"steps": 1},
        "trainer": {"precision": "fp32", "evals": 1, "num_gpus": 0},
        "output_dir": str(folder / "runs"),
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return folder / "config.yaml"


@pytest.mark.slow
def test_tune_lr_writes_a_figure_and_touches_no_run(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "tuned"
    done = ocrtune("tune", "lr", config, "--steps", 20, "--out", out, "--json", check=False)
    found = json.loads(done.stdout)
    assert done.returncode == (1 if found["suggested_lr"] is None else 0), done.stderr
    assert (out / "lr.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((out / "lr.json").read_text(encoding="utf-8"))["steps"] == found["steps"]
    rates = [step["lr"] for step in found["steps"]]
    assert rates == sorted(rates)
    assert rates[0] < found["own_lr"] / 100
    assert not (config.parent / "runs").exists()


@pytest.mark.slow
def test_tune_batch_says_what_fits_and_what_to_do(config: Path) -> None:
    done = ocrtune("tune", "batch", config, "data.batch_size=100000", "--json", check=False)
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    assert [tried["batch"] for tried in found["tried"]] == [1, 2, 4, 8]
    assert not found["fits"]
    batch, accumulate = (int(setting.partition("=")[2]) for setting in found["settings"])
    assert batch <= found["largest"]
    assert batch * accumulate >= 100_000
    assert "do not fit" in done.stderr
    assert "data.batch_size=100000" not in done.stderr.split("next: ")[1]
    assert not (config.parent / "runs").exists()


@pytest.mark.slow
def test_sweep_ends_with_a_table_and_a_configuration(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "swept"
    done = ocrtune("sweep", config, "targets.gap_weight=0,4", "schedule.steps=1", "--out", out, "--json")
    result = json.loads(done.stdout)
    assert [set(trial["settings"]) for trial in result["trials"]] == [{"targets.gap_weight"}] * 2
    assert "judge it on others" in done.stderr
    best = load_config(Path(result["best_config"])).config
    assert best.model_dump()["targets"]["gap_weight"] == float(result["trials"][0]["settings"]["targets.gap_weight"])
    fails(2, "sweep", config, "targets.gap_weight=0,9", "--out", out, says="another search")


def test_sweep_names_its_extra(config: Path, tmp_path: Path) -> None:
    (tmp_path / "optuna.py").write_text("raise ImportError('no optuna here')", encoding="utf-8")
    environment = {**quiet_environment(), "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT / "src")])}
    done = subprocess.run(
        [*OCRTUNE, "sweep", str(config), "optimizer.lr=1,2"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 3
    assert "ocrtune[sweep]" in done.stderr


def test_a_learning_curve_cannot_be_resumed_as_a_run(tmp_path: Path) -> None:
    fails(
        2, "train", "--resume", tmp_path, "--learning-curve", "10,50,100", says="give the command that began it again"
    )
