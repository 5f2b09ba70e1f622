"""Each fault is injected into a run, and the run lives with it or says what to do."""

from __future__ import annotations

import errno
import math
import os
import resource
import signal
import sys
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ocrtune.cli import main
from ocrtune.config.schema import AugmentConfig, TargetSpec
from ocrtune.data.formats import read_dataset
from ocrtune.data.store_writer import build_store
from ocrtune.detection.samples import DetectionSamples, augmentation
from ocrtune.errors import DataError, GateError, ImageError, Interrupted
from ocrtune.nn.engine import TorchEngine
from ocrtune.page import Page
from ocrtune.runtime.preprocess import DetectionPreprocess
from ocrtune.task import Evaluation, Spread, alone, first_usable
from ocrtune.training import loading
from ocrtune.training.checkpoint import load_checkpoint
from ocrtune.training.loading import loaded_batches
from ocrtune.training.loop import FINAL, LAST, Progress, Trainer
from ocrtune.training.runlog import RunLog, read_metrics
from support.pages import sample_pages
from support.tiny import Line, Mortal, Points, config, train


class Poisoned(Points):
    """One sample of the first epoch is not a number."""

    def sample(self, epoch: int, index: int) -> tuple[float, float]:
        x, y = super().sample(epoch, index)
        return (math.nan, y) if (epoch, index) == (0, 5) else (x, y)


