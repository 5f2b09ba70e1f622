"""``ocrtune adapt``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ocrtune.bundle import PARTS
from ocrtune.cli.console import Output
from ocrtune.cli.options import ALL_SIZES, Data, Json, LearningCurve, Sizes, parsed_sizes

if TYPE_CHECKING:
    from ocrtune.workflows.adapt import AdaptRequest, AdaptResult

NAME = "adapt"
TASKS = ("auto", *PARTS, "ocr")
EXAMPLES = """Examples:

ocrtune adapt receipts/train --val receipts/val --budget 20m

ocrtune adapt receipts/train --task detection --anchor photos/labelled

ocrtune adapt paddle:labels.txt --task recognition --budget 20m

ocrtune adapt icdar:pages --task detection --base ppocrv6-small-det --out adapted optimizer.lr=1e-3

ocrtune adapt receipts/labelled --unlabelled receipts/more --task detection

ocrtune adapt receipts/train --task detection --learning-curve 10,25,50,100 --budget 60m"""


def command(
    data: Data,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Further settings; recognition.KEY=VALUE for one stage of ocr."),
    ] = None,
    val: Annotated[str | None, typer.Option(help="Data for the before/after table; never used for fitting.")] = None,
    task: Annotated[
        str, typer.Option(help="auto (what the labels allow), detection, recognition, orientation or ocr.")
    ] = "auto",
    base: Annotated[str | None, typer.Option(help="Model to start from; default: one for the task.")] = None,
    anchor: Annotated[
        str | None,
        typer.Option(help="Data that the base must not get worse on; synth generates some, base:FOLDER labels images."),
    ] = None,
    sizes: Sizes = ALL_SIZES,
    budget: Annotated[str, typer.Option(help="Time for everything: 20m, 90s, 1.5h.")] = "20m",
    out: Annotated[Path | None, typer.Option(help="Folder for the result; default: adapted_<data>.")] = None,
    unlabelled: Annotated[
        list[Path] | None, typer.Option(metavar="IMAGES", help="Images and folders to learn from without labels.")
    ] = None,
    learning_curve: LearningCurve = None,
    json: Json = False,
) -> None:
    """Check, split, measure the base, fine-tune, calibrate, export with a gate, report: one command.

    Ends with a before/after table on data that nothing was fitted to. Exit code 1 when the result is not better than
    the base with the same calibration. Interrupted? Give the same command again: it goes on.
    """
    from ocrtune.errors import UsageError

    if task not in TASKS:
        raise UsageError(f"the task '{task}' is not known", where="--task", expected=", ".join(TASKS))
    output = Output(json)
    from ocrtune.cli.extras import need_training

    need_training()
    from ocrtune.cli.training_view import workflow_console
    from ocrtune.data.formats import read_dataset
    from ocrtune.workflows.adapt import AdaptRequest, adapt, task_of
    from ocrtune.workflows.budget import parse_budget

    chosen = next((name for name in (*PARTS, "ocr") if name == task), None)
    if chosen is None:
        chosen = task_of(read_dataset(data, lambda fault: None, required=False))
        output.say(f"task: {chosen} (what the labels allow; --task chooses another)")
    request = AdaptRequest(
        data,
        val,
        chosen,
        base,
        parse_budget(budget),
        out or Path(f"{'adapted' if learning_curve is None else 'curve'}_{default_name(data)}"),
        tuple(overrides or ()),
        parsed_sizes(sizes),
        anchor,
        unlabelled=tuple(unlabelled or ()),
    )
    if learning_curve is not None:
        _learning_curve(output, request, learning_curve)
        return
    with workflow_console(output) as console:
        result = adapt(request, console)
    show_result(output, result)
    if not result.better:
        output.warn("the result is not better than the base with fitted settings; the report says what was found")
        raise typer.Exit(1)


def _learning_curve(output: Output, request: AdaptRequest, shares: str) -> None:
    from ocrtune.cli.training_view import show_curve, workflow_console
    from ocrtune.errors import UsageError
    from ocrtune.training.learning_curve import parse_shares
    from ocrtune.workflows.adapt.curve import adapt_curve

    if request.unlabelled:
        raise UsageError("a learning curve is about labels alone", hint="leave out --unlabelled or --learning-curve")
    parsed = parse_shares(shares)
    with workflow_console(output) as console:
        result = adapt_curve(request, parsed, console)
    show_curve(output, result)
    output.next(f"ocrtune adapt {request.data} --task {request.task}")


def default_name(data: str) -> str:
    """A folder name from a data specification: the last parts of its path."""
    parts = [
        part for part in Path(data.partition(":")[2] or data).with_suffix("").parts if part not in ("/", ".", "..")
    ]
    return "_".join(parts[-2:]) or "data"


def show_result(output: Output, result: AdaptResult) -> None:
    """The before/after tables, the paths, and what to type next."""
    for table in result.tables:
        output.table(table.title, table.columns, table.rows)
    output.say(result.comparison.sentence() + f" It took {result.seconds / 60:.1f} minutes.")
    for retention in result.retentions:
        tell = output.say if retention.held else output.warn
        tell(retention.sentence())
    output.say(f"bundle: {result.bundle.path}")
    output.say(f"report: {result.report}")
    output.next(f"ocrtune predict {result.bundle.path} IMAGE_OR_FOLDER --draw drawn")
    output.result(result.as_dict())
