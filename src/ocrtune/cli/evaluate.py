"""``ocrtune eval``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.options import BundleArg, Data, EngineArg, Json, chosen_engine, described_dataset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocrtune.bundle import Bundle
    from ocrtune.page import Page
    from ocrtune.recognition.metric import LineResult, TextPolicy
    from ocrtune.runtime.engines import EngineName

NAME = "eval"
EXAMPLES = """Examples:

ocrtune eval adapted/bundle icdar:receipts/val

ocrtune eval ppocrv6-small-rec paddle:val_label.txt --text-policy ignore-case

ocrtune eval ppocrv4-mobile icdar:receipts/val --json"""


def command(
    bundle: BundleArg,
    data: Data,
    text_policy: Annotated[
        str,
        typer.Option(
            help="What is no difference between texts: auto (as the labels allow), exact, ignore-case, ignore-space, "
            "ignore-case-space."
        ),
    ] = "auto",
    engine: EngineArg = "onnxruntime",
    json: Json = False,
) -> None:
    """Measure a bundle on labelled data, on the exported file, with its own settings.

    What is measured follows from the bundle: finding (detection), reading along the labels (recognition), direction, or
    all of it end to end (ocr).
    """
    from ocrtune.data.formats import read_dataset
    from ocrtune.data.lines import has_counted
    from ocrtune.errors import DataError, UsageError
    from ocrtune.recognition.metric import POLICIES
    from ocrtune.weights.registry import resolve_bundle

    if text_policy not in ("auto", *POLICIES):
        raise UsageError(f"'{text_policy}' is no text policy", where="--text-policy", expected=", ".join(POLICIES))
    runs_on = chosen_engine(engine)
    output = Output(json)
    dataset = described_dataset(data, output)
    resolved = resolve_bundle(bundle)
    pages = read_dataset(dataset)
    if resolved.manifest.task != "detection" and not has_counted(pages, resolved.manifest.task):
        raise DataError("no text that counts is labelled", where=dataset, expected="labelled texts")
    task = resolved.manifest.task
    measure = {"detection": _detection, "recognition": _recognition, "orientation": _orientation, "ocr": _ocr}[task]
    output.result({"task": task, **measure(output, resolved, pages, runs_on, text_policy)})
    published = resolved.manifest.provenance.get("name") == bundle
    output.next(f"ocrtune adapt {data} --task {task}" if published else f"ocrtune predict {bundle} IMAGES")


def _detection(output: Output, bundle: Bundle, pages: list[Page], engine: EngineName, policy: str) -> dict[str, object]:
    from ocrtune.detection.evaluate import evaluate_detector
    from ocrtune.report.detection import SCORE_COLUMNS, score_row
    from ocrtune.runtime.load import load_detector

    detector = load_detector(bundle, engine=engine)
    with output.bar("pages", len(pages)) as each:
        score = evaluate_detector(detector, pages, each).score
    output.table(f"{bundle.path.name} on {score.pages} pages", SCORE_COLUMNS[1:], [score_row("", score)[1:]])
    settings = {**detector.thresholds.model_dump(), "preprocess": detector.preprocess.model_dump(mode="json")}
    return {**score.as_dict(), "thresholds": settings}


def _recognition(
    output: Output, bundle: Bundle, pages: list[Page], engine: EngineName, policy: str
) -> dict[str, object]:
    from ocrtune.recognition.evaluate import evaluate_recognizer
    from ocrtune.recognition.metric import score_lines
    from ocrtune.report.lines import SCORE_COLUMNS, score_row
    from ocrtune.runtime.load import load_recognizer

    with output.bar("pages", len(pages)) as each:
        lines = evaluate_recognizer(load_recognizer(bundle, engine=engine), pages, each)
    score = score_lines(lines, chosen_policy(output, policy, lines))
    output.table(f"{bundle.path.name} on {score.lines} lines", SCORE_COLUMNS[1:], [score_row("", score)[1:]])
    return score.as_dict()


def _orientation(
    output: Output, bundle: Bundle, pages: list[Page], engine: EngineName, policy: str
) -> dict[str, object]:
    from ocrtune.orientation.evaluate import evaluate_orientation
    from ocrtune.runtime.load import load_orientation

    with output.bar("pages", len(pages)) as each:
        result = evaluate_orientation(load_orientation(bundle, engine=engine), pages, each)
    (a, b), (c, d) = result.confusion
    columns = ("accuracy", "upright right", "upright wrong", "turned wrong", "turned right")
    output.table(
        f"{bundle.path.name} on {result.lines} lines, half of them turned over",
        columns,
        [(f"{result.accuracy:.4f}", a, b, c, d)],
    )
    if result.collapsed is not None:
        output.warn(f"the classifier calls every line {result.collapsed} degrees")
    return result.as_dict()


def _ocr(output: Output, bundle: Bundle, pages: list[Page], engine: EngineName, policy: str) -> dict[str, object]:
    from ocrtune.ocr.evaluate import paired_lines, read_all, score_readings
    from ocrtune.report.ocr import SCORE_COLUMNS, score_row
    from ocrtune.runtime.load import load_pipeline

    with output.bar("pages", len(pages)) as each:
        predictions, matches = read_all(load_pipeline(bundle, engine=engine), pages, each)
    lines = paired_lines(pages, predictions, matches)
    result = score_readings(pages, predictions, matches, chosen_policy(output, policy, lines))
    output.table(f"{bundle.path.name} end to end", SCORE_COLUMNS[1:], [score_row("", result)[1:]])
    return result.as_dict()


def chosen_policy(output: Output, policy: str, lines: Sequence[LineResult]) -> TextPolicy:
    """The policy that the user named, or the one that the labels allow, which is then said."""
    from ocrtune.recognition.metric import POLICIES, suitable_policy

    for known in POLICIES:
        if policy == known:
            return known
    found = suitable_policy(lines)
    if found != "exact":
        output.say(
            "the labels are in one case while the images are not: compared without case (--text-policy exact compares "
            "as labelled)"
        )
    return found
