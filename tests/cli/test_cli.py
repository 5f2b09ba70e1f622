from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from ocrtune.data.formats import read_dataset
from ocrtune.page import read_image
from support.pages import sample_pages, save_image, write_paired
from support.paths import ROOT
from support.runs import OCRTUNE, fails, ocrtune, quiet_environment, small_dataset

VERBS = (
    "demo",
    "adapt",
    "train",
    "tune",
    "sweep",
    "eval",
    "calibrate",
    "export",
    "predict",
    "serve",
    "doctor",
    "bench",
    "data",
    "weights",
    "config",
)
BASE = "ppocrv4-mobile-det"


@pytest.fixture(scope="module")
def receipts_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("set")
    small_dataset(folder, pages=9, seed=4)
    return folder


def test_start_loads_nothing_heavy() -> None:
    """What makes ``--help`` quick; benchmarks/startup.py has the seconds."""
    heavy = {"torch", "onnxruntime", "cv2", "numpy", "PIL", "shapely", "matplotlib"}
    check = f"import sys, ocrtune, ocrtune.cli.main; assert not {heavy} & set(sys.modules), {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_every_verb(verb: str) -> None:
    shown = ocrtune(verb, "--help").stdout
    assert "Usage:" in shown
    if verb not in ("data", "tune", "weights", "config"):
        assert f"ocrtune {verb}" in shown.split("Usage:")[1].split("\n", 1)[1], "an example belongs to every verb"


