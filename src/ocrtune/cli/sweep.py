"""``ocrtune sweep``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.options import Config, Json

NAME = "sweep"
EXAMPLES = """Examples:

ocrtune sweep configs/detection.yaml optimizer.lr=3e-4..1e-2 targets.gap_weight=0,2,4 schedule.steps=200

ocrtune sweep configs/recognition.yaml augment.tia=0,0.3 augment.small=0,0.15 --trials 4 --out swept"""


def command(
    config: Config,
    settings: Annotated[
        list[str],
        typer.Argument(
            metavar="KEY=VALUES...",
            help="KEY=A,B,C: a choice; KEY=LOW..HIGH: a range, by its logarithm from a factor of ten on; KEY=VALUE: fixed.",
        ),
    ],
    trials: Annotated[int, typer.Option(min=2, help="Runs; fewer where there are fewer combinations.")] = 20,
    out: Annotated[Path, typer.Option(help="Folder for the runs, the table and the best configuration.")] = Path(
        "swept"
    ),
    json: Json = False,
) -> None:
    """Train with different settings, give up what is far from good, and keep the best configuration.

    Trials are compared on the validation data. Interrupted? Give the same command again: it goes on.
    """
    output = Output(json)
    from ocrtune.cli.extras import need_training
    from ocrtune.errors import need

    need_training()
    need("sweep", "optuna", "sqlalchemy")
    from ocrtune.cli.training_view import workflow_console
    from ocrtune.workflows.settings.space import parse_space
    from ocrtune.workflows.settings.sweep import SweepRequest, sweep

    space = parse_space(settings)
    with workflow_console(output) as console:
        result = sweep(SweepRequest(config, space, trials, out), console)
    keys = [part.key for part in space.searched]
    output.table(
        f"trials by {result.monitor} on the validation data",
        ("trial", *keys, result.monitor, "state", "minutes"),
        [
            (
                row.number,
                *(row.values[key] for key in keys),
                "" if row.figure is None else f"{row.figure:.4f}",
                row.state,
                f"{row.minutes:.1f}",
            )
            for row in result.rows
        ],
    )
    output.say(
        f"The best of {len(result.rows)} was chosen by these data, so that its figure is too high: judge it on others."
    )
    output.say(f"best configuration: {result.best}")
    output.say(f"table: {result.table}")
    output.next(f"ocrtune train {result.best}")
    output.result(result.as_dict())