class Root(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.sqrt()


class Rooted(Line):
    """A network whose second layer cannot take what its first one gives at the start."""

    def network(self) -> nn.Module:
        model = nn.Conv2d(1, 1, 1)
        nn.init.constant_(model.weight, -1.0)
        assert model.bias is not None
        nn.init.constant_(model.bias, -2.0)
        return nn.Sequential(OrderedDict(first=model, root=Root()))


class Steep(Line):
    """The loss is finite, its gradient is not."""

    def loss(self, network: nn.Module, batch: Tensor) -> Mapping[str, Tensor]:
        return {"loss": (network.get_parameter("weight").sum() * 0).sqrt()}


class Breaking(Line):
    """In one step the weights are lost."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self._calls, self._at = 0, at

    def loss(self, network: nn.Module, batch: Tensor) -> Mapping[str, Tensor]:
        self._calls += 1
        if self._calls == self._at:
            network.get_parameter("weight").data.fill_(math.inf)
        return super().loss(network, batch)


class Hungry(Line):
    """Asks for more memory than there is where too many samples come at once; the error is the allocator's own."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def loss(self, network: nn.Module, batch: Tensor) -> Mapping[str, Tensor]:
        if len(batch) > self.most:
            torch.empty(1 << 50)
        return super().loss(network, batch)


class Broken(Points):
    """The images of some samples are damaged."""

    def __init__(self, *indices: int) -> None:
        self.indices = indices

    def sample(self, epoch: int, index: int) -> tuple[float, float]:
        if index in self.indices:
            raise ImageError("the file is damaged", where=f"{index}.png")
        return super().sample(epoch, index)


def test_a_poisoned_sample_is_named_and_its_step_left_out(tmp_path: Path) -> None:
    told: list[str] = []
    trainer, final = train(tmp_path, Line(Poisoned()), echo=told.append)
    assert all(value.isfinite().all() for value in final.values())
    assert trainer.state.skipped == 1
    (line,) = [line for line in told if "not finite" in line]
    assert "caused by point 5; the step is left out" in line
    assert "the batch as it was prepared" in line
    assert sum(row["name"] == "lr" for row in read_metrics(tmp_path / "metrics.csv")) == 59


def test_a_step_that_is_left_out_changes_nothing(tmp_path: Path) -> None:
    class Watched(Line):
        def network(self) -> nn.Module:
            return nn.Sequential(nn.BatchNorm2d(1), nn.Dropout(0.5), super().network())

        def evaluate(self, network: nn.Module, spread: Spread = alone) -> Evaluation:
            return Evaluation(0.0, {"hmean": 0.0}, {})

    class AllPoisoned(Points):
        def sample(self, epoch: int, index: int) -> tuple[float, float]:
            return math.nan, 0.0

    trainer = Trainer(Watched(AllPoisoned()), config(schedule={"steps": 3}), tmp_path)
    before = {name: value.clone() for name, value in trainer.evaluated.state_dict().items()}
    rng = torch.get_rng_state()
    trainer.run()
    assert trainer.state.skipped == 3
    for name, value in trainer.evaluated.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert torch.equal(torch.get_rng_state(), rng)


@pytest.mark.parametrize(
    ("task", "says"),
    [
        (
            Rooted(),
            r"the loss is not finite in step 1: loss nan; first not finite: the output of root \(Root\); caused by",
        ),
        (
            Steep(),
            "the gradient is not finite in step 1: loss 0; first not finite: the gradient of weight; in the batch",
        ),
    ],
)
def test_the_first_layer_or_gradient_is_named(task: Line, says: str, tmp_path: Path) -> None:
    with pytest.raises(GateError, match=says) as caught:
        train(tmp_path, task, trainer={"nonfinite": "raise"})
    assert "point " in caught.value.what
    assert "optimizer.lr" in str(caught.value)


def test_skipping_has_an_end(tmp_path: Path) -> None:
    with pytest.raises(GateError, match="5 steps in a row left out before"):
        train(tmp_path, Steep())


def test_broken_weights_are_not_skipped(tmp_path: Path) -> None:
    with pytest.raises(GateError, match="the weights of weight already are not finite") as caught:
        train(tmp_path, Breaking(at=7))
    assert "trainer.nonfinite=rollback" in str(caught.value)


def test_broken_weights_go_back_to_the_last_evaluation(tmp_path: Path) -> None:
    told: list[str] = []
    sections: dict[str, Any] = {"trainer": {"nonfinite": "rollback", "evals": 6, "ema": True}}
    trainer, final = train(tmp_path, Breaking(at=27), echo=told.append, **sections)
    assert (trainer.state.rollbacks, trainer.state.skipped) == (1, 1)
    assert any("go back to the last evaluation, the learning rate is halved" in line for line in told)
    assert float(final["weight"]) == pytest.approx(3, abs=0.3)
    rates = {int(r["step"]): float(r["value"]) for r in read_metrics(tmp_path / "metrics.csv") if r["name"] == "lr"}
    plain = Trainer(Line(), config(), tmp_path)
    assert 27 not in rates, "the step that came to nothing"
    assert rates[26] == pytest.approx(plain._factor(25) * 0.2)
    assert rates[28] == pytest.approx(0.5 * plain._factor(27) * 0.2)


def test_going_back_has_an_end(tmp_path: Path) -> None:
    with pytest.raises(GateError, match="went back 3 times before"):
        train(tmp_path, Steep(), trainer={"nonfinite": "rollback"})


def test_an_evaluation_that_is_no_number_is_the_worst(tmp_path: Path) -> None:
    trainer, _ = train(tmp_path, Line(answers=[math.nan, 0.5, math.nan]), trainer={"evals": 3})
    assert trainer.state.best == 0.5


@pytest.mark.parametrize(("most", "pieces"), [(3, 2), (1, 4)])
def test_out_of_memory_takes_fewer_samples_at_once_and_learns_the_same(most: int, pieces: int, tmp_path: Path) -> None:
    told: list[str] = []
    shape: dict[str, Any] = {"trainer": {"accumulate": 2}, "schedule": {"steps": 20}}
    trainer, small = train(tmp_path / "small", Hungry(most), echo=told.append, **shape)
    _, large = train(tmp_path / "large", Line(), **shape)
    assert trainer.state.pieces == pieces
    assert sum("out of memory" in line for line in told) == {2: 1, 4: 2}[pieces]
    assert f"from here on {4 // pieces} samples at once, {pieces} times for each 4; a step still learns from 8" in (
        " ".join(told)
    )
    for name, value in large.items():
        torch.testing.assert_close(small[name], value, atol=1e-6, rtol=1e-5)


def test_a_single_sample_that_is_too_large_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(GateError, match="too small for a single sample"):
        train(tmp_path, Hungry(0))


def test_out_of_memory_in_validation_runs_halves() -> None:
    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(3, 2, 1)

        def forward(self, x: Tensor) -> Tensor:
            if len(x) > 2:
                torch.empty(1 << 50)
            out: Tensor = self.layer(x)
            return out

    model = Pair()
    batch = np.random.default_rng(0).normal(size=(5, 3, 4, 4)).astype(np.float32)
    with torch.no_grad():
        np.testing.assert_allclose(TorchEngine(model)(batch), model.layer(torch.from_numpy(batch)), atol=1e-6)
    assert model.training


def test_a_validation_page_that_is_too_large_is_an_error(tmp_path: Path) -> None:
    class Large(Line):
        def evaluate(self, network: nn.Module, spread: Spread = alone) -> Evaluation:
            torch.empty(1 << 50)
            raise AssertionError

    with pytest.raises(GateError, match="evaluating") as caught:
        train(tmp_path, Large())
    assert "input.page_size" in str(caught.value)


def test_damaged_images_are_counted_named_and_replaced_by_their_neighbours(tmp_path: Path) -> None:
    class Neighbours(Points):
        """Points 3 and 11 are those that come after them in each epoch's order."""

        def sample(self, epoch: int, index: int) -> tuple[float, float]:
            order = self.order(np.random.default_rng([0, epoch])).tolist()
            while index in (3, 11):
                index = order[(order.index(index) + 1) % len(order)]
            return super().sample(epoch, index)

    told: list[str] = []
    trainer, mine = train(tmp_path / "a", Line(Broken(3, 11)), echo=told.append, data={"max_damaged": 0.125})
    _, theirs = train(tmp_path / "b", Line(Neighbours()))
    assert sorted(trainer.state.damaged) == ["11.png", "3.png"]
    lines = [line for line in told if "damaged image" in line]
    assert len(lines) == 2, "each one is told once"
    assert "2 of at most 2" in lines[1]
    for name, value in theirs.items():
        assert torch.equal(mine[name], value), name


@pytest.mark.parametrize(
    ("samples", "share", "error", "says"),
    [
        (Broken(3, 11), 0.05, DataError, "2 training images are damaged or missing"),
        (Broken(3), 0.0, ImageError, "the file is damaged"),
        (Broken(*range(16)), 0.9, ImageError, "the file is damaged"),
    ],
)
def test_too_many_damaged_images_end_the_run(
    samples: Points, share: float, error: type[Exception], says: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=says) as caught:
        train(tmp_path, Line(samples), data={"max_damaged": share})
    assert ".png" in str(caught.value)


class Views(Line):
    """Views of pages, of which only the images matter here."""

    def __init__(self, pages: list[Page]) -> None:
        super().__init__()
        look = augmentation(AugmentConfig(copy_paste=1.0), DetectionPreprocess(), 64)
        self._views = DetectionSamples(pages, look, TargetSpec(shrink_ratio=0.4), False, seed=0)

    @property
    def samples(self) -> DetectionSamples:  # type: ignore[override]
        return self._views

    def collate(self, samples: Sequence[Any]) -> Tensor:
        return torch.from_numpy(np.stack([sample.image for sample in samples]))


@pytest.mark.parametrize("kind", ["files", "store"])
def test_damaged_files_and_store_entries_are_replaced(kind: str, tmp_path: Path) -> None:
    pages = sample_pages(tmp_path / "files", 4)
    damaged = pages[2].path
    if kind == "files":
        name = str(damaged)
        damaged.write_bytes(damaged.read_bytes()[:40])
    else:
        build_store(pages, tmp_path / "store")
        file = tmp_path / "store" / "data.mdb"
        content, middle = file.read_bytes(), damaged.read_bytes()[5000:5032]
        assert content.count(middle) == 1
        file.write_bytes(content.replace(middle, bytes(32)))
        pages = read_dataset(f"lmdb:{tmp_path / 'store'}")
        name = f"{tmp_path / 'store'}:3"
    loaded = list(loaded_batches(Views(pages), first_batch=0, count=4, batch_size=1, seed=0, num_workers=0))
    assert [error.where for batch in loaded for error in batch.damaged] == [name]
    order = [batch.indices[0] for batch in loaded]
    assert sorted({*order, 2}) == [0, 1, 2, 3]
    assert len(set(order)) == 3, "a neighbour stands in"
    assert len(first_usable(lambda index: pages[index].load(), range(4), 4)) == 3


class Disk:
    """A disk that is full for files of more than 100 bytes, with an error of the system's own."""

    def __init__(self) -> None:
        self._limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, self._limits[1]))

    def free(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._limits)


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    yield disk
    disk.free()


