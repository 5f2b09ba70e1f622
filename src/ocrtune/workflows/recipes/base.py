"""What the training workflow has to know of a task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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
from ocrtune.task import Evaluation, Task
from ocrtune.training.diagnose import Diagnosis
from ocrtune.training.diagnose.limits import Remains
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


@dataclass(frozen=True)
class StartFigures:
    """The start network on the validation data.

    Attributes:
        figure: the monitored one; None for fresh weights.
        seconds: that measuring it took.
        figures, signs: all of its evaluation; empty for fresh weights.
    """

    figure: float | None
    seconds: float
    figures: Mapping[str, float] = field(default_factory=dict)
    signs: Mapping[str, float] = field(default_factory=dict)


T = TypeVar("T", bound=TrainableTask)
R = TypeVar("R", bound=Result)


class Recipe(ABC, Generic[T, R]):
    """How one task is trained from a configuration to a bundle."""

    columns: Sequence[str]
    """Heads of the columns of `row`, the name's first."""
    unit: str
    """What the validation data are counted in."""
    trained_sample: int
    """How many of the training data are measured after the training, to compare with the validation data."""

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
    def start(self, task: T) -> Evaluation | None:
        """The start network on the validation data; None for fresh weights."""

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
        """What to know about how it was trained, one sentence each."""

    @abstractmethod
    def before(self, task: T, train: Sequence[Page], epochs: float, start: StartFigures) -> list[Diagnosis]:
        """What is wrong with scale, base and texts, seen before a training of so many epochs on these pages."""

    @abstractmethod
    def remains(self, task: T, result: R, pages: Sequence[Page]) -> Remains:
        """What is still wrong on the validation pages."""

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
    trained_sample = 100

    def pages(
        self, pages: list[Page], name: str, folder: Path, bar: Callable[[str, int], Callable[[], None]]
    ) -> list[Page]:
        each = bar(f"cutting lines for {name}", len(pages))
        return as_lines(pages, folder / "lines" / name, each, COUNTED[self.name])

    def start(self, task: T) -> Evaluation | None:
        if task.start.provenance.get("name") == "fresh weights":
            return None
        return task.evaluate(task.network())
