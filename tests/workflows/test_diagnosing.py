"""Planted faults through the real ``ocrtune train``: the words, the JSON, the report."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ocrtune.cli.main import run
from support.runs import small_config


def train(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: object
) -> tuple[int, dict[str, Any], str]:
    """``ocrtune train`` in this process: exit code, the JSON object, and what was said."""
    monkeypatch.setattr(sys, "argv", ["ocrtune", "train", "--json", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        run()
    out, said = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, json.loads(out), said


def diagnosis(result: dict[str, Any], code: str) -> dict[str, Any]:
    (found,) = (entry for entry in result["diagnosis"] if entry["code"] == code)
    return found


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    short: dict[str, dict[str, object]] = {"schedule": {"steps": 4, "warmup_epochs": 0}, "trainer": {"evals": 1}}
    return small_config(tmp_path_factory.mktemp("planted"), **short)


def run_folder(tmp_path: Path) -> Path:
    (folder,) = (tmp_path / "runs").iterdir()
    return folder


@pytest.mark.slow
def test_a_rate_a_hundred_times_too_high(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = ("optimizer.lr=0.15", f"output_dir={tmp_path / 'runs'}")
    _, result, said = train(capsys, monkeypatch, config, *planted)
    high = diagnosis(result, "lr-high")
    assert "100 times what suits batches of 2" in high["message"]
    assert high["evidence"]["times"] == 100
    assert high["remedies"][0]["do"] == "optimizer.lr=auto"
    rose = diagnosis(result, "loss-rose")
    assert rose["evidence"]["loss_now"] > 3 * rose["evidence"]["loss_at_start"]
    assert "the learning rate is 100 times" in rose["message"]
    assert result["diagnosis"][0]["code"] == "below-base", "the gravest comes first"
    assert diagnosis(result, "below-base")["severity"] == "error"
    folder = run_folder(tmp_path)
    # the same words on the terminal, in the log, in the report and in the folder's JSON
    assert high["message"] in said
    assert high["message"] in (folder / "log.txt").read_text(encoding="utf-8")
    assert "optimizer.lr=auto" in (folder / "report.html").read_text(encoding="utf-8")
    assert json.loads((folder / "diagnosis.json").read_text(encoding="utf-8"))["diagnosis"] == result["diagnosis"]
    # and the table of what trains
    assert "head" in said
    assert "0.15 x size of weights" in said


@pytest.mark.slow
def test_the_faulty_ratio_and_a_batch_that_can_be_learnt(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = ("targets.shrink_ratio=0.35", "targets.total_epoch=2", f"output_dir={tmp_path / 'runs'}", "--sanity")
    _, result, _ = train(capsys, monkeypatch, config, *planted)
    assert "0.35" in diagnosis(result, "ratio-apart")["message"]
    moves = diagnosis(result, "ratio-moves")
    assert "from 0.35 to 0.45" in moves["message"], "4 steps of 2 of 6 pages are 1.3 epochs"
    assert moves["remedies"][0]["do"] == "targets.total_epoch=null"
    assert diagnosis(result, "sanity-passed")["evidence"]["loss_best"] > 0


def test_labels_that_are_all_ignored(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = yaml.safe_load(config.read_text(encoding="utf-8"))["data"]["train"].removeprefix("icdar:")
    labels = tmp_path / "labels"
    (labels / "box").mkdir(parents=True)
    (labels / "img").symlink_to(next(p for p in Path(data).iterdir() if p.is_dir() and any(p.glob("*.[jp][pn]g"))))
    for image in (labels / "img").iterdir():
        (labels / "box" / f"{image.stem}.csv").write_text("10,10,60,10,60,30,10,30,###\n", encoding="utf-8")
    planted = (f"data.train=icdar:{labels}", f"output_dir={tmp_path / 'runs'}")
    code, result, said = train(capsys, monkeypatch, config, *planted)
    assert code == 2
    nothing = diagnosis(result, "nothing-to-learn")
    assert "of 6 labelled texts on 6 pages, 6 are marked as ignored (### or *)" in nothing["message"]
    assert nothing["evidence"] == {"texts": 6, "ignored": 6, "pages": 6}
    assert "instead of ###" in nothing["remedies"][0]["do"]
    assert "instead of ###" in said
    assert json.loads((run_folder(tmp_path) / "diagnosis.json").read_text(encoding="utf-8"))["diagnosis"] == [nothing]


def test_everything_is_frozen(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = ("freeze.layers={'*': null}", f"output_dir={tmp_path / 'runs'}")
    code, result, said = train(capsys, monkeypatch, config, *planted)
    assert code == 2
    frozen = diagnosis(result, "nothing-trains")
    assert "everything is frozen: none of the 1,171,449 parameters" in frozen["message"]
    assert frozen["evidence"] == {"parameters": 1171449, "trained": 0}
    assert "head: 0" in frozen["remedies"][0]["do"]
    assert "everything is frozen" in said
