"""What becomes of the time that a user gave, without any training."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ocrtune.config.load import dump_yaml
from ocrtune.config.schema import TrainConfig
from ocrtune.training.loop import LAST, Progress
from ocrtune.workflows.adapt import _timekeeping, stage
from ocrtune.workflows.adapt.job import AdaptRequest, Parts, claim
from ocrtune.workflows.budget import MIN_STEPS, Clock, seconds_per_step
from ocrtune.workflows.console import Console
from ocrtune.workflows.train import CONFIG
from support.tiny import Line, config


def request(out: Path, *overrides: str) -> AdaptRequest:
    return AdaptRequest("data", None, "detection", None, 600.0, out, overrides)


def test_time_used_before_counts() -> None:
    clock = Clock.start(600, used=200)
    assert 200 <= clock.used < 300
    assert 300 < clock.left <= 400


class Aged(Clock):
    """A clock by which more time has gone by."""

    age = 0.0

    @property
    def used(self) -> float:
        return super().used + self.age


def test_a_job_that_is_killed_while_it_trains_has_noted_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    assert claim(out, request(out)) == (False, 0.0)
    (out / "run").mkdir()
    seen: list[int] = []
    clock = Aged.start(600)
    console = _timekeeping(request(out), Console(watch=lambda progress: seen.append(progress.step)), clock)
    console.watch(Progress(1, 9, 0.0, 0.0, None, None))
    assert claim(out, request(out)) == (True, 0.0), "nothing to note yet"
    monkeypatch.setattr(Aged, "age", 180.0)
    console.watch(Progress(2, 9, 0.0, 0.0, None, None))
    assert seen == [1, 2]
    begun, used = claim(out, request(out))
    assert begun
    assert 180 <= used < 300


@pytest.mark.parametrize(
    ("steps", "overrides", "limited"),
    [
        (100, (), True),
        (100, ("schedule.steps=100",), False),
        (100, ("schedule.epochs=9",), False),
        (MIN_STEPS, (), False),
    ],
)
def test_a_resumed_stage_trains_until_the_rest_of_its_time_is_used(
    steps: int, overrides: tuple[str, ...], limited: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: dict[str, Any] = {}

    def train(config: TrainConfig, folder: Path, **arguments: Any) -> None:
        called.update(arguments, steps=config.schedule.steps)

    monkeypatch.setattr(stage, "train", train)
    run = tmp_path / "run"
    run.mkdir()
    (run / CONFIG).write_text(dump_yaml(config(schedule={"steps": steps})), encoding="utf-8")
    (run / LAST).touch()
    parts = Parts([], [], [], tmp_path, tmp_path, [])
    before = time.monotonic()
    stage.training_run({}, request(tmp_path, *overrides), "base", parts, tmp_path, 300.0, True, Console())
    assert called["resume"]
    assert called["steps"] == steps
    if limited:
        assert before + 300 <= called["deadline"] <= time.monotonic() + 300
    else:
        assert called["deadline"] is None


def test_chosen_epochs_are_trained_whatever_the_budget(tmp_path: Path) -> None:
    parts = Parts([], [], [], tmp_path / "train.json", tmp_path / "holdout.json", [])
    chosen = request(tmp_path, "schedule.epochs=9")
    planned = stage.planned_config({"task": "detection"}, chosen, "ppocrv4-mobile-det", parts, tmp_path, 1.0, Console())
    assert (planned.schedule.epochs, planned.schedule.steps) == (9, None)


def test_a_step_is_timed_in_the_pieces_that_fit_into_memory() -> None:
    class Hungry(Line):
        largest = 0

        def loss(self, network: nn.Module, batch: Tensor) -> Mapping[str, Tensor]:
            if len(batch) > 2:
                torch.empty(1 << 50)
            self.largest = max(self.largest, len(batch))
            return super().loss(network, batch)

    task = Hungry()
    assert seconds_per_step(task, config()) > 0
    assert task.largest == 2


def test_timing_steps_ends_early_on_a_slow_machine() -> None:
    class Counted(Line):
        steps = 0

        def loss(self, network: nn.Module, batch: Tensor) -> Mapping[str, Tensor]:
            self.steps += 1
            return super().loss(network, batch)

    patient, hurried = Counted(), Counted()
    seconds_per_step(patient, config())
    assert seconds_per_step(hurried, config(), patience=0.0) > 0
    assert hurried.steps < patient.steps
