"""What a run writes while it runs: ``log.txt``, ``metrics.csv`` and TensorBoard events, and lines for the terminal."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TextIO, TypeVar

from ocrtune.files import write_whole
from ocrtune.training.loggers import FigureLogger

if TYPE_CHECKING:
    from ocrtune.training.events import EventFile

LOG, METRICS = "log.txt", "metrics.csv"
COLUMNS = ("step", "epoch", "kind", "name", "value")
_T = TypeVar("_T")


class RunLog:
    """Writes a run's figures; opened again after a resume, it drops what is past the resumed step.

    A place that cannot be written any more, because the disk is full or a service does not answer, is said once and left
    out from then on: a log is no reason to lose a training.

    Args:
        folder: the run folder.
        step: from which step the run goes on; 0 for a new one.
        echo: takes each line of the log, for the terminal.
        loggers: further places for figures; closed with this.
    """

    def __init__(
        self,
        folder: Path,
        step: int = 0,
        echo: Callable[[str], None] = lambda line: None,
        loggers: Sequence[FigureLogger] = (),
    ) -> None:
        self._echo, self._loggers = echo, loggers
        self._lost: set[str] = set()
        self._log = self._kept(LOG, lambda: _line_by_line(folder / LOG))
        self._csv = self._kept(METRICS, lambda: _continued(folder / METRICS, step))
        self._events = self._kept("the TensorBoard file", lambda: _event_file(folder, step))

    def line(self, text: str) -> None:
        """One line with the time of day, in the file and on the terminal."""
        if (log := self._log) is not None:
            self._kept(LOG, lambda: log.write(_stamped(text)))
        self._echo(text)

    def figures(self, step: int, epoch: float, kind: str, figures: Mapping[str, float]) -> None:
        """Figures of a step under ``kind`` (``train`` or ``val``)."""
        rows = [(step, f"{epoch:.4f}", kind, name, repr(float(value))) for name, value in figures.items()]
        named = {f"{kind}/{name}": float(value) for name, value in figures.items()}
        if (file := self._csv) is not None:
            self._kept("metrics.csv", lambda: csv.writer(file).writerows(rows))
        if (events := self._events) is not None:
            self._kept("the TensorBoard file", lambda: events.add(named, step))
        for logger in self._loggers:
            self._kept(logger.name, partial(logger.figures, step, named))

    def close(self, failed: bool = False) -> None:
        """Close every place; ``failed``: the run has not come to its end."""
        for place in (self._log, self._csv, self._events):
            if place is not None:
                with suppress(OSError):  # what could not be written is still waiting in a lost one
                    place.close()
        for logger in self._loggers:
            self._kept(logger.name, partial(logger.close, failed))

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(failed=kind is not None)

    def _kept(self, place: str, act: Callable[[], _T]) -> _T | None:
        """What an act gives; None from the moment on when one of the same place has failed."""
        if place in self._lost:
            return None
        try:
            return act()
        except Exception as error:  # a service's client raises what it likes
            self._lost.add(place)
            self._echo(f"warning: {place} cannot be written any more, the run goes on without it: {error}")
            return None


class SilentLog:
    """Stands for the log where another process of the run keeps it."""

    def line(self, text: str) -> None:
        pass

    def figures(self, step: int, epoch: float, kind: str, figures: Mapping[str, float]) -> None:
        pass

    def __enter__(self) -> SilentLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


def append_line(folder: Path, text: str) -> None:
    """One line with the time of day at the end of a run's log, for what is said outside the loop."""
    with (folder / LOG).open("a", encoding="utf-8") as file:
        file.write(_stamped(text))


def read_metrics(path: Path) -> list[dict[str, str]]:
    """Rows of a ``metrics.csv``; a last line that was cut off by a crash is left out, and so is a missing file."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["value"]]


def _event_file(folder: Path, step: int) -> EventFile:
    from ocrtune.training.events import EventFile  # TensorBoard is not needed where runs are only read

    return EventFile(folder, step)


def _stamped(text: str) -> str:
    return f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n"


def _continued(path: Path, step: int) -> TextIO:
    """``metrics.csv`` with its rows up to a step, to be written on; there is never a moment without them."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(row for row in read_metrics(path) if step and int(row["step"]) <= step)
    write_whole(path, text.getvalue())
    return _line_by_line(path)


def _line_by_line(path: Path) -> TextIO:
    return path.open("a", encoding="utf-8", newline="", buffering=1)
