"""What a run writes while it runs: ``log.txt``, ``metrics.csv`` and TensorBoard events, and lines for the terminal."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

LOG, METRICS = "log.txt", "metrics.csv"
COLUMNS = ("step", "epoch", "kind", "name", "value")


class RunLog:
    """Writes a run's figures; opened again after a resume, it drops what is past the resumed step.

    Args:
        folder: the run folder.
        step: from which step the run goes on; 0 for a new one.
        echo: takes each line of the log, for the terminal.
    """

    def __init__(self, folder: Path, step: int = 0, echo: Callable[[str], None] = lambda line: None) -> None:
        self._echo = echo
        self._log = (folder / LOG).open("a", encoding="utf-8")
        path = folder / METRICS
        rows = [row for row in read_metrics(path) if int(row["step"]) <= step] if step and path.is_file() else []
        self._csv = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.DictWriter(self._csv, COLUMNS)
        self._writer.writeheader()
        self._writer.writerows(rows)
        self._events = _event_writer(folder, step)

    def line(self, text: str) -> None:
        """One line with the time of day, in the file and on the terminal."""
        self._log.write(_stamped(text))
        self._log.flush()
        self._echo(text)

    def figures(self, step: int, epoch: float, kind: str, figures: Mapping[str, float]) -> None:
        """Figures of a step under ``kind`` (``train`` or ``val``)."""
        for name, value in figures.items():
            row = {"step": step, "epoch": f"{epoch:.4f}", "kind": kind, "name": name, "value": repr(float(value))}
            self._writer.writerow(row)
            self._events.add_scalar(f"{kind}/{name}", value, step)
        self._csv.flush()

    def close(self) -> None:
        self._log.close()
        self._csv.close()
        self._events.close()

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def append_line(folder: Path, text: str) -> None:
    """One line with the time of day at the end of a run's log, for what is said outside the loop."""
    with (folder / LOG).open("a", encoding="utf-8") as file:
        file.write(_stamped(text))


def read_metrics(path: Path) -> list[dict[str, str]]:
    """Rows of a ``metrics.csv``; a last line that was cut off by a crash is left out."""
    with path.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["value"]]


def _stamped(text: str) -> str:
    return f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n"


def _event_writer(folder: Path, step: int) -> SummaryWriter:
    from torch.utils.tensorboard import SummaryWriter  # here, because importing it takes a second

    return SummaryWriter(str(folder), purge_step=step + 1 if step else None)
