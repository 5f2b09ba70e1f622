"""A run that was stopped or killed at any step and resumed equals an uninterrupted one, bit for bit (fp32, CPU)."""

from __future__ import annotations

import itertools
import json
import math
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ocrtune.config.load import build_config
from ocrtune.config.schema import TrainConfig
from ocrtune.data.formats import read_dataset
from ocrtune.data.synth.receipts import render_receipt
from ocrtune.errors import BundleError, DataError
from ocrtune.page import Page
from ocrtune.task import Evaluation, Spread, Task, alone
from ocrtune.training.loop import BEST, FINAL, LAST, Progress, Trainer
from ocrtune.training.runlog import read_metrics
from ocrtune.training.timelimit import Remaining, TimeLimit
from ocrtune.training.verdicts import Verdict
from ocrtune.workflows.recipes import RECIPES
from support.pages import write_heads
from support.runs import ocrtune, quiet_environment, small_config
from support.tiny import Line, Points, config


class Killed(BaseException):
    """Nothing in the product catches it: the run is gone, and what it wrote by then stays."""


def run_and_kill(task: Task, settings: TrainConfig, folder: Path, at: int) -> None:
    """Train until a step is done, and be killed before its state is written."""

    def watch(progress: Progress) -> None:
        if progress.step == at:
            raise Killed

    folder.mkdir(exist_ok=True)
    with pytest.raises(Killed):
        Trainer(task, settings, folder, watch=watch).run()


def assert_equal_runs(mine: Path, theirs: Path) -> None:
    for name in (FINAL, BEST):
        a, b = (torch.load(run / name, weights_only=True) for run in (mine, theirs))
        assert a.keys() == b.keys()
        for key, value in a.items():
            assert torch.equal(value, b[key]), (name, key)
    assert read_metrics(mine / "metrics.csv") == read_metrics(theirs / "metrics.csv")
    a, b = (torch.load(run / LAST, weights_only=True) for run in (mine, theirs))
    for content in (a, b):
        content["state"].pop("evaluation_seconds")
    assert_equal(a, b)


