"""The loop with a task of a few numbers, so that its arithmetic can be checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from ocrtune.errors import GateError
from ocrtune.training.loop import BEST, Trainer
from support.tiny import Line, config, train


def test_it_learns_the_line(tmp_path: Path) -> None:
    trainer, final = train(tmp_path, Line())
    assert float(final["weight"]) == pytest.approx(3, abs=0.1)
    assert float(final["bias"]) == pytest.approx(-1, abs=0.1)
    assert trainer.state.step == 60


def test_accumulated_batches_equal_a_large_one(tmp_path: Path) -> None:
    large = train(tmp_path / "a", Line(), data={"batch_size": 8}, schedule={"steps": 5})[1]
    accumulated = train(tmp_path / "b", Line(), trainer={"accumulate": 2}, schedule={"steps": 5})[1]
    for name, value in large.items():
        torch.testing.assert_close(accumulated[name], value, atol=1e-6, rtol=1e-5)


def test_frozen_part_does_not_move(tmp_path: Path) -> None:
    _, final = train(tmp_path, Line(), freeze={"backbone_epochs": 100})
    assert float(final["weight"]) == 0
    assert float(final["bias"]) != 0


def test_stops_early_and_keeps_the_best_state(tmp_path: Path) -> None:
    sections: dict[str, Any] = {"early_stopping": {"patience": 2}, "trainer": {"evals": 6}}
    trainer, final = train(tmp_path, Line(answers=[0.5, 0.9, 0.8, 0.7, 0.99]), **sections)
    assert trainer.state.stopped_early
    assert (trainer.state.step, trainer.state.best_step, trainer.state.best) == (40, 20, 0.9)
    best = torch.load(tmp_path / BEST, weights_only=True)
    assert not torch.equal(best["weight"], final["weight"])
    again = Trainer(Line(), config(**sections), tmp_path)
    assert again.run(resume=True).step == 40, "a stopped run stays stopped"


def test_infinite_loss_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GateError, match="not finite"):
        train(tmp_path, Line(), optimizer={"lr": 1e20})
