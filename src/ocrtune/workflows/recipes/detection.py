"""How a detector is trained, exported, measured and shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from ocrtune.bundle import Bundle
from ocrtune.config.schema import DetectionConfig, TrainConfig
from ocrtune.detection.evaluate import DetectionResult, evaluate_detector
from ocrtune.detection.model import DBDetector
from ocrtune.detection.task import DetectionTask
from ocrtune.export.bundle import write_detection_bundle
from ocrtune.page import Page
from ocrtune.report.detection import SCORE_COLUMNS, error_table, score_row, worst_pages
from ocrtune.report.figures import precision_recall
from ocrtune.report.html import Picture, Table
from ocrtune.runtime.decode import DetectionThresholds
from ocrtune.runtime.load import load_detector
from ocrtune.workflows.recipes.base import Recipe

GATE_PAGES = 4


class DetectionRecipe(Recipe[DetectionTask, DetectionResult]):
    """DB detection."""

    columns = SCORE_COLUMNS
    unit = "pages"

    def pages(
        self, pages: list[Page], name: str, folder: Path, bar: Callable[[str, int], Callable[[], None]]
    ) -> list[Page]:
        return pages

    def task(
        self, config: TrainConfig, train: Sequence[Page], val: Sequence[Page], progress: Callable[[str], None]
    ) -> DetectionTask:
        assert isinstance(config, DetectionConfig)
        return DetectionTask(config, train, val, progress)

    def start_figure(self, task: DetectionTask) -> float | None:
        return None if task.base_fit is None else task.fit_thresholds(task.start.model).hmean

    def export(
        self,
        task: DetectionTask,
        model: nn.Module,
        details: Mapping[str, Any],
        path: Path,
        gate_pages: Sequence[Page],
        provenance: Mapping[str, Any],
    ) -> Bundle:
        assert isinstance(model, DBDetector)
        return write_detection_bundle(
            path,
            model,
            arch=task.start.arch,
            form=task.start.form,
            preprocess=task.preprocess,
            thresholds=DetectionThresholds.model_validate(details["thresholds"]),
            gate_pages=gate_pages[:GATE_PAGES],
            provenance=provenance,
        )

    def evaluate(
        self, bundle: Bundle, pages: Sequence[Page], task: DetectionTask, each: Callable[[], None]
    ) -> DetectionResult:
        return evaluate_detector(load_detector(bundle), pages, each)

    def notes(self, task: DetectionTask) -> list[str]:
        fit = task.base_fit
        if fit is None:
            return []
        notes = [
            f"The base's maps agree best with a shrink ratio of {fit.shrink_ratio} "
            f"(dice {fit.dice_by_ratio[fit.shrink_ratio]:.3f}); training used {task.config.targets.shrink_ratio}."
        ]
        total = task.config.targets.total_epoch
        if total is not None:
            notes.append(
                f"targets.total_epoch = {total} lets the shrink ratio grow during the run, away from the base's: "
                "the usual reason why a fine-tune ends below its start. Leave it out."
            )
        notes.append(f"The base's logits were divided by {fit.temperature:g}, so that wrong pixels have a gradient.")
        return notes

    def row(self, name: str, result: DetectionResult) -> list[str]:
        return score_row(name, result.score)

    def tables(self, named: Sequence[tuple[str, DetectionResult]], pages: Sequence[Page]) -> list[Table]:
        return [error_table([(name, pages, result) for name, result in named])]

    def figures(self, named: Sequence[tuple[str, DetectionResult]]) -> list[Picture]:
        return [Picture("Precision and recall", precision_recall({name: result.matches for name, result in named}))]

    def worst(self, result: DetectionResult, pages: Sequence[Page]) -> list[Picture]:
        return worst_pages(pages, result)
