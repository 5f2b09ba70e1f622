"""Every command of both READMEs runs, on a small part of the real receipts."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from ocrtune.bundle import Bundle
from ocrtune.data.formats import read_dataset
from support.paddle_configs import as_yaml, official
from support.pages import write_heads
from support.paths import ROOT
from support.runs import ocrtune

READMES = ("README.md", "README.zh-CN.md")
# what is asked for in less time; everything else runs as it is written
SHORTER = {
    "ocrtune adapt receipts/train --val receipts/val --budget 20m": [
        *("--budget", "10m", "--sizes", "640,960"),
        *("detection.schedule.steps=6", "detection.input.view_size=160", "detection.trainer.evals=1"),
        *("recognition.schedule.steps=4", "recognition.data.batch_size=8", "recognition.trainer.evals=1"),
    ],
    "ocrtune adapt receipts/train --val receipts/val --task detection": [
        *("--sizes", "640", "schedule.steps=6", "input.view_size=160", "trainer.evals=1", "data.num_workers=0"),
    ],
    "ocrtune train configs/detection.yaml": ["schedule.steps=2", "input.view_size=96", "data.num_workers=0"],
    "ocrtune train configs/recognition.yaml": ["schedule.steps=2", "data.batch_size=8", "data.num_workers=0"],
    "ocrtune train configs/orientation.yaml": ["schedule.steps=2", "data.batch_size=8", "data.num_workers=0"],
    "ocrtune calibrate ppocrv4-mobile-det receipts/train": ["--sizes", "640"],
    "ocrtune train det.yaml": ["schedule.steps=2", "input.view_size=96", "data.num_workers=1", "data.batch_size=2"],
}


def commands(name: str) -> list[str]:
    """The lines of the indented blocks, without comments."""
    text = (ROOT / name).read_text(encoding="utf-8")
    lines = re.findall(r"^ {4}(\S.*)$", text, flags=re.MULTILINE)
    return [line.split("  #")[0].split(" #")[0].strip() for line in lines]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory, receipts: Path) -> Path:
    """A folder with configs/, a small receipts/ and a configuration of PaddleOCR, as the READMEs assume it."""
    folder = tmp_path_factory.mktemp("readme")
    for part, count in (("train", 16), ("val", 4)):
        write_heads(read_dataset(f"icdar:{receipts / part}")[:count], 6, folder / "receipts" / part)
    os.symlink(ROOT / "configs", folder / "configs")
    (folder / "PP-OCRv4_mobile_det.yml").write_text(as_yaml(official("PP-OCRv4_mobile_det")), encoding="utf-8")
    return folder


def test_both_readmes_have_the_same_commands() -> None:
    first, second = (commands(name) for name in READMES)
    assert first == second
    assert len(first) > 15


@pytest.mark.slow
def test_every_command_runs(workplace: Path) -> None:
    ran = 0
    for line in commands(READMES[0]):
        if not line.startswith("ocrtune"):
            assert line.startswith(("make ", "pip install ", "bash start_app.sh")), (
                line
            )  # the page has tests of its own
            continue
        arguments = shlex.split(line)[1:]
        for prefix, extra in SHORTER.items():
            if line.startswith(prefix):
                arguments += extra
        done = ocrtune(*arguments, cwd=workplace, check=False)
        # 1: a few steps need not be better than the base
        allowed = (0, 1) if line.startswith(("ocrtune adapt", "ocrtune data check")) else (0,)
        assert done.returncode in allowed, f"{line}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        if line.startswith("ocrtune adapt"):
            assert (done.returncode == 0) == ("Better: " in done.stdout), "the exit code is the verdict"
        if line.endswith("--out adapted"):
            assert "task: ocr" in done.stdout, "boxes with texts are a whole pipeline"
        ran += 1
    assert ran > 12
    assert Bundle.load(workplace / "adapted" / "bundle").manifest.task == "ocr"
    assert (workplace / "adapted" / "report.html").is_file()
    assert (workplace / "found.json").is_file()
    assert (workplace / "detector.onnx").is_file()


def test_make_targets_exist() -> None:
    for line in (line for line in commands(READMES[0]) if line.startswith("make ")):
        subprocess.run(["make", "--dry-run", *line.split()[1:]], cwd=ROOT, check=True, capture_output=True)