def test_a_disk_that_fills_up_leaves_the_last_checkpoint(tmp_path: Path, disk: Disk) -> None:
    settings = config(trainer={"checkpoint_minutes": 0, "evals": 1})
    trainer = Trainer(Line(), settings, tmp_path, watch=lambda progress: disk.fill() if progress.step == 10 else None)
    with pytest.raises(DataError, match="cannot be written") as caught:
        trainer.run()
    disk.free()
    assert "resume the run" in str(caught.value)
    assert load_checkpoint(tmp_path / LAST)["state"]["step"] == 9
    assert not list(tmp_path.glob("*.partial"))
    assert Trainer(Line(), settings, tmp_path).run(resume=True).step == 60
    whole = train(tmp_path / "whole", Line(), trainer={"evals": 1})[1]
    assert torch.equal(torch.load(tmp_path / FINAL, weights_only=True)["weight"], whole["weight"])


def test_a_full_disk_silences_the_log_and_nothing_else(tmp_path: Path, disk: Disk) -> None:
    told: list[str] = []
    with RunLog(tmp_path, echo=told.append) as log:
        log.figures(1, 0.1, "train", {"loss": 1.0})
        disk.fill()
        for step in range(2, 20):
            log.line(f"step {step}")
            log.figures(step, 0.1, "train", {"loss": 1.0})
    lost = [line for line in told if line.startswith("warning: ")]
    assert len(lost) == 3, lost
    for name in ("log.txt", "metrics.csv", "the TensorBoard file"):
        assert sum(line.startswith(f"warning: {name} cannot be written any more") for line in lost) == 1
    assert told[-1] == "step 19"


