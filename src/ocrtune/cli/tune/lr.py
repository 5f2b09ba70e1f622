"""``ocrtune tune lr``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.options import Config, Json, Overrides, train_command

NAME = "lr"
EXAMPLES = """Example:

ocrtune tune lr configs/detection.yaml data.train=icdar:pages/train data.val=icdar:pages/val"""


def command(
    config: Config,
    overrides: Overrides = None,
    steps: Annotated[int, typer.Option(min=20, help="Steps from the lowest to the highest rate.")] = 100,
    out: Annotated[Path, typer.Option(help="Folder for lr.png and lr.json.")] = Path("tuned"),
    json: Json = False,
) -> None:
    """Find a learning rate: train a copy of the start network with a growing one, and see where the loss falls.

    The range test of Smith (2017). No run is touched; the suggestion is printed, drawn and written as JSON.
    """
    output = Output(json)
    from ocrtune.cli.extras import need_training
    from ocrtune.config.load import load_config

    settings = load_config(config, overrides or ()).config
    need_training()
    from ocrtune.cli.training_view import workflow_console
    from ocrtune.workflows.settings.lr import tune_lr

    with workflow_console(output) as console:
        result = tune_lr(settings, steps, out, console)
    output.say(result.found.sentence())
    output.say(f"figure: {result.figure}")
    output.say(f"figures as JSON: {result.json}")
    output.result({"figure": str(result.figure), **result.found.as_dict()})
    if result.found.suggested is None:
        raise typer.Exit(1)
    output.next(train_command(config, overrides, result.found.settings))
