"""Training and batch reading on a Ray cluster of this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from ocrtune.errors import MissingExtraError, UsageError
from ocrtune.scale.batch import Batch
from ocrtune.scale.cluster import LOCAL, cluster
from ocrtune.scale.train import workers
from ocrtune.training.loop import FINAL
from ocrtune.workflows.console import Console
from ocrtune.workflows.train import take_part
from support.on_ray import batch, job
from support.runs import quiet_environment, small_dataset

READ = json.dumps({"image": "a.png", "regions": [1, 2, 3]}) + "\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four images, the third one damaged; the first two are read already."""
    root = tmp_path_factory.mktemp("ray")
    small_dataset(root / "images", 4)
    for image in (root / "images").rglob("*.png"):
        image.rename(root / "images" / image.name)
    begun = batch(root / "images")
    Path(begun.pages[2].name).write_bytes(b"no image")
    assert begun.left() == [0, 1]
    begun.file(0).write_text(READ)
    return root


@pytest.fixture(scope="module")
def on_ray(folder: Path) -> dict[str, Any]:
    """What a process of its own did on a cluster."""
    command = [sys.executable, "-m", "support.on_ray", str(folder)]
    place = Path(__file__).parents[1]
    done = subprocess.run(command, capture_output=True, text=True, cwd=place, env=quiet_environment(), check=False)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "result.json").read_text())


@pytest.mark.slow
def test_two_workers_train_what_one_process_trains_in_two_parts_a_step(
    tmp_path: Path, folder: Path, on_ray: dict[str, Any]
) -> None:
    one = job(tmp_path / "one", "trainer.accumulate=2")
    state, theirs_state = vars(take_part(one, Console())), on_ray["state"]
    assert state.pop("loss") == pytest.approx(theirs_state.pop("loss"), abs=1e-5)
    assert state.pop("evaluation_seconds") > 0 < theirs_state.pop("evaluation_seconds")
    assert state == theirs_state
    assert "2 steps of 4 of 6 samples in 2 processes" in on_ray["said"][0]
    theirs = torch.load(one.folder / FINAL, weights_only=True)
    for name, value in torch.load(folder / "two" / "run" / FINAL, weights_only=True).items():
        torch.testing.assert_close(value, theirs[name], atol=2e-5, rtol=1e-4)


@pytest.mark.slow
def test_what_a_worker_raises_reaches_the_user(on_ray: dict[str, Any]) -> None:
    assert on_ray["fault"]["error"] == "GateError"
    assert on_ray["fault"]["what"].startswith("the loss is not finite in step")


@pytest.mark.slow
def test_a_batch_goes_on_where_it_ended(folder: Path, on_ray: dict[str, Any]) -> None:
    done = batch(folder / "images")
    assert done.left() == []
    assert done.file(0).read_text() == READ, "what is read is not read again"
    found, damaged = map(json.loads, done.file(1).read_text().splitlines())
    assert found["image"] == done.pages[3].name
    assert damaged == {"image": done.pages[2].name, "error": damaged["error"]}
    assert on_ray["batch"] == {
        "pages": 2,
        "texts": 3 + len(found["regions"]),
        "errors": [f"{damaged['image']}: {damaged['error']}"],
        "counted": 4,
    }


def test_a_folder_belongs_to_one_batch(folder: Path) -> None:
    begun = batch(folder / "images")
    with pytest.raises(UsageError, match="a batch of other pages or of another model was begun here"):
        Batch(begun.bundle, begun.pages[:3], begun.folder, begun.size).left()


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

    monkeypatch.setattr(ray, "init", refuse)
    with (
        pytest.raises(UsageError, match="no Ray cluster answers: Failed to connect"),
        cluster("10.0.0.1:6379", cores=1),
    ):
        pass
