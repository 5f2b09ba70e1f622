"""`adapt`: labelled data and a budget in, a model that is measurably better out, with the proof."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ocrtune.bundle import Bundle, TaskName
from ocrtune.config.load import dump_yaml
from ocrtune.data.lines import has_counted, task_of
from ocrtune.errors import BudgetError, DataError, UsageError
from ocrtune.recognition.metric import POLICIES
from ocrtune.report.figures import training_curves
from ocrtune.report.html import Picture, Report, Table, write_report
from ocrtune.runtime.load import load_recognizer
from ocrtune.training.loop import Progress
from ocrtune.training.runlog import METRICS, read_metrics
from ocrtune.weights.registry import resolve_bundle, resolve_part
from ocrtune.workflows.adapt.anchor import check_anchor, with_anchor
from ocrtune.workflows.adapt.detection import BASE as DETECTION_BASE
from ocrtune.workflows.adapt.detection import adapt_detection
from ocrtune.workflows.adapt.job import AdaptRequest, Parts, claim, prepare, upright, write_marker
from ocrtune.workflows.adapt.lines import (
    ORIENTATION_BASE,
    RECOGNITION_BASE,
    adapt_orientation,
    adapt_recognition,
)
from ocrtune.workflows.adapt.ocr import PipelineOutcome, join_stages, pipeline_bases
from ocrtune.workflows.adapt.stage import Comparison, Stage
from ocrtune.workflows.budget import Clock
from ocrtune.workflows.console import Console
from ocrtune.workflows.forgetting import Retention

__all__ = ["AdaptRequest", "AdaptResult", "adapt", "task_of"]

_STAGES: dict[TaskName, Callable[..., Stage]] = {
    "detection": adapt_detection,
    "orientation": adapt_orientation,
    "recognition": adapt_recognition,
}
DEFAULTS: dict[TaskName, str] = {
    "detection": DETECTION_BASE,
    "orientation": ORIENTATION_BASE,
    "recognition": RECOGNITION_BASE,
}
OCR_SHARES: dict[TaskName, float] = {"detection": 0.5, "recognition": 0.9}
"""Share of the time that is left which a stage of a whole pipeline may use."""

_NOTED_EVERY = 20.0  # seconds


@dataclass(frozen=True)
class AdaptResult:
    """What came out.

    Attributes:
        task: what was adapted.
        bundle: the result: a model, or a pipeline.
        report: path of the HTML report.
        stages: one for each model that was trained.
        pipeline: end to end before and after; None for a single model.
        seconds: time used.
    """

    task: TaskName
    bundle: Bundle
    report: Path
    stages: Sequence[Stage]
    pipeline: PipelineOutcome | None
    seconds: float

    @property
    def comparison(self) -> Comparison:
        """The figure that decides."""
        return self.stages[0].comparison if self.pipeline is None else self.pipeline.comparison

    @property
    def better(self) -> bool:
        return self.comparison.better

    @property
    def tables(self) -> list[Table]:
        """Before and after: of each stage, then of the pipeline with some texts; then on the anchor."""
        whole = [] if self.pipeline is None else [self.pipeline.table, self.pipeline.examples]
        anchors = [retention.tables[0] for retention in self.retentions]
        return [*(stage.table for stage in self.stages), *whole, *anchors]

    @property
    def retentions(self) -> list[Retention]:
        """What each stage keeps of its anchor."""
        return [stage.outcome.retention for stage in self.stages if stage.outcome.retention is not None]

    def as_dict(self) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "task": self.task,
            "bundle": str(self.bundle.path),
            "report": str(self.report),
            "error_cut": round(self.comparison.error_cut, 4),
            "seconds": round(self.seconds, 1),
        }
        if self.pipeline is None:
            return {**shown, **self.stages[0].as_dict()}
        return {
            **shown,
            "before": self.pipeline.before.as_dict(),
            "after": self.pipeline.after.as_dict(),
            "stages": {stage.task: stage.as_dict() for stage in self.stages},
        }


def adapt(request: AdaptRequest, console: Console) -> AdaptResult:
    """Check, split, measure the base, fine-tune, calibrate, export with a gate, compare and report.

    Thresholds, early stopping and the choice of the state use pages held out of the training part. The pages of the
    before/after table are used for nothing else.

    Raises:
        DataError: the data cannot be used.
        GateError: the budget or the pages are too few, or the exported file differs from the network.
        Interrupted: the user stopped it; the same command goes on.
        UsageError: images without labels are of no use for the task.
    """
    resumed, earlier = claim(request.out, request)
    clock = Clock.start(request.budget, earlier)
    if resumed:
        console.say(f"the same job began earlier: {earlier / 60:.1f} of {request.budget / 60:.1f} minutes are used")
    try:
        return _adapt(request, _timekeeping(request, console, clock), clock, resumed)
    finally:
        write_marker(request.out, request, clock.used)


def _timekeeping(request: AdaptRequest, console: Console, clock: Clock) -> Console:
    """The console, with the time used noted down while a model is trained: it counts even where the job is killed."""
    noted = clock.used

    def watch(progress: Progress) -> None:
        nonlocal noted
        if clock.used - noted > _NOTED_EVERY:
            noted = clock.used
            write_marker(request.out, request, noted)
        console.watch(progress)

    return replace(console, watch=watch)


def _adapt(request: AdaptRequest, console: Console, clock: Clock, resumed: bool) -> AdaptResult:
    bases = _bases(request)
    check_anchor(request)
    if request.unlabelled and request.task == "orientation":
        raise UsageError("directions are learnt from labelled lines alone", where="--unlabelled")
    parts = prepare(request, console)
    _check_texts(request, parts)
    if request.task != "detection":
        name = RECOGNITION_BASE if request.task == "orientation" else request.base or RECOGNITION_BASE
        reader = load_recognizer(resolve_bundle(name))
        parts = upright(parts, reader, request.task == "orientation", console)
    pipeline = None
    if request.task == "ocr":
        stages = []
        for task, share in OCR_SHARES.items():
            console.say(f"--- {task}")
            time = Clock.start(clock.left * share)
            try:
                stage = _STAGES[task](request, bases[task], parts, request.out / task, time, resumed, console)
                stage = with_anchor(stage, request.out / task, console)
                stages.append(stage)
                if task == "detection":
                    parts = replace(parts, finder=stage.bundle if stage.comparison.better else stage.fitted_base)
            except BudgetError as error:
                if not stages:
                    raise
                console.say(f"{task} stays as the base has it: {error.what}")
        console.say("--- both together")
        policy = next((s.figures_json["fine_tuned"]["text_policy"] for s in stages if s.task == "recognition"), "exact")
        assert policy in POLICIES
        pipeline = join_stages(stages, bases, parts.report, policy, request.out, console)
        bundle = pipeline.bundle
    else:
        stage = _STAGES[request.task](request, bases[request.task], parts, request.out, clock, resumed, console)
        stages = [with_anchor(stage, request.out, console)]
        bundle = stages[0].bundle
    result = AdaptResult(request.task, bundle, request.out / "report.html", stages, pipeline, clock.used)
    _write_report(request, result, parts)
    return result


def _bases(request: AdaptRequest) -> dict[TaskName, str]:
    """What each stage starts from; a base that does something else is refused before any work is done.

    Raises:
        BundleError: the named bundle does not do the task.
    """
    if request.task == "ocr":
        return pipeline_bases(request.base, DEFAULTS)
    name = request.base or DEFAULTS[request.task]
    resolve_part(name, request.task)
    return {request.task: name}


def _check_texts(request: AdaptRequest, parts: Parts) -> None:
    """Say before the work that a part of the data has nothing that the task could use.

    Raises:
        DataError: it has nothing.
    """
    for name, pages in (("train", parts.train), ("held out", parts.holdout), ("report", parts.report)):
        if request.task != "detection" and not has_counted(pages, request.task):
            raise DataError(
                f"no text is labelled in the {name} part of the data, which {request.task} needs",
                where=request.data if name != "report" else request.val or request.data,
                hint="label texts, or adapt the detector alone with --task detection",
            )


def _write_report(request: AdaptRequest, result: AdaptResult, parts: Parts) -> None:
    figures = []
    for stage in result.stages:
        metrics = read_metrics(stage.outcome.folder / METRICS)
        curves = training_curves(metrics, stage.comparison.name, stage.outcome.base)
        figures += [Picture(f"Training: {stage.task}", curves), *stage.figures]
        if stage.outcome.retention is not None:
            figures.append(stage.outcome.retention.picture(metrics))
    report = Report(
        title=f"Adapting {', '.join(stage.base for stage in result.stages)} to {request.data}",
        verdict=result.comparison.sentence(),
        good=result.better,
        tables=[*result.tables, *(table for stage in result.stages for table in stage.tables)],
        notes=[f"{stage.task}: {stage.comparison.sentence()}" for stage in result.stages if result.pipeline]
        + [note for stage in result.stages for note in stage.outcome.notes],
        diagnosis=[diagnosis for stage in result.stages for diagnosis in stage.diagnosis],
        figures=figures,
        data=parts.checks,
        pages=[*(result.pipeline.worst if result.pipeline else []), *(p for s in result.stages for p in s.worst)],
        config="\n".join(dump_yaml(stage.config) for stage in result.stages),
        next_command=f"ocrtune predict {result.bundle.path} IMAGE_OR_FOLDER --draw drawn",
    )
    write_report(report, result.report)
