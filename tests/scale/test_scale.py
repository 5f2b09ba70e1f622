"""Training and batch reading on a Ray cluster of this machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch

from ocrtune.config.load import load_config
from ocrtune.errors import GateError, MissingExtraError, UsageError
from ocrtune.page import Page
from ocrtune.scale.batch import Batch, read_batch
from ocrtune.scale.cluster import LOCAL, cluster
from ocrtune.scale.train import launched_on_ray, workers
from ocrtune.training.loop import FINAL
from ocrtune.workflows.console import Console
from ocrtune.workflows.train import Job, take_part
from support.runs import small_config, small_dataset


@pytest.fixture(scope="module")
def on_ray() -> Iterator[None]:
    with cluster(LOCAL, cores=3):
        yield


def job(folder: Path, *overrides: str) -> Job:
    folder.mkdir(exist_ok=True)
    config = small_config(folder, schedule={"steps": 2, "warmup_epochs": 0})
    run = folder / "run"
    run.mkdir()
    return Job(load_config(config, overrides).config, run, resume=False, resume_command="the same again")


@pytest.mark.slow
def test_two_workers_train_what_one_process_trains_with_two_parts_a_step(tmp_path: Path, on_ray: None) -> None:
    two, one = job(tmp_path / "two", "trainer.num_processes=2"), job(tmp_path / "one", "trainer.accumulate=2")
    said: list[str] = []
    state = launched_on_ray(two, Console(say=said.append), LOCAL)
    assert state == take_part(one, Console())
    assert "2 steps of 4 of 6 samples in 2 processes" in said[0]
    theirs = torch.load(one.folder / FINAL, weights_only=True)
    for name, value in torch.load(two.folder / FINAL, weights_only=True).items():
        torch.testing.assert_close(value, theirs[name], atol=2e-5, rtol=1e-4)


@pytest.mark.slow
def test_what_a_worker_raises_reaches_the_user(tmp_path: Path, on_ray: None) -> None:
    with pytest.raises(GateError, match="loss is not finite"):
        launched_on_ray(job(tmp_path, "trainer.num_processes=2", "optimizer.lr=1e30"), Console(), LOCAL)


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    """Four images, the third one damaged, two a file."""
    small_dataset(tmp_path / "data", 4)
    files = sorted((tmp_path / "data").rglob("*.jpg")) or sorted((tmp_path / "data").rglob("*.png"))
    files[2].write_bytes(b"no image")
    pages = [Page(file, name=str(file)) for file in files]
    return Batch("ppocrv4-mobile-det", pages, tmp_path / "read", size=2)


@pytest.mark.slow
def test_a_batch_goes_on_where_it_ended(batch: Batch, on_ray: None) -> None:
    assert batch.left() == [0, 1]
    done = json.dumps({"image": "a.jpg", "regions": [1, 2, 3]}) + "\n"
    batch.file(0).write_text(done)
    assert batch.left() == [1]
    counted: list[None] = []
    count = read_batch(batch, LOCAL, partial(counted.append, None))
    assert len(counted) == 4
    assert batch.file(0).read_text() == done, "what is read is not read again"
    found = [json.loads(line) for line in batch.file(1).read_text().splitlines()]
    assert found[0]["image"] == batch.pages[3].name
    assert found[1].keys() == {"image", "error"}
    assert (count.pages, count.texts) == (2, 3 + len(found[0]["regions"]))
    assert count.errors[0].startswith(batch.pages[2].name)
    assert batch.left() == []


def test_a_folder_belongs_to_one_batch(batch: Batch) -> None:
    batch.left()
    other = Batch(batch.bundle, batch.pages[:3], batch.folder, batch.size)
    with pytest.raises(UsageError, match="a batch of other pages or of another model was begun here"):
        other.left()


def test_the_number_of_workers_has_to_be_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not say how many workers"):
        workers(job(tmp_path).config.trainer)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError) as caught, cluster(LOCAL, cores=1):
        pass
    assert caught.value.hint == "pip install 'ocrtune[scale]'"
    assert caught.value.exit_code == 3


def test_no_cluster_at_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    def refuse(*arguments: object, **options: object) -> None:
        raise ConnectionError("Failed to connect to GCS")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", refuse)
    with (
        pytest.raises(UsageError, match="no Ray cluster answers: Failed to connect"),
        cluster("10.0.0.1:6379", cores=1),
    ):
        pass
