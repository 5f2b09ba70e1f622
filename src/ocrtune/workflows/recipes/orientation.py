"""How a direction classifier is trained, exported, measured and shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from ocrtune.bundle import Bundle
from ocrtune.config.schema import OrientationConfig, TrainConfig
from ocrtune.errors import GateError
from ocrtune.export.lines import write_orientation_bundle
from ocrtune.orientation.evaluate import evaluate_orientation
from ocrtune.orientation.metric import OrientationResult
from ocrtune.orientation.model import LineClassifier
from ocrtune.orientation.task import OrientationTask
from ocrtune.page import Page
from ocrtune.report.html import Picture, Table
from ocrtune.runtime.load import load_orientation
from ocrtune.runtime.orientation import OrientationThresholds
from ocrtune.training.diagnose import Diagnosis
from ocrtune.training.diagnose.limits import Remains, orientation_remains
from ocrtune.workflows.recipes.base import LineRecipe, StartFigures


class OrientationRecipe(LineRecipe[OrientationTask, OrientationResult]):
    """Direction classification."""

    name = "orientation"
    columns = ("", "lines", "accuracy", "upright right", "upright wrong", "turned wrong", "turned right", "threshold")

    def task(
        self, config: TrainConfig, train: Sequence[Page], val: Sequence[Page], progress: Callable[[str], None]
    ) -> OrientationTask:
        assert isinstance(config, OrientationConfig)
        return OrientationTask(config, train, val, progress)

    def export(
        self,
        task: OrientationTask,
        model: nn.Module,
        details: Mapping[str, Any],
        path: Path,
        gate_pages: Sequence[Page],
        provenance: Mapping[str, Any],
    ) -> Bundle:
        assert isinstance(model, LineClassifier)
        if details.get("collapsed") is not None:
            raise GateError(
                f"the classifier has collapsed: it calls every line {details['collapsed']} degrees",
                expected="both directions",
                hint="look whether labels start at the text's own top left, and lower the learning rate",
                code="direction-collapse",
                evidence={"called_turned": float(details["collapsed"] != 0)},
            )
        return write_orientation_bundle(
            path,
            model,
            arch=task.start.arch,
            form=task.start.form,
            preprocess=task.preprocess,
            thresholds=OrientationThresholds.model_validate(details["thresholds"]),
            val=gate_pages,
            provenance=provenance,
        )

    def evaluate(
        self, bundle: Bundle, pages: Sequence[Page], task: OrientationTask, each: Callable[[], None]
    ) -> OrientationResult:
        return evaluate_orientation(load_orientation(bundle), pages, each)

    def notes(self, task: OrientationTask) -> list[str]:
        return ["Each line is shown upright and turned over, equally often, with the same changes."]

    def before(
        self, task: OrientationTask, train: Sequence[Page], epochs: float, start: StartFigures
    ) -> list[Diagnosis]:
        return []

    def remains(self, task: OrientationTask, result: OrientationResult, pages: Sequence[Page]) -> Remains:
        return orientation_remains(result)

    def row(self, name: str, result: OrientationResult) -> list[str]:
        counts = [str(count) for line in result.confusion for count in line]
        return [name, str(result.lines), f"{result.accuracy:.4f}", *counts, f"{result.threshold:.3f}"]

    def tables(self, named: Sequence[tuple[str, OrientationResult]], pages: Sequence[Page]) -> list[Table]:
        return []

    def figures(self, named: Sequence[tuple[str, OrientationResult]]) -> list[Picture]:
        return []

    def worst(self, result: OrientationResult, pages: Sequence[Page]) -> list[Picture]:
        return []
