"""Where a training stands, read from the files that it writes."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from ocrtune.bundle import MANIFEST
from ocrtune.training.diagnose.record import FILE as DIAGNOSIS
from ocrtune.training.runlog import LOG, METRICS, read_metrics
from ocrtune.webui.trainings import REPORT
from ocrtune.webui.workspace import CONFIG

Phase = Literal["check", "base", "train", "export", "calibrate", "report", "done"]
PHASES: tuple[Phase, ...] = ("check", "base", "train", "export", "calibrate", "report")
_BEGINS = re.compile(r"^(\S+ \S+) (?:training|resuming at step (\d+)): (\d+) steps", re.MULTILINE)
_STANDS = re.compile(r" step (\d+)/(\d+) ", re.MULTILINE)


@dataclass(frozen=True)
class Steps:
    """How far a training's steps are.

    Attributes:
        done, total: steps.
        seconds_left: at the speed so far; None before the first steps.
    """

    done: int
    total: int
    seconds_left: float | None


@dataclass(frozen=True)
class Stage:
    """One model of a training: the run folder that it trains in.

    Attributes:
        folder: of the stage, or a plain run's.
        runs: where in it runs may be, the real one first; others come before it.
    """

    folder: Path
    runs: tuple[str, ...] = ("run", "teacher/run", "scout/run")

    @cached_property
    def run(self) -> Path:
        """Of the real training, or of a first one that comes before it and is at work."""
        choices = [self.folder / name for name in self.runs]
        return next((choice for choice in choices if (choice / CONFIG).is_file()), choices[0])

    @property
    def phase(self) -> Phase:
        ends: tuple[tuple[Phase, Path], ...] = (
            ("base", self.run / CONFIG),
            ("train", self.folder / "run" / "final_model.pth"),
            ("export", self.folder / "run" / "bundle" / MANIFEST),
            ("calibrate", self.folder / "bundle" / MANIFEST),
        )
        return next((phase for phase, path in ends if not path.is_file()), "report")

    @cached_property
    def metrics(self) -> list[dict[str, str]]:
        """Rows of its ``metrics.csv``."""
        return read_metrics(self.run / METRICS)

    @cached_property
    def _baseline(self) -> dict[str, Any]:
        return _json(self.run / "baseline.json")

    @property
    def monitor(self) -> str:
        """The figure that decides."""
        return "accuracy" if "accuracy" in self._baseline else "hmean"

    @property
    def base(self) -> float | None:
        """That figure of the base on the validation data."""
        return self._baseline.get(self.monitor)

    @property
    def diagnoses(self) -> list[dict[str, Any]]:
        """What was found wrong, the gravest first."""
        return list(_json(self.run / DIAGNOSIS).get("diagnosis", []))

    def steps(self) -> Steps | None:
        """How far it is; None before it begins."""
        try:
            log = (self.run / LOG).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        begins = list(_BEGINS.finditer(log))
        if not begins:
            return None
        started, first, total = begins[-1].groups()
        stands = _STANDS.findall(log)
        total = int(stands[-1][1]) if stands and int(stands[-1][1]) < int(total) else int(total)  # it was cut short
        done = max((int(row["step"]) for row in self.metrics if row["kind"] == "train"), default=0)
        fresh = done - int(first or 0)
        if fresh < 1:
            return Steps(done, total, None)
        seconds = time.time() - time.mktime(time.strptime(started, "%Y-%m-%d %H:%M:%S"))
        return Steps(done, total, seconds / fresh * (total - done))


def stages(result: Path) -> list[Stage]:
    """The models of a training, in the order in which they are trained."""
    parts = [Stage(result / task) for task in ("detection", "recognition") if (result / task).is_dir()]
    return parts or [Stage(result)]


def phase(result: Path) -> Phase:
    """What a training is at."""
    if (result / REPORT).is_file():
        return "done"
    if not (result / "data" / "train.json").is_file():
        return "check"
    return stages(result)[-1].phase


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
