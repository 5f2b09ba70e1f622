from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from ocrtune.webui.background import Job
from ocrtune.webui.language import CHINESE, ENGLISH
from ocrtune.webui.live import POINTS, curves, diagnoses, status
from ocrtune.webui.trainings import Training
from ocrtune.webui.watching import Stage, phase, stages
from ocrtune.webui.workspace import Workspace


def write(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def running(run: Path, steps: int, total: int, ago: float, first: str = "training") -> None:
    """The files of a run that began some seconds ago."""
    began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() - ago))
    write(run / "config.yaml")
    write(run / "log.txt", f"{began} {first}: {total} steps of 8 of 16 samples, precision 32-true\n")
    rows = [f"{step},0.1,train,loss,{1 / step}\n{step},0.1,train,lr,0.001" for step in range(1, steps + 1)]
    write(run / "metrics.csv", "\n".join(["step,epoch,kind,name,value", *rows, f"{steps},0.1,val,hmean,0.9", ""]))
    write(run / "baseline.json", '{"hmean": 0.7, "seconds": 1.0}')


def test_phases_follow_the_files_of_a_job(tmp_path: Path) -> None:
    seen = [phase(tmp_path)]
    for name in (
        "data/train.json",
        "run/config.yaml",
        "run/final_model.pth",
        "run/bundle/bundle.yaml",
        "bundle/bundle.yaml",
        "report.html",
    ):
        write(tmp_path / name)
        seen.append(phase(tmp_path))
    assert seen == ["check", "base", "train", "export", "calibrate", "report", "done"]


def test_a_pipelines_phase_is_that_of_the_model_at_work(tmp_path: Path) -> None:
    write(tmp_path / "data" / "train.json")
    for name in ("run/config.yaml", "run/final_model.pth", "run/bundle/bundle.yaml", "bundle/bundle.yaml"):
        write(tmp_path / "detection" / name)
    write(tmp_path / "recognition" / "scout" / "run" / "config.yaml")
    assert [stage.folder.name for stage in stages(tmp_path)] == ["detection", "recognition"]
    assert phase(tmp_path) == "train", "a first training is one"
    assert stages(tmp_path)[1].run.parent.name == "scout"


def test_time_left_goes_by_the_steps_since_the_last_start(tmp_path: Path) -> None:
    running(tmp_path / "run", steps=20, total=50, ago=30, first="resuming at step 10")
    found = Stage(tmp_path).steps()
    assert found is not None
    assert (found.done, found.total) == (20, 50)
    assert found.seconds_left == pytest.approx(90, rel=0.2)
    assert Stage(tmp_path / "nothing").steps() is None


def test_a_run_that_was_cut_short_has_fewer_steps(tmp_path: Path) -> None:
    running(tmp_path / "run", steps=20, total=50, ago=30)
    with (tmp_path / "run" / "log.txt").open("a") as log:
        log.write("2026-11-21 10:00:00 step 20/25  loss 0.5  hmean 0.9\n")
    found = Stage(tmp_path).steps()
    assert found is not None
    assert found.total == 25


def test_curves_begin_at_the_base_and_stay_small(tmp_path: Path) -> None:
    running(tmp_path / "run", steps=1000, total=1000, ago=30)
    loss, rate, value = curves(Stage(tmp_path), ENGLISH)
    assert len(loss) <= 2 * (POINTS + 1)
    assert rate["step"].max() == 1000, "the last step is always there"
    assert value.values.tolist() == [
        [0, 0.7, "fine-tuned"],
        [1000, 0.9, "fine-tuned"],
        [0, 0.7, "base"],
        [1000, 0.7, "base"],
    ]
    assert set(curves(Stage(tmp_path), CHINESE)[2]["what"]) == {"微调后", "基础模型"}


def test_a_diagnosis_is_told_with_what_to_do(tmp_path: Path) -> None:
    entry = {
        "code": "lr-high",
        "when": "before",
        "severity": "warning",
        "message": "the rate of <b>1</b>",
        "evidence": {},
        "remedies": [{"do": "optimizer.lr=auto", "why": "fits"}],
        "suspects": ["a.txt:3"],
    }
    write(tmp_path / "run" / "diagnosis.json", json.dumps({"task": "detection", "diagnosis": [entry]}))
    english, chinese = (diagnoses([Stage(tmp_path)], say) for say in (ENGLISH, CHINESE))
    assert "The learning rate is too high" in english
    assert "<code>optimizer.lr=auto</code> – fits" in english
    assert "&lt;b&gt;1" in english, "what a file says is no markup"
    assert "学习率过高" in chinese
    assert "a.txt:3" in chinese
    assert diagnoses([Stage(tmp_path / "none")], ENGLISH) == ""


@pytest.mark.parametrize(
    ("code", "english", "chinese"),
    [(130, "“Resume” goes on", "已停止"), (2, "error: no &lt;page&gt;", "训练失败")],
)
def test_the_state_says_what_to_do_next(tmp_path: Path, code: int, english: str, chinese: str) -> None:
    workspace = Workspace.of([tmp_path])
    job = Job(workspace.outputs / "exp_1", ("adapt", "pages", "--out", "x"), 2**22 + 1, time.time())
    write(job.folder / "job.exit", str(code))
    write(job.folder / "job.log", "error: no <page>\n")
    write(job.folder / "result" / "data" / "train.json")
    running(job.folder / "result" / "run", steps=5, total=10, ago=5)
    training = Training(job)
    assert english in status(training, stages(training.result), workspace, ENGLISH)
    assert "5 of 10 · training steps" in status(training, stages(training.result), workspace, ENGLISH)
    assert chinese in status(training, stages(training.result), workspace, CHINESE)
    assert "ocrtune adapt pages" in status(training, stages(training.result), workspace, CHINESE)
