from __future__ import annotations

import csv
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch

from support.runs import OCRTUNE, ocrtune, quiet_environment, small_config


def only_run(config: Path) -> Path:
    (run,) = (config.parent / "runs").iterdir()
    return run


def start_and_stop(config: Path, kind: signal.Signals, after_steps: int) -> tuple[Path, int, str]:
    """Start a training, send it a signal once so many steps are done, and wait for its end."""
    process = subprocess.Popen(
        [*OCRTUNE, "train", str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=quiet_environment(),
    )
    try:
        deadline = time.monotonic() + 120
        while steps_logged(config) < after_steps:
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(kind)
        output, _ = process.communicate(timeout=120)
    finally:
        process.kill()
    return only_run(config), process.returncode, output


def steps_logged(config: Path) -> int:
    files = list((config.parent / "runs").glob("*/metrics.csv"))
    if not files:
        return 0
    return max((int(row["step"]) for row in rows(files[0]) if row["kind"] == "train"), default=0)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["value"]]


def tensors(run: Path, name: str) -> dict[str, torch.Tensor]:
    return torch.load(run / name, weights_only=True)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = small_config(tmp_path_factory.mktemp("whole"))
    ocrtune("train", config)
    return only_run(config)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGINT])
def test_resumed_run_equals_an_uninterrupted_one(uninterrupted: Path, tmp_path: Path, kind: signal.Signals) -> None:
    config = small_config(tmp_path)
    run, code, output = start_and_stop(config, kind, after_steps=3)
    if kind == signal.SIGINT:
        assert code == 130
        assert f"ocrtune train --resume {run}" in output
    assert not (run / "final_model.pth").exists(), "the signal came too late to test anything"
    ocrtune("train", "--resume", run)
    for name in ("final_model.pth", "best_model.pth"):
        mine, theirs = tensors(run, name), tensors(uninterrupted, name)
        assert mine.keys() == theirs.keys()
        for key, value in mine.items():
            assert torch.equal(value, theirs[key]), (name, key)
    assert rows(run / "metrics.csv") == rows(uninterrupted / "metrics.csv")


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
    import json

    val = uninterrupted.parents[1] / "val"
    shown = json.loads(ocrtune("eval", uninterrupted, f"icdar:{val}", "--json").stdout)
    best = max(float(row["value"]) for row in rows(uninterrupted / "metrics.csv") if row["name"] == "hmean")
    assert shown["hmean"] == pytest.approx(best, abs=1e-6)


@pytest.mark.slow
def test_number_of_workers_changes_nothing(uninterrupted: Path, tmp_path: Path) -> None:
    config = small_config(tmp_path, data={"num_workers": 2})
    ocrtune("train", config)
    mine, theirs = tensors(only_run(config), "final_model.pth"), tensors(uninterrupted, "final_model.pth")
    for key, value in mine.items():
        assert torch.equal(value, theirs[key]), key


@pytest.mark.slow
def test_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    config = small_config(tmp_path)
    run, _, _ = start_and_stop(config, signal.SIGKILL, after_steps=2)
    (run / "last.ckpt").write_bytes(b"cut off")
    done = ocrtune("train", "--resume", run, check=False)
    assert done.returncode == 2
    assert "checkpoint is damaged" in done.stderr
    assert "Traceback" not in done.stderr
