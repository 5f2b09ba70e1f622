from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ocrtune.bundle import Bundle
from ocrtune.cli.main import app
from ocrtune.data.formats import read_dataset
from ocrtune.data.synth.receipts import render_receipt
from ocrtune.workflows import demo
from support.pages import write_heads
from support.runs import OCRTUNE, ocrtune, quiet_environment

QUICK = ("--sizes", "480,960")
SMALL = ("schedule.steps=6", "input.page_size=480", "input.view_size=96", "data.batch_size=2", "trainer.evals=2")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    write_heads([render_receipt(1, index) for index in range(20)], 8, folder / "train")
    write_heads([render_receipt(2, index) for index in range(4)], 8, folder / "val")
    return folder


def command(pages: Path, out: Path) -> list[str]:
    return [
        "adapt",
        str(pages / "train"),
        "--val",
        str(pages / "val"),
        "--out",
        str(out),
        "--task",
        "detection",
        *QUICK,
        *SMALL,
    ]


@pytest.mark.slow
def test_adapt_end_to_end_and_its_honesty(pages: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = ocrtune(*command(pages, out), "--json", check=False)
    assert done.returncode in (0, 1), done.stderr
    result = json.loads(done.stdout)
    assert (done.returncode == 0) == (result["fine_tuned"]["hmean"] > result["calibrated"]["hmean"])
    assert (done.returncode == 1) == ("below-base" in {entry["code"] for entry in result["diagnosis"]})
    # what was reported on is not what was fitted to
    parts = {
        name: {page.path.name for page in read_dataset(f"json:{out / 'data' / name}.json")}
        for name in ("train", "holdout")
    }
    assert not parts["train"] & parts["holdout"]
    assert len(parts["holdout"]) >= 8
    assert "report" in {path.stem for path in (out / "data").iterdir()}
    # the bundle has the figures and does what was reported
    bundle = Bundle.load(out / "bundle")
    measured = json.loads(ocrtune("eval", out / "bundle", pages / "val", "--json").stdout)
    assert measured["hmean"] == pytest.approx(result["fine_tuned"]["hmean"], abs=1e-6)
    assert bundle.manifest.metrics["report"]["hmean"] == pytest.approx(measured["hmean"], abs=1e-6)
    assert {"base", "config", "versions", "gate", "data"} <= set(bundle.manifest.provenance)
    html = (out / "report.html").read_text(encoding="utf-8")
    assert html.count("data:image/") >= 3
    assert not re.search(r'(src|href)="http', html), "the report must not need the network"
    again = ocrtune(*command(pages, out), check=False)
    assert again.returncode == 2
    assert "finished job" in again.stderr


@pytest.mark.slow
def test_adapt_goes_on_after_an_interruption(pages: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    call = [*OCRTUNE, *command(pages, out), "trainer.checkpoint_minutes=0"]
    process = subprocess.Popen(
        call, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=quiet_environment()
    )
    try:
        deadline = time.monotonic() + 240
        while not (out / "run" / "last.ckpt").exists():
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=240)
    finally:
        process.kill()
    assert process.returncode == 130, output
    assert "give the same command again" in output
    done = subprocess.run(call, capture_output=True, text=True, env=quiet_environment(), check=False)
    assert done.returncode in (0, 1), done.stderr
    assert "going on with the training" in done.stdout
    used = re.search(r"the same job began earlier: (\d+\.\d) of 20.0 minutes are used", done.stdout)
    assert used is not None, done.stdout
    assert (out / "report.html").is_file()


SHORT_DEMO = (
    *("detection.schedule.steps=20", "detection.data.batch_size=4", "detection.input.page_size=1280"),
    *("detection.trainer.evals=1", "detection.data.num_workers=0"),
    *(
        "recognition.schedule.steps=8",
        "recognition.data.batch_size=16",
        "recognition.trainer.evals=1",
        "recognition.data.num_workers=0",
    ),
)


def write_short_receipts(folder: Path, count: int, seed: int, each: Callable[[], None]) -> None:
    """The heads of the demo's receipts."""
    write_heads([render_receipt(seed, index) for index in range(count)], 14, folder)


@pytest.mark.slow
def test_demo_makes_a_better_pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped demo with fewer and shorter pages, and fewer steps; it must win even so, and do what it says."""
    monkeypatch.setattr(demo, "write_receipts", write_short_receipts)
    call = ["demo", "--out", str(tmp_path / "demo"), "--json", "--pages", "24", *SHORT_DEMO]
    done = CliRunner().invoke(app, call, catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["task"], set(result["stages"])) == ("ocr", {"detection", "recognition"})
    assert result["after"]["end_to_end_hmean"] > result["before"]["end_to_end_hmean"]
    assert "What is read now" in done.stderr
    bundle = Bundle.load(Path(result["bundle"]))
    assert bundle.manifest.task == "ocr"
    val = tmp_path / "demo" / "data" / "val"
    measured = json.loads(ocrtune("eval", bundle.path, val, "--json").stdout)
    assert measured["end_to_end_hmean"] == pytest.approx(result["after"]["end_to_end_hmean"], abs=1e-6)
    page = read_dataset(str(val))[0]
    read = ocrtune("predict", bundle.path, page.path, "--format", "text", "--draw", tmp_path / "drawn").stdout
    assert len(read.splitlines()) > 5
    assert list((tmp_path / "drawn").iterdir())
    html = Path(result["report"]).read_text(encoding="utf-8")
    assert "found and read" in html
    assert "Confusions" in html


LINES = ("schedule.steps=4", "data.batch_size=4", "trainer.evals=1")


@pytest.mark.slow
@pytest.mark.parametrize("task", ["recognition", "orientation"])
def test_adapt_lines_that_were_cut_out(task: str, pages: Path, tmp_path: Path) -> None:
    for part in ("train", "val"):
        ocrtune("data", "crop", pages / part, "--out", tmp_path / part)
    call = [
        "adapt",
        tmp_path / "train" / "labels.txt",
        "--val",
        tmp_path / "val" / "labels.txt",
        "--out",
        tmp_path / "out",
    ]
    if task == "orientation":
        call += ["--task", task]
    done = ocrtune(*call, "--json", *LINES, check=False)
    assert done.returncode in (0, 1), done.stderr
    result = json.loads(done.stdout)
    assert result["task"] == task, "lines with texts are for recognition unless something else is asked for"
    assert (done.returncode == 0) == (result["fine_tuned"]["accuracy"] > result["calibrated"]["accuracy"])
    measured = json.loads(ocrtune("eval", tmp_path / "out", tmp_path / "val" / "labels.txt", "--json").stdout)
    assert measured["accuracy"] == pytest.approx(result["fine_tuned"]["accuracy"], abs=1e-6)
    line = next((tmp_path / "val" / "images").iterdir())
    found = json.loads(ocrtune("predict", tmp_path / "out", line).stdout)
    assert found["regions"][0]["angle"] in (0, 180)
