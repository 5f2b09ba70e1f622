"""What the training workflow has to know of a task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from torch import nn

from ocrtune.bundle import Bundle
from ocrtune.config.schema import TrainConfig
from ocrtune.data.lines import COUNTED, as_lines
from ocrtune.page import Page
from ocrtune.report.html import Picture, Table
from ocrtune.task import Task
from ocrtune.weights.network import Network


class TrainableTask(Task, Protocol):
    """A task that knows where it starts from."""

    @property
    def config(self) -> TrainConfig:
        """With every ``auto`` that depends on the data replaced."""
        ...

    @property
    def start(self) -> Network[Any]:
        """Network and weights that training starts from."""
        ...


class Result(Protocol):
    """A model measured on labelled data."""

    @property
    def figure(self) -> float:
        """The monitored figure."""
        ...

    def as_dict(self) -> dict[str, Any]:
        """The interface's JSON object of ``eval``, without ``task``."""
        ...

    def tallies(self) -> npt.NDArray[np.float64]:
        """What was right and what there was, page by page, float64 [pages, 2]: the figure is the one sum over the other."""
        ...


T = TypeVar("T", bound=TrainableTask)
R = TypeVar("R", bound=Result)


class Recipe(ABC, Generic[T, R]):
    """How one task is trained from a configuration to a bundle."""

    columns: Sequence[str]
    """Heads of the columns of `row`, the name's first."""
    unit: str
    """What the validation data are counted in."""

    @abstractmethod
    def pages(
        self, pages: list[Page], name: str, folder: Path, bar: Callable[[str, int], Callable[[], None]]
    ) -> list[Page]:
        """Pages in the form that the task is trained on; ``name`` is their part of the data, ``folder`` the run's."""

    @abstractmethod
    def task(
        self, config: TrainConfig, train: Sequence[Page], val: Sequence[Page], progress: Callable[[str], None]
    ) -> T:
        """The task for a configuration."""

    @abstractmethod
    def start_figure(self, task: T) -> float | None:
        """The start network's monitored figure on the validation data; None for fresh weights."""

    @abstractmethod
    def export(
        self,
        task: T,
        model: nn.Module,
        details: Mapping[str, Any],
        path: Path,
        gate_pages: Sequence[Page],
        provenance: Mapping[str, Any],
    ) -> Bundle:
        """The bundle of a trained network, exported through the gate."""

    @abstractmethod
    def evaluate(self, bundle: Bundle, pages: Sequence[Page], task: T, each: Callable[[], None]) -> R:
        """Measure the exported file."""

    @abstractmethod
    def notes(self, task: T) -> list[str]:
        """What was found out before training, one sentence each."""

    @abstractmethod
    def row(self, name: str, result: R) -> list[str]:
        """A line of a table of results."""

    @abstractmethod
    def tables(self, named: Sequence[tuple[str, R]], pages: Sequence[Page]) -> list[Table]:
        """Further tables of a report: mistakes by kind."""

    @abstractmethod
    def figures(self, named: Sequence[tuple[str, R]]) -> list[Picture]:
        """Curves of a report."""

    @abstractmethod
    def worst(self, result: R, pages: Sequence[Page]) -> list[Picture]:
        """What went worst, drawn."""


class LineRecipe(Recipe[T, R]):
    """What models of text lines share: pages are cut into the lines that the task counts."""

    name: str
    """The task's."""
    unit = "lines"

    def pages(
        self, pages: list[Page], name: str, folder: Path, bar: Callable[[str, int], Callable[[], None]]
    ) -> list[Page]:
        each = bar(f"cutting lines for {name}", len(pages))
        return as_lines(pages, folder / "lines" / name, each, COUNTED[self.name])

    def start_figure(self, task: T) -> float | None:
        if task.start.provenance.get("name") == "fresh weights":
            return None
        return task.evaluate(task.network()).monitor