def test_evaluation_and_prediction_work_without_torch(tmp_path: Path, receipts_set: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('no torch here')", encoding="utf-8")
    environment = {**quiet_environment(), "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT / "src")])}
    image = next((receipts_set / "images").iterdir())
    for command in (["eval", BASE, str(receipts_set), "--json"], ["predict", BASE, str(image)], ["doctor"]):
        subprocess.run([*OCRTUNE, *command], check=True, env=environment, capture_output=True)
    done = subprocess.run(
        [*OCRTUNE, "demo"], env=environment, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 3
    assert "ocrtune[train]" in done.stderr


def test_eval_prints_one_json_object(receipts_set: Path) -> None:
    shown = json.loads(ocrtune("eval", BASE, receipts_set, "--json").stdout)
    assert {"task", "pages", "precision", "recall", "hmean", "hmean_ci95", "map50", "thresholds"} == set(shown)
    assert shown["pages"] == 9
    assert 0.5 < shown["hmean"] <= 1
    assert shown["hmean_ci95"][0] <= shown["hmean"] <= shown["hmean_ci95"][1]


def test_predict_writes_every_format_and_draws(tmp_path: Path, receipts_set: Path) -> None:
    images = receipts_set / "images"
    shown = json.loads(ocrtune("predict", BASE, next(images.iterdir()), "--draw", tmp_path / "drawn").stdout)
    assert {"image", "width", "height", "regions"} == set(shown)
    assert shown["regions"]
    assert set(shown["regions"][0]) == {"polygon", "score"}
    (drawn,) = (tmp_path / "drawn").iterdir()
    assert read_image(drawn).shape[:2] == (shown["height"], shown["width"])
    lines = ocrtune("predict", BASE, images, "--format", "jsonl").stdout.splitlines()
    assert [Path(json.loads(line)["image"]).name for line in lines] == sorted(p.name for p in images.iterdir())
    for name, target in (("icdar", tmp_path / "icdar"), ("paddle", tmp_path / "Label.txt")):
        ocrtune("predict", BASE, images, "--format", name, "--out", target)
        assert len(read_dataset(f"{name}:{target}")) == 9
    again = ("--format", "icdar", "--out", tmp_path / "icdar")
    fails(2, "predict", "no-such-bundle", images, *again, says="list.txt: labels are already there")
    fails(2, "predict", BASE, images, "--format", "icdar", "--out", tmp_path / "Label.txt", says="this is a file")
    fails(2, "predict", BASE, images, "--format", "icdar", says="--out")
    fails(2, "predict", BASE, images, "--format", "csv", says="expected: json")


def test_one_broken_image_harms_no_other(tmp_path: Path) -> None:
    save_image(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"broken")
    save_image(tmp_path / "c.png", seed=2)
    done = ocrtune("predict", BASE, tmp_path, "--format", "jsonl", check=False)
    assert done.returncode == 1
    assert [Path(json.loads(line)["image"]).name for line in done.stdout.splitlines()] == ["a.png", "c.png"]
    assert "b.png" in done.stderr


@pytest.mark.parametrize(("width", "height"), [(1, 1), (10000, 40), (10000, 7000), (3, 900)])
def test_images_of_odd_sizes(tmp_path: Path, width: int, height: int) -> None:
    image = np.full((height, width, 3), 255, np.uint8)
    if min(width, height) > 1000:
        cv2.putText(image, "LARGE TEXT", (1500, 4000), cv2.FONT_HERSHEY_SIMPLEX, 30, (0, 0, 0), 60)
    cv2.imwrite(str(tmp_path / "a.png"), image)
    shown = json.loads(ocrtune("predict", BASE, tmp_path / "a.png").stdout)
    assert (shown["width"], shown["height"]) == (width, height)
    for region in shown["regions"]:
        assert all(0 <= x <= width and 0 <= y <= height for x, y in region["polygon"])
    assert bool(shown["regions"]) == (min(width, height) > 1000)


def test_check_finds_fixes_and_says(tmp_path: Path) -> None:
    write_paired(tmp_path / "set", sample_pages(tmp_path / "images", 3))
    label = tmp_path / "set" / "box" / "page_1.csv"
    label.write_text(label.read_text(encoding="utf-8") + "garbage\n5,5,90,30,90,5,5,30,crossing\n", encoding="utf-8")
    before = label.read_bytes()
    done = ocrtune("data", "check", tmp_path / "set", "--json", "--no-cache", check=False)
    assert done.returncode == 1
    report = json.loads(done.stdout)["datasets"][0]
    assert report["counts"] == {"label-unreadable": 1, "polygon-crossing": 1, "few-pages": 1}
    places = {finding["where"] for finding in report["findings"] if finding["severity"] == "error"}
    assert places == {f"{label}:4", f"{label}:5"}
    ocrtune("data", "check", tmp_path / "set", "--fix", "--no-cache", "--html", tmp_path / "check.html", check=False)
    html = (tmp_path / "check.html").read_text(encoding="utf-8")
    assert f"{label}:5" in html
    assert "data:image/jpeg;base64," in html, "the crossing outline is drawn"
    assert label.read_bytes() == before
    ocrtune("data", "check", f"icdar:{tmp_path / 'set_fixed'}", "--no-cache")
    fails(2, "data", "check", tmp_path / "set", "--fix", says="overwrite")


def test_check_leaves_leaks_out_and_knows_a_charset(tmp_path: Path) -> None:
    pages = sample_pages(tmp_path / "images", 4)
    write_paired(tmp_path / "train", pages)
    write_paired(tmp_path / "val", pages[2:])
    (tmp_path / "charset.txt").write_text("\n".join("TOAL0123456789 ") + "\n", encoding="utf-8")
    options = ("--val", tmp_path / "val", "--charset", tmp_path / "charset.txt", "--fix", "--json", "--no-cache")
    done = ocrtune("data", "check", tmp_path / "train", *options, check=False)
    assert done.returncode == 1
    result = json.loads(done.stdout)
    train, val = result["datasets"]
    assert train["errors"] == 0
    assert val["counts"]["leak"] == 2
    gap = next(finding for finding in train["findings"] if finding["code"] == "charset-gap")
    assert "中:4" in gap["message"]
    assert (
        json.loads(ocrtune("data", "check", result["fixed"], "--json", "--no-cache").stdout)["datasets"][0]["pages"]
        == 2
    )


def test_stats_split_convert_and_show(tmp_path: Path, receipts_set: Path) -> None:
    assert json.loads(ocrtune("data", "stats", receipts_set, "--json").stdout)["pages"] == 9
    parts = json.loads(ocrtune("data", "split", receipts_set, "--out", tmp_path / "parts", "--json").stdout)
    assert {name: part["pages"] for name, part in parts.items()} == {"train": 6, "val": 2, "test": 1}
    ocrtune("data", "convert", receipts_set, "--format", "json", "--out", tmp_path / "set.json")
    assert len(read_dataset(str(tmp_path / "set.json"))) == 9
    ocrtune("data", "show", receipts_set, "--draw", tmp_path / "drawn", "--limit", 2)
    assert {p.name for p in (tmp_path / "drawn").iterdir()} >= {"sheet.jpg"}
    assert len(list((tmp_path / "drawn").iterdir())) == 3


@pytest.mark.slow
def test_calibrate_improves_and_refuses_too_few_pages(tmp_path: Path, receipts_set: Path) -> None:
    out = tmp_path / "calibrated"
    shown = json.loads(ocrtune("calibrate", BASE, receipts_set, "--out", out, "--sizes", "640,960", "--json").stdout)
    assert shown["hmean"] >= shown["hmean_before"]
    measured = json.loads(ocrtune("eval", out, receipts_set, "--json").stdout)
    assert measured["hmean"] == pytest.approx(shown["hmean"], abs=1e-6)
    few = tmp_path / "few"
    small_dataset(few, pages=3, seed=9)
    fails(1, "calibrate", BASE, few, "--out", tmp_path / "no", says="too few")
    fails(2, "calibrate", BASE, receipts_set, says="--out")


def test_export_passes_the_gate(tmp_path: Path, receipts_set: Path) -> None:
    out = tmp_path / "model.onnx"
    shown = json.loads(ocrtune("export", BASE, "--out", out, "--gate", receipts_set, "--pages", 2, "--json").stdout)
    assert shown["bytes"] == out.stat().st_size
    assert shown["gate"]["boxes_equal"] == 1
    assert shown["gate"]["hmean_before"] == shown["gate"]["hmean_after"]
    import onnxruntime as ort

    session = ort.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    for size in ((1, 3, 64, 96), (2, 3, 320, 32)):
        assert session.run(None, {"input": np.zeros(size, np.float32)})[0].shape == (size[0], 1, *size[2:])
    fails(2, "export", BASE, "--out", out, "--format", "tflite", says="expected: onnx")


def test_config_weights_and_doctor() -> None:
    shown = json.loads(
        ocrtune("config", "show", ROOT / "configs" / "detection.yaml", "trainer.seed=3", "--json").stdout
    )
    assert shown["trainer.seed"] == {"value": 3, "from": "command line"}
    fails(2, "config", "check", ROOT / "configs" / "detection.yaml", "optimizer.lrr=1", says="optimizer.lr")
    names = {entry["name"] for entry in json.loads(ocrtune("weights", "list", "--json").stdout)["weights"]}
    assert BASE in names
    training = json.loads(ocrtune("weights", "list", "--kind", "training", "--json").stdout)["weights"]
    assert {entry["kind"] for entry in training} == {"training"}
    assert {"ppocrv2.0-server-det-train", "ppocrv6-medium-rec-train"} <= {entry["name"] for entry in training}
    fails(2, "weights", "list", "--kind", "pickles", says="onnx, training, backbone")
    fails(2, "weights", "get", "ppocrv9-mobile", says="no published model")
    found = json.loads(ocrtune("doctor", "--json").stdout)
    assert found["missing_extras"] == []
    assert {"torch", "fastapi", "gradio", "openvino", "numpy"} <= set(found["packages"])
    assert "pytest" not in found["packages"]


def test_wrong_calls_are_explained(tmp_path: Path) -> None:
    fails(2, "eval", "ppocrv4-mobil-det", tmp_path, says="")
    fails(2, "eval", BASE, tmp_path / "gone", says="does not exist")
    fails(2, "eval", BASE, tmp_path, says="no known label format")
    fails(2, "predict", BASE, tmp_path, says="there is no image")
    fails(2, "train", says="--resume")
    fails(2, "train", tmp_path / "gone.yaml", says="does not exist")
    fails(2, "train", "--resume", tmp_path, says="no run")
    fails(2, "bench", "nothing", says="expected:")
    error = json.loads(ocrtune("eval", BASE, tmp_path / "gone", "--json", check=False).stdout)
    assert error["error"] == "DataError"


def test_web_page_script_installs_and_opens_the_page(tmp_path: Path) -> None:
    shutil.copy(ROOT / "start_app.sh", tmp_path)
    opened = tmp_path / ".venv" / "bin" / "ocrtune"
    (tmp_path / "Makefile").write_text("page:\n\tmkdir -p .venv/bin\n\tmv told $(CURDIR)/.venv/bin/ocrtune\n")
    (tmp_path / "told").write_text('#!/bin/sh\necho "$(pwd)" "$@"\n')
    (tmp_path / "told").chmod(0o755)
    (tmp_path / "data").mkdir()
    done = subprocess.run(
        ["bash", "../start_app.sh", "--host", "0.0.0.0"],
        cwd=tmp_path / "data",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == f"{tmp_path / 'data'} ui --port 7860 --host 0.0.0.0"
    assert opened.is_file()


def test_show_draws_what_training_sees(tmp_path: Path, receipts_set: Path) -> None:
    shown = json.loads(
        ocrtune(
            "data", "show", receipts_set, "augment.noise=false", "--augment", "--preset", "receipt", "--epoch", 3,
            "--limit", 2, "--draw", tmp_path / "drawn", "--json",
        ).stdout
    )  # fmt: skip
    assert (shown["samples"], shown["epoch"]) == (2, 3)
    assert len(list((tmp_path / "drawn").glob("epoch3_sample*.jpg"))) == 2
    assert (tmp_path / "drawn" / "sheet.jpg").is_file()
    fails(2, "data", "show", receipts_set, "--draw", tmp_path / "x", "--preset", "receipt", says="--augment")
    fails(
        2,
        "data",
        "show",
        receipts_set,
        "--draw",
        tmp_path / "x",
        "--augment",
        "--preset",
        "recipt",
        says="augment.preset",
    )
