"""MLflow and Weights & Biases, the real libraries writing to files."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ocrtune.errors import ConfigError, MissingExtraError
from ocrtune.training import loggers
from ocrtune.training.loop import Progress, Trainer
from ocrtune.training.runlog import RunLog
from ocrtune.workflows.train import train as train_workflow
from support.tiny import Line, config

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Both services write below a folder and call nobody."""
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    yield tmp_path
    while mlflow.active_run() is not None:
        mlflow.end_run()


class Stopped(BaseException):
    pass


def test_a_resumed_run_goes_on_in_the_same_mlflow_run(offline: Path) -> None:
    import mlflow

    settings = config(schedule={"steps": 6}, trainer={"loggers": ["mlflow"], "checkpoint_minutes": 0, "evals": 2})

    def stop(progress: Progress) -> None:
        if progress.step == 4:
            raise Stopped

    folder = offline / "exp_1"
    folder.mkdir()
    with pytest.raises(Stopped):
        Trainer(Line(), settings, folder, watch=stop).run()
    Trainer(Line(), settings, folder).run(resume=True)
    client = mlflow.MlflowClient()
    (run,) = client.search_runs(["0"])
    assert run.info.run_name == "exp_1"
    assert run.info.status == "FINISHED"
    assert run.data.params["optimizer.lr"] == "0.2"
    assert {point.step for point in client.get_metric_history(run.info.run_id, "train/loss")} == set(range(1, 7))
    assert {point.step for point in client.get_metric_history(run.info.run_id, "val/hmean")} == {3, 6}


def test_weights_and_biases_gets_every_figure(offline: Path) -> None:
    import wandb

    folder = offline / "exp_2"
    folder.mkdir()
    Trainer(Line(), config(schedule={"steps": 3}, trainer={"loggers": ["wandb"]}), folder).run()
    wandb.teardown()  # what it does at the end of the process: it writes the last of its buffers
    (record,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    content = record.read_bytes()
    for name in (b"train/loss", b"train/lr", b"val/hmean", b"exp_2", b"optimizer.weight_decay"):
        assert name in content


@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_a_missing_package_is_said_before_any_work(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: None if module == name else found(module))
    with pytest.raises(MissingExtraError) as caught:
        train_workflow(config(data={"train": "nowhere"}, trainer={"loggers": [name]}), tmp_path)
    assert caught.value.exit_code == 3
    assert f"pip install 'ocrtune[{name}]'" in str(caught.value)


def test_a_service_that_cannot_be_started_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(loggers.MLflowLogger):
        def __init__(self, folder: Path, known: str | None, settings: Mapping[str, object]) -> None:
            raise ConnectionError("no route to host")

    monkeypatch.setitem(loggers._KINDS, "mlflow", Closed)
    with pytest.raises(ConfigError, match="mlflow cannot be started: no route to host"):
        Trainer(Line(), config(trainer={"loggers": ["mlflow"]}), tmp_path).run()


def test_a_service_that_fails_later_is_left_out(tmp_path: Path) -> None:
    class Failing:
        name = "MLflow"
        calls = 0

        def figures(self, step: int, figures: Mapping[str, float]) -> None:
            self.calls += 1
            raise ConnectionError("no route to host")

        def close(self, failed: bool) -> None:
            raise AssertionError("it was left out")

    told: list[str] = []
    failing = Failing()
    with RunLog(tmp_path, echo=told.append, loggers=[failing]) as log:
        for step in (1, 2, 3):
            log.figures(step, 0.1, "train", {"loss": 1.0})
    assert failing.calls == 1
    assert [line for line in told if "MLflow" in line] == [
        "warning: MLflow cannot be written any more, the run goes on without it: no route to host"
    ]
    assert len((tmp_path / "metrics.csv").read_text(encoding="utf-8").splitlines()) == 4
