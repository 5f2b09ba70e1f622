"""Several processes: the result of one, what they agree on, and how they end together."""

from __future__ import annotations

import csv
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch

from ocrtune.config.schema import TrainerConfig
from ocrtune.errors import ConfigError, Interrupted, MissingExtraError, OcrtuneError, ProcessLost
from ocrtune.training.loop import BEST, FINAL, LAST
from ocrtune.training.processes import process_count
from ocrtune.workflows.console import Console
from ocrtune.workflows.launch import launched
from support.curve import STAGES, Accident, fit, fit_all
from support.runs import ocrtune, quiet_environment, small_config

HALF, WHOLE = 4, 8


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two processes with batches of half the size."""
    root = tmp_path_factory.mktemp("two")
    said: list[str] = []
    launched(partial(fit_all, root, batch_size=HALF), 2, Console(say=said.append))
    (root / "said.txt").write_text("\n".join(said))
    return root


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("one")
    fit_all(root, Console(), batch_size=WHOLE)
    return root


def tensors(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)


def figures(run: Path) -> dict[tuple[str, str, str], float]:
    with (run / "metrics.csv").open(newline="") as file:
        return {(row["step"], row["kind"], row["name"]): float(row["value"]) for row in csv.DictReader(file)}


@pytest.mark.parametrize("name", STAGES)
def test_two_processes_equal_one(one: Path, two: Path, name: str) -> None:
    for file in (FINAL, BEST):
        mine, theirs = tensors(two / name / file), tensors(one / name / file)
        assert mine.keys() == theirs.keys()
        for key, value in mine.items():
            torch.testing.assert_close(value, theirs[key], atol=2e-6, rtol=1e-5)
    of_two, of_one = figures(two / name), figures(one / name)
    assert of_two.keys() == of_one.keys()
    assert list(of_two.values()) == pytest.approx(list(of_one.values()), rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("name", STAGES)
def test_each_step_shows_the_same_samples(one: Path, two: Path, name: str) -> None:
    accumulate = 2 if name == "accumulated" else 1

    def steps(*files: Path) -> list[set[str]]:
        logs = [file.read_text().splitlines() for file in files]
        return [
            {key for log in logs for line in log[first : first + accumulate] for key in line.split()}
            for first in range(0, len(logs[0]), accumulate)
        ]

    whole = steps(one / name / "seen_0.txt")
    assert steps(two / name / "seen_0.txt", two / name / "seen_1.txt") == whole
    assert [len(step) for step in whole] == [WHOLE * accumulate] * 12


def test_only_the_first_process_writes_and_speaks(two: Path) -> None:
    names = sorted(path.name.partition(".")[0] for path in (two / "plain").iterdir())
    assert names == ["best_model", "events", "final_model", "last", "log", "metrics", "seen_0", "seen_1"]
    assert (two / "said.txt").read_text().count("training: 12 steps of 16 of 24 samples in 2 processes") == 1
    assert (two / "plain" / "log.txt").read_text().count("done after 12 steps") == 1


def test_normalisation_follows_the_whole_batch(one: Path, two: Path) -> None:
    mine, theirs = tensors(two / "norm" / FINAL), tensors(one / "norm" / FINAL)
    torch.testing.assert_close(mine["1.running_mean"], theirs["1.running_mean"], atol=1e-6, rtol=1e-5)
    assert not torch.equal(mine["1.running_var"], theirs["1.running_var"]), "the variance of parts is another one"


@pytest.mark.parametrize("rank", [0, 1])
def test_what_the_processes_tell_each_other(two: Path, rank: int) -> None:
    assert (two / f"words_{rank}.txt").read_text().splitlines() == [
        "(False, True)",
        "{'loss': 0.5}",
        "[(0, 0), (1, 1), (0, 2), (1, 3), (0, 4)]",
        "from 0",
        "damaged, 0",
        "damaged, 0",
    ]


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize(
    ("accident", "says"),
    [
        ("stop", "Interrupted: {run}: interrupted; the state is saved\n  to do: the same again"),
        ("nan", "GateError: {run}: the loss is not finite in step 3: loss nan"),
        ("image", "ImageError: page 5: the image is damaged"),
    ],
)
def test_what_happens_to_one_process_is_said_to_all(two: Path, accident: str, says: str, rank: int) -> None:
    told = (two / f"{accident}_{rank}.txt").read_text()
    assert told.startswith(says.format(run=two / accident))


def test_resumed_run_of_two_processes_equals_an_uninterrupted_one(two: Path) -> None:
    for file in (FINAL, BEST):
        theirs = tensors(two / "plain" / file)
        for key, value in tensors(two / "stop" / file).items():
            assert torch.equal(value, theirs[key]), (file, key)
    assert figures(two / "stop") == figures(two / "plain")
    assert "resuming at step 5" in (two / "said.txt").read_text()


def test_another_number_of_processes_cannot_resume(two: Path) -> None:
    with pytest.raises(ConfigError, match="trained by 2 processes, and now there are 1") as caught:
        fit(two / "plain", Console(), resume=True)
    assert caught.value.hint == f"torchrun --nproc-per-node 2 -m ocrtune train --resume {two / 'plain'}"


def test_gpus_that_are_not_there_are_missed() -> None:
    with pytest.raises(MissingExtraError, match="2 processes need a GPU each, and this machine has 0") as caught:
        process_count(TrainerConfig(num_gpus=2))
    assert "trainer.num_gpus=0 trainer.num_processes=2" in str(caught.value)
    assert process_count(TrainerConfig(num_processes=3)) == 3
    assert process_count(TrainerConfig()) == 1


@pytest.fixture(scope="module")
def in_two_parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector's run folder: one process, whose steps add up the gradients of two batches."""
    folder = tmp_path_factory.mktemp("parts")
    ocrtune("train", detector(folder), "trainer.accumulate=2")
    return only_run(folder)


