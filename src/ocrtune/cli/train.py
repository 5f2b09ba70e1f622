"""``ocrtune train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.options import Json

NAME = "train"
EXAMPLES = """Examples:

ocrtune train configs/detection.yaml data.train=icdar:pages/train data.val=icdar:pages/val

ocrtune train --resume workdirs/exp_20261121_101500"""


def command(
    config: Annotated[Path | None, typer.Argument(metavar="CONFIG.yaml", help="Configuration file.")] = None,
    overrides: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings that win.")] = None,
    resume: Annotated[Path | None, typer.Option(metavar="RUN", help="Go on with a run, exactly where it was.")] = None,
    sanity: Annotated[
        bool, typer.Option("--sanity", help="See first whether one batch can be learnt by heart; if not, do not train.")
    ] = False,
    json: Json = False,
) -> None:
    """Train from a configuration; writes OUTPUT_DIR/exp_<timestamp> with weights, logs, bundle and report.

    Ctrl-C saves the state and prints the command that goes on; so does kill, and kill -9 loses two minutes at most.
    """
    from ocrtune.errors import UsageError

    if (config is None) == (resume is None):
        raise UsageError("give a configuration file, or --resume RUN", hint="ocrtune train --help")
    if resume is not None and overrides:
        raise UsageError("a resumed run keeps its configuration", hint="start a new run to change settings")
    output = Output(json)
    from ocrtune.cli.extras import need_training
    from ocrtune.config.load import load_config

    loaded = load_config(config, overrides or ()) if config is not None else None
    need_training()
    from ocrtune.cli.training_view import workflow_console
    from ocrtune.workflows.train import new_run_folder, read_run_config, train

    folder = resume if resume is not None else new_run_folder(loaded.config.output_dir if loaded else "")
    settings = (loaded or read_run_config(folder)).config
    output.say(f"run folder: {folder}")
    with workflow_console(output) as console:
        result = train(
            settings,
            folder,
            resume=resume is not None,
            console=console,
            resume_command=f"ocrtune train --resume {folder}",
            sanity=sanity,
        )
    output.table("validation data", result.columns, [result.row])
    for note in result.notes:
        output.say(note)
    output.say(f"bundle: {result.bundle.path}")
    output.say(f"report: {folder / 'report.html'}")
    output.next(f"ocrtune eval {folder} PATH/TO/OTHER/DATA")
    output.result(
        {
            "task": settings.task,
            "run": str(folder),
            "bundle": str(result.bundle.path),
            f"base_{result.monitor}": result.base,
            **result.val.as_dict(),
            "diagnosis": [diagnosis.as_dict() for diagnosis in result.diagnosis],
        }
    )
