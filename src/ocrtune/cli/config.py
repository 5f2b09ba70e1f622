"""``ocrtune config``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.options import Json

NAME = "config"
app = typer.Typer(help="Training configurations: show, check.", no_args_is_help=True, rich_markup_mode=None)
File = Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="Configuration file.")]
Overrides = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings that win.")]


@app.command("show", epilog="Example:\n\nocrtune config show configs/detection.yaml optimizer.lr=1e-3")
def show(file: File, overrides: Overrides = None, json: Json = False) -> None:
    """Show every value, where it came from, and what it means."""
    from ocrtune.config.load import load_config

    output = Output(json)
    loaded = load_config(file, overrides or ())
    rows = list(loaded.rows())
    output.table(str(file), ("key", "value", "from", "meaning"), rows)
    output.result({key: {"value": value, "from": origin} for key, value, origin, _ in rows})
    output.next(f"ocrtune train {file}")


@app.command("check")
def check(file: File, overrides: Overrides = None, json: Json = False) -> None:
    """Refuse unknown keys and values that do not fit; nothing is trained."""
    from ocrtune.config.load import load_config

    output = Output(json)
    load_config(file, overrides or ())
    output.say(f"{file}: correct")
    output.result({"file": str(file), "correct": True})
    output.next(f"ocrtune train {file}")