def test_a_full_disk_is_no_internal_error_of_any_verb(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "model.onnx")

    monkeypatch.setattr(main, "app", full)
    monkeypatch.setattr(sys, "argv", ["ocrtune", "export"])
    with pytest.raises(SystemExit) as caught:
        main.run()
    assert caught.value.code == 2
    told = capsys.readouterr().err
    assert "no space is left" in told
    assert "model.onnx" in told


def test_another_worker_takes_over_where_one_died(tmp_path: Path) -> None:
    shape: dict[str, Any] = {"first_batch": 0, "count": 4, "batch_size": 4, "seed": 0}
    whole = [batch.batch for batch in loaded_batches(Line(), num_workers=0, **shape)]
    told: list[str] = []
    task = Line(Mortal(tmp_path / "died"))
    mine = [batch.batch for batch in loaded_batches(task, num_workers=1, tell=told.append, **shape)]
    assert (tmp_path / "died").exists()
    assert len(told) == 1
    assert "a process that prepares samples died" in told[0]
    assert all(torch.equal(a, b) for a, b in zip(mine, whole, strict=True))


def test_workers_that_die_again_and_again_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Dying:
        def __iter__(self) -> Iterator[object]:
            raise RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly")

    monkeypatch.setattr(loading, "_loader", lambda *arguments: Dying())
    with pytest.raises(DataError, match="died 3 times") as caught:
        list(loaded_batches(Line(), first_batch=0, count=2, batch_size=4, seed=0, num_workers=4))
    assert "data.num_workers: 0" in str(caught.value)


def test_a_signal_saves_the_state_and_says_how_to_go_on(tmp_path: Path) -> None:
    def watch(progress: Progress) -> None:
        if progress.step == 7:
            os.kill(os.getpid(), signal.SIGTERM)

    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted, match="the state is saved") as caught:
        Trainer(Line(), config(), tmp_path, watch=watch, resume_command="ocrtune train --resume RUN").run()
    assert caught.value.exit_code == 130
    assert "ocrtune train --resume RUN" in str(caught.value)
    assert load_checkpoint(tmp_path / LAST)["state"]["step"] == 7
    assert signal.getsignal(signal.SIGTERM) is handler
