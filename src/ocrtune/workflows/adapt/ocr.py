"""Adapting a whole pipeline: detection, then recognition, each against its own base; then both together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ocrtune.bundle import Bundle, Manifest, TaskName, save_pipeline
from ocrtune.data.lines import readable
from ocrtune.errors import BundleError
from ocrtune.ocr.evaluate import OcrResult, evaluate_pipeline
from ocrtune.page import Page
from ocrtune.recognition.metric import TextPolicy, compared
from ocrtune.report.html import Picture, Table
from ocrtune.report.ocr import SCORE_COLUMNS, read_pages, score_row
from ocrtune.runtime.load import load_pipeline
from ocrtune.weights.registry import resolve_bundle, resolve_part
from ocrtune.workflows.adapt.stage import Comparison, Stage
from ocrtune.workflows.console import Console

EXAMPLES = 8


@dataclass(frozen=True)
class PipelineOutcome:
    """The pipeline before and after.

    Attributes:
        bundle: the pipeline bundle.
        before, after: end to end on the report pages.
        table: both.
        examples: texts that are read otherwise than before, and some that are not.
        worst: pages with most mistakes, drawn with what was read.
    """

    bundle: Bundle
    before: OcrResult
    after: OcrResult
    table: Table
    examples: Table
    worst: list[Picture]

    @property
    def comparison(self) -> Comparison:
        return Comparison(
            "end-to-end hmean", self.before.end_to_end_hmean, self.after.end_to_end_hmean, f"{self.after.pages} pages"
        )


def join_stages(
    stages: Sequence[Stage],
    base: dict[TaskName, str],
    report: Sequence[Page],
    policy: TextPolicy,
    folder: Path,
    console: Console,
) -> PipelineOutcome:
    """Make the pipeline of the stages' results and compare it with that of their bases.

    A stage that did not get better leaves its base, with fitted settings, in the pipeline.

    Args:
        stages: what was adapted.
        base: bundle, run or registered name of each part of the pipeline to start from.
        report: pages that nothing was fitted to.
        policy: how texts are compared.
        folder: gets ``bundle/``, and the pipeline of the bases for comparison.
        console: where to report to.
    """
    originals = {task: resolve_part(name, task) for task, name in base.items()}
    originals |= {stage.task: stage.fitted_base for stage in stages}
    parts = {**originals, **{stage.task: stage.bundle for stage in stages if stage.comparison.better}}
    before_bundle = save_pipeline(folder / "base", originals, Manifest(task="ocr", provenance={"parts": dict(base)}))
    better = [stage.task for stage in stages if stage.comparison.better]
    manifest = Manifest(task="ocr", provenance={"base": dict(base), "fine_tuned": better})
    bundle = save_pipeline(folder / "bundle", parts, manifest)
    before = evaluate_pipeline(
        load_pipeline(before_bundle), report, policy, console.bar("the base's pipeline", len(report))
    )
    after = evaluate_pipeline(load_pipeline(bundle), report, policy, console.bar("the adapted pipeline", len(report)))
    bundle = bundle.rewritten(folder / "bundle", metrics={"report": after.as_dict(), "base": before.as_dict()})
    table = Table(
        "End to end: found and read",
        SCORE_COLUMNS,
        [score_row("base", before), score_row("adapted", after)],
    )
    return PipelineOutcome(bundle, before, after, table, _examples(report, before, after), read_pages(report, after))


def _examples(report: Sequence[Page], before: OcrResult, after: OcrResult) -> Table:
    """Labelled texts, what the base read and what is read now; mended ones first."""
    mended: list[tuple[str, str, str]] = []
    others: list[tuple[str, str, str]] = []
    for number, page in enumerate(report):
        then, now = (dict(result.matches[number].pairs) for result in (before, after))
        for index, region in enumerate(page.regions):
            if not readable(region) or index not in now:
                continue
            read = after.predictions[number].regions[now[index]].text or ""
            was = before.predictions[number].regions[then[index]].text or "" if index in then else "(not found)"
            label = compared(region.text or "", after.policy)
            better = compared(read, after.policy) == label != compared(was, after.policy)
            (mended if better else others).append((region.text or "", was, read))
    rows = [*_spread(mended, EXAMPLES - 2), *_spread(others, 2)]
    return Table("What is read now", ("labelled", "base", "adapted"), rows)


def _spread(rows: list[tuple[str, str, str]], most: int) -> list[tuple[str, str, str]]:
    """So many rows, from all over the pages."""
    return rows[:: max(1, len(rows) // most)][:most]


def pipeline_bases(name: str | None, defaults: dict[TaskName, str]) -> dict[TaskName, str]:
    """What each stage starts from: the parts of a pipeline that the user named, or the defaults.

    Raises:
        BundleError: the named bundle is no pipeline.
    """
    if name is None:
        return defaults
    bundle = resolve_bundle(name)
    if bundle.manifest.task != "ocr":
        raise BundleError(
            f"'{name}' does {bundle.manifest.task} alone", expected="a pipeline, for example ppocrv6-small"
        )
    return {task: name for task in defaults if bundle.part(task) is not None}
