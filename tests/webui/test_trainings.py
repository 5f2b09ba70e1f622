from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import gradio as gr
import psutil
import pytest

from ocrtune.data.synth.receipts import write_receipts
from ocrtune.errors import ConfigError, OcrtuneError, UsageError
from ocrtune.webui import found
from ocrtune.webui.app import build_page
from ocrtune.webui.background import ENDED, JOB, OUTPUT
from ocrtune.webui.found import Found, demo_data
from ocrtune.webui.language import CHINESE, ENGLISH, Language
from ocrtune.webui.training_form import Form
from ocrtune.webui.trainings import Training
from ocrtune.webui.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "page" / "pages").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    return Workspace.of([tmp_path / "page"])


def job(workspace: Workspace, name: str, created: float = 1.0, pid: int = 2**22 + 1, code: int | None = None) -> Path:
    """A training's folder as if its process had been started."""
    folder = workspace.outputs / name
    (folder / "result").mkdir(parents=True)
    record = {"arguments": ["adapt", "pages", "--out", "x"], "pid": pid, "created": created}
    (folder / JOB).write_text(json.dumps(record))
    if code is not None:
        (folder / ENDED).write_text(f"{code}\n")
    return folder


def test_the_form_is_a_command(workspace: Workspace) -> None:
    pages = workspace.folders[0] / "pages"
    form = Form(
        "pages", "icdar:pages", "detection", "ppocrv6-small-det", 90.5, None, 4, "0.0005", 2, "synth", "960, 1280"
    )
    assert form.arguments(workspace) == [
        str(pages),
        *("data.batch_size=4", "optimizer.lr=0.0005", "freeze.backbone_epochs=2"),
        *("--task", "detection", "--val", f"icdar:{pages}", "--base", "ppocrv6-small-det"),
        *("--anchor", "synth", "--sizes", "960,1280", "--budget", "90.5m"),
    ]


