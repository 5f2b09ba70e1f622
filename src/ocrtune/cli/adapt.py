"""``ocrtune adapt``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.options import Data, Json

NAME = "adapt"
EXAMPLES = """Examples:

ocrtune adapt receipts/train --val receipts/val --budget 20m

ocrtune adapt icdar:pages --base ppocrv6-small-det --out adapted optimizer.lr=1e-3"""


def command(
    data: Data,
    overrides: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Further settings.")] = None,
    val: Annotated[str | None, typer.Option(help="Pages for the before/after table; never used for fitting.")] = None,
    task: Annotated[str, typer.Option(help="auto or detection.")] = "auto",
    base: Annotated[str, typer.Option(help="Model to start from.")] = "ppocrv4-mobile-det",
    budget: Annotated[str, typer.Option(help="Time for everything: 20m, 90s, 1.5h.")] = "20m",
    out: Annotated[Path | None, typer.Option(help="Folder for the result; default: adapted_<data>.")] = None,
    json: Json = False,
) -> None:
    """Check, split, measure the base, fine-tune, calibrate, export with a gate, report: one command.

    Ends with a before/after table on pages that nothing was fitted to. Exit code 1 when the result is not better than
    the base with the same calibration. Interrupted? Give the same command again: it goes on.
    """
    from ocrtune.errors import UsageError

    if task not in ("auto", "detection"):
        raise UsageError(f"the task '{task}' is not known", where="--task", expected="auto or detection")
    output = Output(json)
    from ocrtune.cli.extras import need_training

    need_training()
    from ocrtune.cli.training_view import workflow_console
    from ocrtune.workflows.adapt import AdaptRequest, adapt_detection
    from ocrtune.workflows.budget import parse_budget

    request = AdaptRequest(
        data, val, base, parse_budget(budget), out or Path(f"adapted_{default_name(data)}"), tuple(overrides or ())
    )
    with workflow_console(output) as console:
        result = adapt_detection(request, console)
    show_result(output, result)
    if not result.better:
        output.warn("the fine-tuned model is not better than the calibrated base; the report says what was found")
        raise typer.Exit(1)


def default_name(data: str) -> str:
    """A folder name from a data specification: the last parts of its path."""
    parts = [
        part for part in Path(data.partition(":")[2] or data).with_suffix("").parts if part not in ("/", ".", "..")
    ]
    return "_".join(parts[-2:]) or "data"


def show_result(output: Output, result) -> None:  # type: ignore[no-untyped-def]
    """The before/after table, the paths, and what to type next."""
    from ocrtune.workflows.train import SCORE_COLUMNS, score_row

    rows = [
        score_row("base as published", result.shipped.score),
        score_row("base, calibrated", result.calibrated.score),
        score_row("fine-tuned, calibrated", result.tuned.score),
    ]
    output.table(f"{result.tuned.score.pages} pages that nothing was fitted to", SCORE_COLUMNS, rows)
    output.say(
        f"{result.error_cut:.0%} of the calibrated base's hmean error is gone, in {result.seconds / 60:.1f} minutes"
    )
    output.say(f"bundle: {result.bundle.path}")
    output.say(f"report: {result.report}")
    output.next(f"ocrtune predict {result.bundle.path} IMAGE_OR_FOLDER --draw drawn")
    output.result(result.as_dict())
