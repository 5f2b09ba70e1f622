"""Sweeps over a task that trains at once: what is tried, given up, kept, and taken up again."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from torch import Tensor, nn

from ocrtune.config.load import load_config
from ocrtune.config.schema import TrainConfig
from ocrtune.errors import ConfigError, DataError, GateError, Interrupted, UsageError
from ocrtune.workflows.console import Console
from ocrtune.workflows.settings import sweep as sweeping
from ocrtune.workflows.settings.space import Choice, Range, parse_space
from ocrtune.workflows.settings.sweep import SweepRequest, SweepResult, sweep
from support.line_task import LineTask, line_config


@pytest.mark.parametrize(
    ("typed", "searched", "fixed"),
    [
        (["optimizer.lr=1e-4..1e-2"], [Range("optimizer.lr", 1e-4, 1e-2, whole=False)], []),
        (
            ["data.batch_size=4..16", "trainer.seed=3"],
            [Range("data.batch_size", 4, 16, whole=True)],
            ["trainer.seed=3"],
        ),
        (["targets.gap_weight=0,2.5,4,4"], [Choice("targets.gap_weight", ("0", "2.5", "4"))], []),
        (["augment.scale=[0.8,1.2],[1,1]"], [Choice("augment.scale", ("[0.8, 1.2]", "[1, 1]"))], []),
        (["trainer.ema=true,false", "loss.main=dice"], [Choice("trainer.ema", ("true", "false"))], ["loss.main=dice"]),
    ],
)
def test_settings_as_typed(typed: list[str], searched: list[Any], fixed: list[str]) -> None:
    space = parse_space(typed)
    assert space.searched == searched
    assert space.fixed == fixed


def test_wide_ranges_are_searched_by_their_logarithm() -> None:
    assert Range("a", 1e-4, 1e-2, whole=False).log
    assert not Range("a", 0.1, 0.9, whole=False).log
    assert not Range("a", -10, 10, whole=True).log


@pytest.mark.parametrize("typed", [["a"], ["a="], ["=1,2"], ["a=1"], ["a=5..1"], ["a=[1,2"], ["a=1,2", "a=3,4"]])
def test_settings_that_make_no_sense(typed: list[str]) -> None:
    with pytest.raises(UsageError):
        parse_space(typed)


class Runs:
    """Builds the tasks of trials and keeps what they were configured with."""

    def __init__(self) -> None:
        self.configs: list[TrainConfig] = []
        self.stop_at: int | None = None

    def __call__(self, config: TrainConfig, folder: Path, console: Console) -> LineTask:
        if self.stop_at == len(self.configs):
            self.stop_at = None
            raise Interrupted("stopped")
        self.configs.append(config)
        return LineTask(config)

    @property
    def rates(self) -> list[Any]:
        return [config.optimizer.lr for config in self.configs]


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    built = Runs()
    monkeypatch.setattr(sweeping, "prepared_task", built)
    return built


def swept(folder: Path, *typed: str, trials: int = 6, said: list[str] | None = None) -> SweepResult:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(line_config().model_dump(mode="json")), encoding="utf-8")
    lines = said if said is not None else []
    return sweep(SweepRequest(path, parse_space(typed), trials, folder / "swept"), Console(say=lines.append))


def test_all_combinations_and_the_best_of_them(tmp_path: Path, runs: Runs) -> None:
    result = swept(tmp_path, "optimizer.lr=1e-4,0.1", "data.batch_size=2,8", "schedule.steps=20", trials=30)
    assert len(runs.configs) == 4, "no combination twice"
    assert {(c.optimizer.lr, c.data.batch_size) for c in runs.configs} == {(1e-4, 2), (1e-4, 8), (0.1, 2), (0.1, 8)}
    assert {c.schedule.steps for c in runs.configs} == {20}
    best = load_config(result.best).config
    assert best.optimizer.lr == 0.1
    assert best.schedule.steps == 20
    figures = [row.figure for row in result.rows if row.state == "complete"]
    assert figures == sorted(figures, key=lambda f: -(f or 0))
    with result.table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["optimizer.lr"] for row in rows][:2] == ["0.1", "0.1"]
    assert float(rows[0]["hmean"]) == pytest.approx(result.rows[0].figure, abs=1e-6)
    assert (tmp_path / "swept" / "trial_001" / "metrics.csv").is_file()


def test_bad_trials_are_given_up_early(tmp_path: Path, runs: Runs) -> None:
    said: list[str] = []
    rates = ",".join(["0.2", "0.19", "0.18", "0.17", "1e-5", "2e-5", "3e-5"])
    result = swept(tmp_path, f"optimizer.lr={rates}", trials=7, said=said)
    pruned = [row for row in result.rows if row.state == "pruned"]
    assert pruned
    assert all(float(row.values["optimizer.lr"]) < 1e-3 for row in pruned)
    assert any("given up" in line for line in said)
    assert result.rows[-1].state == "pruned"


def test_a_stopped_sweep_goes_on_as_if_it_had_not_been(tmp_path: Path, runs: Runs) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "stopped").mkdir()
    whole = swept(tmp_path / "whole", "optimizer.lr=1e-4..0.5", trials=9)
    rates = runs.rates
    runs.configs.clear()
    runs.stop_at = 7
    with pytest.raises(Interrupted):
        swept(tmp_path / "stopped", "optimizer.lr=1e-4..0.5", trials=9)
    again = swept(tmp_path / "stopped", "optimizer.lr=1e-4..0.5", trials=9)
    assert runs.rates == rates
    assert [(row.values, row.figure, row.state) for row in again.rows] == [
        (row.values, row.figure, row.state) for row in whole.rows
    ]
    before = len(runs.configs)
    assert swept(tmp_path / "stopped", "optimizer.lr=1e-4..0.5", trials=9).rows == again.rows
    assert len(runs.configs) == before, "what is done is not done again"
    with pytest.raises(DataError, match="another search"):
        swept(tmp_path / "stopped", "optimizer.lr=1e-4..0.4", trials=9)


def test_a_trial_that_explodes_is_a_row_and_no_end(tmp_path: Path, runs: Runs) -> None:
    result = swept(tmp_path, "optimizer.lr=0.1,1e20", trials=2)
    assert [row.state for row in result.rows] == ["complete", "failed"]
    assert "not finite" in result.rows[1].reason
    (tmp_path / "all").mkdir()
    with pytest.raises(GateError, match="no trial came to its end"):
        swept(tmp_path / "all", "optimizer.lr=1e19,1e20", trials=2)


def test_values_that_do_not_fit_are_said_before_anything_is_trained(tmp_path: Path, runs: Runs) -> None:
    with pytest.raises(ConfigError):
        swept(tmp_path, "optimizer.lr=0.1,fast")
    with pytest.raises(ConfigError, match="could not be compared"):
        swept(tmp_path, "data.train=a,b")
    assert not runs.configs
    assert not (tmp_path / "swept").exists()


class Endless(LineTask):
    """Fails in its loss after some steps, as a machine that is switched off does."""

    left = 10

    def loss(self, network: nn.Module, batch: Tensor) -> Mapping[str, Tensor]:
        Endless.left -= 1
        if Endless.left == 0:
            raise KeyboardInterrupt
        return super().loss(network, batch)


def test_a_trial_goes_on_from_its_last_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "prepared_task", lambda config, folder, console: Endless(config))
    settings = ("optimizer.lr=0.1,0.2", "trainer.checkpoint_minutes=0")
    with pytest.raises(KeyboardInterrupt):
        swept(tmp_path, *settings, trials=2)
    said: list[str] = []
    result = swept(tmp_path, *settings, trials=2, said=said)
    assert any("resuming at step 9" in line for line in said)
    assert [row.state for row in result.rows] == ["complete", "complete"]
