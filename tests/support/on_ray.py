"""``python -m support.on_ray FOLDER``: what `tests/scale` looks at, done on one cluster of this machine.

In a process of its own, because a cluster starts slowly, and because Ray leaves warnings behind that are none of ours.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from ocrtune.config.load import load_config
from ocrtune.errors import OcrtuneError
from ocrtune.page import Page
from ocrtune.scale.batch import Batch, read_batch
from ocrtune.scale.cluster import LOCAL, cluster
from ocrtune.scale.train import launched_on_ray
from ocrtune.workflows.console import Console
from ocrtune.workflows.train import Job
from support.runs import small_config


def job(folder: Path, *overrides: str) -> Job:
    """A training of two steps of 2 samples a part, prepared as `ocrtune train` would."""
    run = folder / "run"
    run.mkdir(parents=True)
    config = small_config(folder, schedule={"steps": 2, "warmup_epochs": 0})
    return Job(load_config(config, overrides).config, run, resume=False, resume_command="the same again")


def batch(folder: Path) -> Batch:
    """The images of a folder, two a file."""
    pages = [Page(file, name=str(file)) for file in sorted(folder.glob("*.png"))]
    return Batch("ppocrv4-mobile-det", pages, folder / "read", size=2)


def main(folder: Path) -> None:
    said: list[str] = []
    counted: list[int] = []
    with cluster(LOCAL, cores=3):
        state = launched_on_ray(job(folder / "two", "trainer.num_processes=2"), Console(say=said.append), LOCAL)
        try:
            wild = job(folder / "wild", "trainer.num_processes=2", "trainer.nonfinite=raise", "optimizer.lr=1e30")
            launched_on_ray(wild, Console(), LOCAL)
        except OcrtuneError as error:
            fault = error.as_dict()
        count = read_batch(batch(folder / "images"), LOCAL, lambda: counted.append(1))
    result = {
        "said": said,
        "state": vars(state),
        "fault": fault,
        "batch": {**asdict(count), "counted": len(counted)},
    }
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