def detector(folder: Path) -> Path:
    return small_config(folder, schedule={"steps": 2, "warmup_epochs": 0})


def only_run(folder: Path) -> Path:
    (run,) = (folder / "runs").iterdir()
    return run


@pytest.mark.slow
@pytest.mark.parametrize("by", ["ocrtune", "torchrun"])
def test_a_detector_in_two_processes_equals_two_parts_a_step(tmp_path: Path, in_two_parts: Path, by: str) -> None:
    config = detector(tmp_path)
    if by == "ocrtune":
        shown = ocrtune("train", config, "trainer.num_processes=2").stdout
    else:
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        command = [*torchrun, "-m", "ocrtune", "train", str(config)]
        done = subprocess.run(command, capture_output=True, text=True, env=quiet_environment(), check=False)
        assert done.returncode == 0, done.stderr
        shown = done.stdout
    run = only_run(tmp_path)
    assert shown.count("run folder: ") == shown.count("step 2/2 ") == shown.count("report: ") == 1
    assert (run / "report.html").is_file()
    for file in (FINAL, BEST):
        mine, theirs = tensors(run / file), tensors(in_two_parts / file)
        for key, value in mine.items():
            torch.testing.assert_close(value, theirs[key], atol=2e-5, rtol=1e-4)
    of_two, of_one = figures(run), figures(in_two_parts)
    assert of_two.keys() == of_one.keys()
    assert list(of_two.values()) == pytest.approx(list(of_one.values()), rel=1e-3, abs=1e-5)


@pytest.mark.parametrize(
    ("accident", "error", "says"),
    [
        ("kill", ProcessLost, "process 1 (of 0 to 1) was ended by SIGKILL; the others were stopped"),
        ("stop", Interrupted, "interrupted; the state is saved"),
    ],
)
def test_the_end_of_one_process_ends_all(tmp_path: Path, accident: str, error: type[OcrtuneError], says: str) -> None:
    with pytest.raises(error) as caught:
        launched(partial(fit, tmp_path, task={"accident": Accident(accident, 3)}), 2, Console())
    assert says in str(caught.value)
    assert (tmp_path / LAST).exists() == (accident == "stop")
    assert not (tmp_path / FINAL).exists()
