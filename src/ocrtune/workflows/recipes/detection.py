"""How a detector is trained, exported, measured and shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from ocrtune.bundle import Bundle
from ocrtune.config.schema import DetectionConfig, TrainConfig
from ocrtune.data.lines import MAX_FIT_LINES, spread_sample
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
from ocrtune.task import Evaluation
from ocrtune.training.diagnose import Diagnosis, before
from ocrtune.training.diagnose.limits import Remains, detection_remains, text_heights
from ocrtune.workflows.recipes.base import Recipe, StartFigures

GATE_PAGES = 4


class DetectionRecipe(Recipe[DetectionTask, DetectionResult]):
    """DB detection."""

    columns = SCORE_COLUMNS
    unit = "pages"
    trained_sample = 6

    def pages(
        self, pages: list[Page], name: str, folder: Path, bar: Callable[[str, int], Callable[[], None]]
    ) -> list[Page]:
        return pages

    def task(
        self, config: TrainConfig, train: Sequence[Page], val: Sequence[Page], progress: Callable[[str], None]
    ) -> DetectionTask:
        assert isinstance(config, DetectionConfig)
        return DetectionTask(config, train, val, progress)

    def start(self, task: DetectionTask) -> Evaluation | None:
        return None if task.base_fit is None else task.evaluate(task.start.model)

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
        return [
            f"The base's maps agree best with a shrink ratio of {fit.shrink_ratio} "
            f"(dice {fit.dice_by_ratio[fit.shrink_ratio]:.3f}); training used {task.config.targets.shrink_ratio}.",
            f"The base's logits were divided by {fit.temperature:g}, so that wrong pixels have a gradient.",
        ]

    def before(self, task: DetectionTask, train: Sequence[Page], epochs: float, start: StartFigures) -> list[Diagnosis]:
        config = task.config
        heights = [
            height
            for page in spread_sample(train, MAX_FIT_LINES)
            for region, height in zip(page.regions, text_heights(page, task.preprocess), strict=True)
            if not region.ignore
        ]
        found = list(before.page_scale(heights, task.preprocess.size, config.input.view_size))
        if task.base_fit is not None:
            found += before.ratio(task.base_fit, config.targets, epochs)
        return found

    def remains(self, task: DetectionTask, result: DetectionResult, pages: Sequence[Page]) -> Remains:
        return detection_remains(pages, result, task.preprocess)

    def row(self, name: str, result: DetectionResult) -> list[str]:
        return score_row(name, result.score)

    def tables(self, named: Sequence[tuple[str, DetectionResult]], pages: Sequence[Page]) -> list[Table]:
        return [error_table([(name, pages, result) for name, result in named])]

    def figures(self, named: Sequence[tuple[str, DetectionResult]]) -> list[Picture]:
        return [Picture("Precision and recall", precision_recall({name: result.matches for name, result in named}))]

    def worst(self, result: DetectionResult, pages: Sequence[Page]) -> list[Picture]:
        return worst_pages(pages, result)
