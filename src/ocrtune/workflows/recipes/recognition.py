"""How a recogniser is trained, exported, measured and shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from ocrtune.bundle import Bundle
from ocrtune.config.schema import RecognitionConfig, TrainConfig
from ocrtune.data.lines import readable
from ocrtune.export.lines import write_recognition_bundle
from ocrtune.page import Page
from ocrtune.recognition.evaluate import evaluate_recognizer
from ocrtune.recognition.metric import RecognitionResult
from ocrtune.recognition.model import CTCRecognizer
from ocrtune.recognition.task import RecognitionTask
from ocrtune.report.html import Picture, Table
from ocrtune.report.lines import (
    SCORE_COLUMNS,
    breakdown_table,
    confusion_table,
    risk_coverage,
    score_row,
    worst_lines,
)
from ocrtune.runtime.load import load_recognizer
from ocrtune.training.diagnose import Diagnosis, before
from ocrtune.training.diagnose.limits import Remains, recognition_remains
from ocrtune.workflows.recipes.base import LineRecipe, StartFigures


class RecognitionRecipe(LineRecipe[RecognitionTask, RecognitionResult]):
    """CTC recognition."""

    name = "recognition"
    columns = SCORE_COLUMNS

    def task(
        self, config: TrainConfig, train: Sequence[Page], val: Sequence[Page], progress: Callable[[str], None]
    ) -> RecognitionTask:
        assert isinstance(config, RecognitionConfig)
        return RecognitionTask(config, train, val, progress)

    def export(
        self,
        task: RecognitionTask,
        model: nn.Module,
        details: Mapping[str, Any],
        path: Path,
        gate_pages: Sequence[Page],
        provenance: Mapping[str, Any],
    ) -> Bundle:
        assert isinstance(model, CTCRecognizer)
        return write_recognition_bundle(
            path,
            model,
            arch=task.start.arch,
            form=task.start.form,
            preprocess=task.preprocess,
            charset=task.charset,
            policy=task.policy,
            val=gate_pages,
            provenance=provenance,
        )

    def evaluate(
        self, bundle: Bundle, pages: Sequence[Page], task: RecognitionTask, each: Callable[[], None]
    ) -> RecognitionResult:
        return RecognitionResult.of(evaluate_recognizer(load_recognizer(bundle), pages, each), task.policy)

    def notes(self, task: RecognitionTask) -> list[str]:
        if task.policy == "exact":
            return []
        return [f"Lines are compared with the policy '{task.policy}', because labels and images differ in case."]

    def before(
        self, task: RecognitionTask, train: Sequence[Page], epochs: float, start: StartFigures
    ) -> list[Diagnosis]:
        data = task.config.train_data
        texts = [region.text or "" for page in train for region in page.regions if readable(region)]
        found = list(before.characters(task.plan, texts, task.check, data))
        found += before.line_scale([min(line.size()) for line in task.check.lines])
        return found + list(before.dictionary_order(start.figures, start.signs, data) if start.figures else ())

    def remains(self, task: RecognitionTask, result: RecognitionResult, pages: Sequence[Page]) -> Remains:
        return recognition_remains(pages, result)

    def row(self, name: str, result: RecognitionResult) -> list[str]:
        return score_row(name, result.score)

    def tables(self, named: Sequence[tuple[str, RecognitionResult]], pages: Sequence[Page]) -> list[Table]:
        policy = named[-1][1].score.policy
        lines = [(name, result.lines) for name, result in named]
        return [breakdown_table(lines, policy), confusion_table(lines, policy)]

    def figures(self, named: Sequence[tuple[str, RecognitionResult]]) -> list[Picture]:
        policy = named[-1][1].score.policy
        return [Picture("Risk and coverage", risk_coverage([(name, r.lines) for name, r in named], policy))]

    def worst(self, result: RecognitionResult, pages: Sequence[Page]) -> list[Picture]:
        return worst_lines(pages, result.lines, result.score.policy)
