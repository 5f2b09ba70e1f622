from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from ocrtune.bundle import Bundle
from ocrtune.report.html import Picture, Report, write_report
from ocrtune.webui.language import CHINESE, ENGLISH
from ocrtune.webui.outcomes import Outcome
from ocrtune.webui.tabs.results import _closely, _row
from ocrtune.webui.workspace import Workspace

AFTER = {"pages": 9, "precision": 0.8, "recall": 0.9, "hmean": 0.85, "hmean_ci95": [0.8, 0.9], "data": "held out"}
BEFORE = {"pages": 9, "precision": 0.7, "recall": 0.7, "hmean": 0.7, "hmean_ci95": [0.6, 0.8]}


@pytest.fixture(scope="module")
def workspace(v4_mobile: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """With a training of the page, a plain run, and one that has come to nothing yet."""
    root = tmp_path_factory.mktemp("outcomes")
    result = root / "workdirs" / "exp_1" / "result"
    v4_mobile.rewritten(result / "bundle", metrics={"report": AFTER, "base_calibrated": BEFORE})
    (result / "adapt.json").write_text(json.dumps({"seconds": 600}))
    plain, fresh = root / "runs" / "exp_2", root / "runs" / "exp_3"
    v4_mobile.rewritten(plain / "bundle", metrics={"val": AFTER})
    for run in (result / "run", plain, fresh):
        run.mkdir(parents=True, exist_ok=True)
        (run / "config.yaml").touch()
    (plain / "baseline.json").write_text('{"hmean": 0.9, "seconds": 1.0}')
    (result / "run" / "best_model.pth").write_bytes(b"weights")
    pages = [Picture("img/a.png: 3 missed, 2 wrong", b"\xff\xd8picture")]
    report = Report("", "", True, pages=pages, figures=[Picture("Training", b"\x89PNG")])
    write_report(report, result / "report.html")
    return Workspace.of([root])


def outcome(workspace: Workspace, name: str) -> Outcome:
    return next(o for o in Outcome.all(workspace) if o.name(workspace) == name)


def test_trainings_of_the_page_and_plain_runs_are_listed_once(workspace: Workspace) -> None:
    assert {o.name(workspace) for o in Outcome.all(workspace)} == {"exp_1", "runs/exp_2"}


def test_a_row_tells_before_and_after(workspace: Workspace) -> None:
    row = _row(outcome(workspace, "exp_1"), workspace, ENGLISH)
    assert row[:4] == ["exp_1", "detection", "hmean 0.7000 → 0.8500", "0.800 … 0.900"]
    assert "bin 0.3, box 0.6, unclip 1.5" in row
    assert "10 min" in row
    assert _row(outcome(workspace, "exp_1"), workspace, CHINESE)[1] == "检测"


def test_the_verdict_is_honest(workspace: Workspace) -> None:
    assert "Better than the base: hmean 0.7000 → 0.8500" in _closely(outcome(workspace, "exp_1"), ENGLISH)
    assert "不优于基础模型" in _closely(outcome(workspace, "runs/exp_2"), CHINESE)


def test_worst_pages_come_from_the_report_without_its_curves(workspace: Workspace) -> None:
    found = outcome(workspace, "exp_1")
    assert [caption for _, _, caption in found.worst_pages(ENGLISH)] == ["3 missed, 2 wrong · img/a.png"]
    assert found.worst_pages(CHINESE)[0][2] == "漏检 3，误检 2 · img/a.png"
    assert outcome(workspace, "runs/exp_2").worst_pages(ENGLISH) == []


def test_downloads_are_whole(workspace: Workspace, tmp_path: Path) -> None:
    found = outcome(workspace, "exp_1")
    downloads = dict(found.downloads(ENGLISH))
    assert list(downloads) == ["Report (HTML)", "Model (bundle, zip)", "best_model.pth"]
    zipfile.ZipFile(downloads["Model (bundle, zip)"]).extractall(tmp_path)
    assert Bundle.load(tmp_path / "bundle").fingerprint() == found.bundle.fingerprint()
    found.bundle.rewritten(found.bundle.path, thresholds={**found.bundle.manifest.thresholds, "box_thresh": 0.7})
    zipfile.ZipFile(found.zipped()).extractall(tmp_path / "again")
    assert Bundle.load(tmp_path / "again" / "bundle").manifest.thresholds["box_thresh"] == 0.7