def assert_equal(a: Any, b: Any, where: str = "") -> None:
    assert type(a) is type(b), where
    if isinstance(a, Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_equal(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for index, pair in enumerate(zip(a, b, strict=True)):
            assert_equal(*pair, f"{where}[{index}]")
    else:
        assert a == b, where


class Eventful(Line):
    """A network with normalisation and dropout, whose run meets a fault at one sample of the fourth epoch.

    Args:
        fault: none; nan: of the loss; lost: the weights break; memory: too little for more than two samples.
    """

    _SAMPLE = (3, 5)

    def __init__(self, fault: str) -> None:
        super().__init__()
        self._fault, self._marked = fault, torch.tensor(Points().sample(*self._SAMPLE)[0])

    def network(self) -> nn.Module:
        return nn.Sequential(nn.BatchNorm2d(1), nn.Dropout(0.3), super().network())

    def backbone_names(self, network: nn.Module) -> Sequence[str]:
        return ["0.weight", "0.bias"]

    def loss(self, network: nn.Module, batch: Tensor) -> Mapping[str, Tensor]:
        met = self._fault if bool((batch[:, 0] == self._marked).any()) else "none"
        if met == "memory" and len(batch) > 2:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes.")
        if met == "lost":
            network.get_parameter("2.weight").data.fill_(math.nan)
        loss = super().loss(network, batch)["loss"]
        return {"loss": loss * math.nan if met == "nan" else loss}

    def evaluate(self, network: nn.Module, spread: Spread = alone) -> Evaluation:
        figure = -abs(float(network.state_dict()["2.weight"]) - 3)
        return Evaluation(figure, {"hmean": figure}, {})


SETTINGS: dict[str, Any] = {
    "optimizer": {"type": "AdamW", "lr": 0.05, "clip_norm": 1.0},
    "schedule": {"steps": 12, "warmup_epochs": 1},
    "freeze": {"backbone_epochs": 1.5},
    "trainer": {"ema": True, "accumulate": 2, "evals": 3, "checkpoint_minutes": 0},
}


@pytest.mark.parametrize(
    ("fault", "policy"),
    [("none", "skip"), ("nan", "skip"), ("nan", "rollback"), ("lost", "rollback"), ("memory", "skip")],
)
def test_resumed_at_any_step_equals_uninterrupted(fault: str, policy: str, tmp_path: Path) -> None:
    settings = config(**{**SETTINGS, "trainer": {**SETTINGS["trainer"], "nonfinite": policy}})
    whole = tmp_path / "whole"
    whole.mkdir()
    state = Trainer(Eventful(fault), settings, whole).run()
    assert state.step == 12
    assert (state.skipped, state.pieces) == {"none": (0, 1), "memory": (0, 2)}.get(fault, (1, 1))
    for at in (2, 5, 7, 8, 9, 12):
        run_and_kill(Eventful(fault), settings, tmp_path / str(at), at)
        Trainer(Eventful(fault), settings, tmp_path / str(at)).run(resume=True)
        assert_equal_runs(tmp_path / str(at), whole)


def test_a_run_that_was_cut_short_for_time_stays_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the clock decided is part of the checkpoint: the resumed run, which has all time, ends as the other."""
    settings = config(**{**SETTINGS, "schedule": {"steps": 30, "warmup_epochs": 0}})

    def hurry(limit: TimeLimit, remaining: Remaining) -> Verdict:
        return Verdict.HURRY if remaining.steps == 30 - 12 else Verdict.GO

    with monkeypatch.context() as patch:
        patch.setattr(TimeLimit, "verdict", hurry)
        (tmp_path / "whole").mkdir()
        state = Trainer(Eventful("none"), settings, tmp_path / "whole").run()
        run_and_kill(Eventful("none"), settings, tmp_path / "killed", at=14)
    assert (state.cut, state.step) == ((12, 15), 15)
    Trainer(Eventful("none"), settings, tmp_path / "killed").run(resume=True)
    assert_equal_runs(tmp_path / "killed", tmp_path / "whole")
    metrics = read_metrics(tmp_path / "whole" / "metrics.csv")
    rates = [float(row["value"]) for row in metrics if row["name"] == "lr"]
    steady = rates[11] - rates[10]
    falls = [b - a for a, b in itertools.pairwise(rates[11:])]
    assert all(fall < 3 * steady for fall in falls), "the tail falls faster"
    assert rates[-1] == pytest.approx(0.05 * 0.01)
    assert [int(row["step"]) for row in metrics if row["name"] == "hmean"] == [10, 15]


def test_a_run_past_its_deadline_ends_with_an_evaluation(tmp_path: Path) -> None:
    told: list[str] = []
    state = Trainer(Line(), config(), tmp_path, told.append, deadline=time.monotonic() - 1).run()
    assert (state.step, state.cut, state.best_step) == (1, (1, 1), 1)
    assert (tmp_path / BEST).is_file()


@pytest.mark.parametrize(
    ("left", "verdict"),
    [(1000.0, Verdict.GO), (400.0, Verdict.GO), (130.0, Verdict.HURRY), (20.0, Verdict.TIME_OVER)],
)
def test_what_the_time_left_allows(left: float, verdict: Verdict) -> None:
    """100 steps of 5 s and 2 evaluations of 30 s are left, of 200 steps in all: the tail takes 20 steps."""
    told: list[str] = []
    limit = TimeLimit(time.monotonic() + left, 200, told.append)
    assert limit.verdict(Remaining(100, 2, 5.0, 30.0)) is verdict
    assert len(told) == (left == 400 or verdict is Verdict.HURRY)
    assert all("slower than planned: a step takes 5.00 s now" in line for line in told)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Page]:
    folder = tmp_path_factory.mktemp("pages")
    write_heads([render_receipt(1, index) for index in range(3)], 3, folder)
    return read_dataset(str(folder))


TASKS: dict[str, dict[str, dict[str, object]]] = {
    "detection": {
        "model": {"arch": "db_mobilenetv3_dbfpn"},
        "input": {"page_size": 224, "view_size": 64},
        "targets": {"shrink_ratio": 0.4, "total_epoch": 4},
        "augment": {"copy_paste": 1.0},
    },
    "recognition": {
        "model": {"arch": "ctc_pplcnetv4_tiny", "guide": True},
        "text": {"policy": "exact"},
        "augment": {"join": 0.5, "overturn": 0.2},
    },
    "orientation": {"model": {"arch": "cls_mobilenetv3_x0_35"}, "augment": {"mix": "cutmix"}},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
def test_every_task_resumes_exactly(name: str, pages: list[Page], tmp_path: Path) -> None:
    values: dict[str, Any] = {section: dict(keys) for section, keys in TASKS[name].items()}
    values["model"]["pretrained"] = None
    if name == "recognition":
        texts = [region.text or "" for page in pages for region in page.regions]
        dictionary = tmp_path / "dictionary.txt"
        dictionary.write_text("".join(f"{c}\n" for c in sorted(set("".join(texts)))), encoding="utf-8")
        values["text"]["dictionary"] = str(dictionary)
    settings = build_config(
        {
            "task": name,
            **values,
            "data": {"train": "x", "batch_size": 2, "num_workers": 0},
            "optimizer": {"lr": 1e-3},
            "schedule": {"steps": 3, "warmup_epochs": 0.5},
            "trainer": {"precision": "fp32", "evals": 2, "checkpoint_minutes": 0, "num_gpus": 0},
        }
    )
    recipe = RECIPES[name]
    lines = recipe.pages(pages, "train", tmp_path, lambda text, total: lambda: None)
    task = recipe.task(settings, lines, lines[:1], lambda line: None)
    (tmp_path / "whole").mkdir()
    Trainer(task, task.config, tmp_path / "whole").run()
    run_and_kill(task, task.config, tmp_path / "killed", at=2)
    Trainer(task, task.config, tmp_path / "killed").run(resume=True)
    assert_equal_runs(tmp_path / "killed", tmp_path / "whole")


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / LAST).write_bytes(b"cut off")
    with pytest.raises(BundleError, match="the checkpoint is damaged"):
        Trainer(Line(), config(), tmp_path).run(resume=True)


def test_changed_data_are_refused(tmp_path: Path) -> None:
    class More(Points):
        def __len__(self) -> int:
            return 20

    Trainer(Line(), config(schedule={"steps": 2}), tmp_path).run()
    with pytest.raises(DataError, match="samples: 16 before, 20 now"):
        Trainer(Line(More()), config(schedule={"steps": 2}), tmp_path).run(resume=True)


KILLED_WHILE_IT_WRITES = """
import os, signal
replace, seen = os.replace, []
def killing(source, target):
    seen.append(str(target))
    if sum(name.endswith("last.ckpt") for name in seen) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)
os.replace = killing
from ocrtune.cli.main import run
run()
"""


def only_run(config: Path) -> Path:
    (run,) = (config.parent / "runs").iterdir()
    return run


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = small_config(tmp_path_factory.mktemp("whole"), schedule={"steps": 6})
    ocrtune("train", config)
    return only_run(config)


@pytest.mark.slow
def test_killed_while_it_writes_its_checkpoint(uninterrupted: Path, tmp_path: Path) -> None:
    """With another number of workers, which changes nothing, and ends with the run: their output would stay open."""
    config = small_config(tmp_path, schedule={"steps": 6}, data={"num_workers": 1})
    call = [sys.executable, "-c", KILLED_WHILE_IT_WRITES, "train", str(config)]
    done = subprocess.run(call, capture_output=True, text=True, env=quiet_environment(), check=False, timeout=400)
    assert done.returncode == -signal.SIGKILL, done.stderr
    run = only_run(config)
    assert (run / ".last.ckpt.partial").is_file()
    ocrtune("train", "--resume", run)
    assert_equal_runs(run, uninterrupted)


@pytest.mark.slow
def test_a_run_writes_everything_that_the_interface_names(uninterrupted: Path) -> None:
    names = {path.name for path in uninterrupted.iterdir()}
    assert {
        "config.yaml",
        "log.txt",
        "metrics.csv",
        "best_model.pth",
        "final_model.pth",
        "last.ckpt",
        "bundle",
        "report.html",
    } <= names
    assert any(name.startswith("events.out.tfevents") for name in names)


@pytest.mark.slow
def test_eval_gives_the_figures_of_trainings_last_evaluation(uninterrupted: Path) -> None:
    val = uninterrupted.parents[1] / "val"
    shown = json.loads(ocrtune("eval", uninterrupted, f"icdar:{val}", "--json").stdout)
    best = max(float(row["value"]) for row in read_metrics(uninterrupted / "metrics.csv") if row["name"] == "hmean")
    assert shown["hmean"] == pytest.approx(best, abs=1e-6)