def test_defaults_leave_everything_to_the_tool_and_epochs_replace_the_time(workspace: Workspace) -> None:
    assert Form("pages").arguments(workspace)[1:] == ["--task", "auto", "--budget", "20m"]
    by_epochs = Form("pages", minutes=None, epochs=3, lr="auto").arguments(workspace)
    assert "schedule.epochs=3" in by_epochs
    assert by_epochs[-1] == "240h"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"data": ""}, "no path"),
        ({"data": "../outside"}, "outside the folders"),
        ({"val": "/etc"}, "outside the folders"),
        ({"base": "../outside"}, "outside the folders"),
        ({"anchor": "base:/etc"}, "outside the folders"),
        ({"further": "model.pretrained=/etc/passwd"}, "outside the folders"),
        ({"further": "data.train=pages"}, "chosen by the page"),
        ({"further": "detection.output_dir=pages"}, "chosen by the page"),
        ({"further": "--out=elsewhere"}, "no setting"),
        ({"further": "faster"}, "no setting"),
        ({"lr": "fast"}, "no learning rate"),
        ({"sizes": "large"}, "no sizes"),
        ({"minutes": None}, "no time"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_starts(
    workspace: Workspace, fields: dict[str, str], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        Form(**{"data": "pages", **fields}).arguments(workspace)  # type: ignore[arg-type]
    assert not workspace.outputs.exists()


def test_a_misspelt_setting_is_named_before_anything_starts(workspace: Workspace) -> None:
    with pytest.raises(ConfigError, match="weight_decay"):
        Form("pages", task="detection", further="optimizer.weight_decoy=1").arguments(workspace)


def test_states_follow_from_files_and_the_process(workspace: Workspace) -> None:
    me = psutil.Process(os.getpid())
    running = job(workspace, "exp_1", me.create_time(), me.pid)
    done = job(workspace, "exp_2", 2.0, code=1)
    (done / "result" / "report.html").touch()
    job(workspace, "exp_3", 3.0, code=130)
    killed = job(workspace, "exp_4", 4.0)
    failed = job(workspace, "exp_5", 5.0, code=2)
    (failed / OUTPUT).write_text("data: a\nerror: b.txt: no page\n  expected: pages\n  to do: label some\n")
    (workspace.outputs / "other").mkdir()
    (workspace.outputs / "other" / JOB).write_text(json.dumps({"arguments": ["serve"], "pid": 1, "created": 1.0}))
    states = {training.name: training.state for training in Training.all(workspace)}
    assert list(states.items()) == [
        (running.name, "running"),
        (failed.name, "failed"),
        (killed.name, "stopped"),
        ("exp_3", "stopped"),
        (done.name, "finished"),
    ]
    broken = Training.named(workspace, failed.name)
    assert broken is not None
    assert broken.error == "error: b.txt: no page\n  expected: pages\n  to do: label some"
    finished = Training.named(workspace, done.name)
    assert finished is not None
    with pytest.raises(UsageError, match="finished"):
        finished.resume()


@pytest.mark.parametrize("say", [ENGLISH, CHINESE])
def test_the_page_follows_a_training_and_says_nothing_twice(workspace: Workspace, say: Language) -> None:
    async def built() -> gr.Blocks:
        return build_page(workspace, say)

    page = asyncio.run(built())  # Gradio asks for the loop that it is built in
    (refresh,) = (event for event in page.fns.values() if event.fn is not None and event.fn.__name__ == "refresh")
    nothing = refresh.fn(None, {})
    assert len(nothing) == len(refresh.outputs)
    assert nothing[-1] == {}
    folder = job(workspace, "exp_1", code=130)
    first = refresh.fn(None, {})
    assert len(first) == len(refresh.outputs)
    assert first[0]["value"] == "exp_1"
    assert say("stopped", "已停止") in first[1]
    assert first[3]["visible"], "it can be resumed"
    again = refresh.fn("exp_1", first[-1])
    assert all(update == gr.skip() for update in again[:-1])
    (folder / OUTPUT).write_text("data: new\n")
    changed = refresh.fn("exp_1", first[-1])
    assert [update != gr.skip() for update in changed[:-1]] == [False] * 8 + [True], "the log alone"


def test_a_started_training_is_a_process_that_says_why_it_failed(workspace: Workspace) -> None:
    training = Training.start(workspace, [str(workspace.folders[0] / "pages"), "--task", "detection", "--budget", "1m"])
    psutil.Process(training.job.pid).wait(120)
    again = Training.named(workspace, training.name)
    assert again is not None
    assert again.state == "failed"
    assert "pages" in again.error
    assert "to do:" in again.error or "expected:" in again.error


def test_what_is_found_in_data_is_told_in_both_languages(tmp_path: Path) -> None:
    write_receipts(tmp_path / "pages", 2, 1)
    (tmp_path / "pages" / "images" / "damaged.png").write_bytes(b"no image")
    seen: list[int] = []
    looked = Found.of(f"icdar:{tmp_path / 'pages'}", lambda total: lambda: seen.append(total))
    assert looked.report.usable_pages == 2
    assert seen
    english, chinese = looked.html(ENGLISH), looked.html(CHINESE)
    assert "2 usable" in english
    assert "whole pipeline" in english
    assert "few pages" in english
    assert "2 页可用" in chinese
    assert "完整流程" in chinese
    with pytest.raises(OcrtuneError):
        Found.of(str(tmp_path / "nothing"), lambda total: lambda: None)


def test_demo_data_are_drawn_once(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(found, "demo_parts", lambda: [("train", 2, 1), ("val", 1, 2)])
    shares: list[float] = []
    folders = demo_data(workspace, shares.append)
    assert shares == pytest.approx([1 / 3, 2 / 3, 1])
    assert len(list((folders["train"] / "images").iterdir())) == 2
    assert demo_data(workspace, shares.append) == folders
    assert len(shares) == 3
