"""Trainings that the page starts: each is ``ocrtune adapt`` as a job in a folder of its own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ocrtune.errors import UsageError
from ocrtune.webui.background import JOB, Job
from ocrtune.webui.workspace import Workspace

State = Literal["running", "finished", "stopped", "failed"]
RESULT, REPORT = "result", "report.html"
_ASKED_TO_STOP = (130, 143)
"""Exit statuses of a training that saved its state, and of one that had none yet."""


@dataclass(frozen=True)
class Training:
    """A training and where its files are.

    Attributes:
        job: the process; its folder, ``workdirs/exp_<timestamp>``, holds the result.
    """

    job: Job

    @classmethod
    def start(cls, workspace: Workspace, arguments: Sequence[str]) -> Training:
        """Start ``ocrtune adapt ARGUMENTS`` in a new folder.

        Raises:
            UsageError: no folder can be made.
        """
        stamp = time.strftime("exp_%Y%m%d_%H%M%S")
        for attempt in range(1, 100):
            folder = workspace.outputs / (stamp if attempt == 1 else f"{stamp}_{attempt}")
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                continue
            except OSError as error:
                raise UsageError(f"the folder cannot be made: {error.strerror}", where=folder) from error
            return cls(Job.start(folder, ("adapt", *arguments, "--out", str(folder / RESULT))))
        raise UsageError("no free name for a training's folder", where=workspace.outputs)

    @classmethod
    def all(cls, workspace: Workspace) -> list[Training]:
        """Every training of the page: those that run first, then the newest."""
        jobs = (Job.find(path.parent) for path in workspace.outputs.glob(f"*/{JOB}"))
        found = [cls(job) for job in jobs if job is not None and job.arguments[:1] == ("adapt",)]
        return sorted(found, key=lambda training: (not training.job.running, -training.job.created))

    @classmethod
    def named(cls, workspace: Workspace, name: str | None) -> Training | None:
        """The training with a folder's name."""
        return next((training for training in cls.all(workspace) if training.name == name), None)

    @property
    def name(self) -> str:
        return self.job.folder.name

    @property
    def result(self) -> Path:
        """What ``ocrtune adapt`` writes."""
        return self.job.folder / RESULT

    @property
    def state(self) -> State:
        if self.job.running:
            return "running"
        if (self.result / REPORT).is_file():
            return "finished"
        code = self.job.exit_code
        return "stopped" if code is None or code in _ASKED_TO_STOP else "failed"

    @property
    def error(self) -> str:
        """What ended a failed training: what, where, what was expected, what to do."""
        lines = self.job.output(400).splitlines()
        begins = [number for number, line in enumerate(lines) if line.startswith("error:")]
        return "\n".join(lines[begins[-1] :] if begins else lines[-12:])

    def resume(self) -> None:
        """Go on from where it was stopped.

        Raises:
            UsageError: it runs already, or has come to its end.
        """
        if self.state == "finished":
            raise UsageError("the training is finished", where=self.name, hint="start a new one")
        Job.start(self.job.folder, self.job.arguments)
