"""``ocrtune demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.options import Json

NAME = "demo"
EXAMPLES = "Example:\n\nocrtune demo --out demo_out --budget 10m"


def command(
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Further settings; recognition.KEY=VALUE for one stage."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for data and result; emptied first if a demo made it.")] = Path(
        "demo_out"
    ),
    budget: Annotated[str, typer.Option(help="Time for everything.")] = "10m",
    pages: Annotated[int, typer.Option(min=24, help="Receipts to learn from.")] = 64,
    json: Json = False,
) -> None:
    """The whole loop on generated receipts: fine-tune, compare, export, report."""
    output = Output(json)
    from ocrtune.cli.extras import need_training

    need_training()
    from ocrtune.cli.adapt import show_result
    from ocrtune.cli.training_view import workflow_console
    from ocrtune.workflows.budget import parse_budget
    from ocrtune.workflows.demo import run_demo

    with workflow_console(output) as console:
        result = run_demo(out, parse_budget(budget), console, overrides or (), pages)
    show_result(output, result)
    if not result.better:
        raise typer.Exit(1)
