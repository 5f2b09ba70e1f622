"""``ocrtune train``."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.options import Json

NAME = "train"
EXAMPLES = """Examples:

ocrtune train configs/detection.yaml data.train=icdar:pages/train data.val=icdar:pages/val

ocrtune train --resume workdirs/exp_20261121_101500

ocrtune train configs/detection.yaml trainer.num_gpus=4

ocrtune train configs/detection.yaml trainer.num_gpus=16 --ray 10.0.0.1:6379"""


def command(
    config: Annotated[Path | None, typer.Argument(metavar="CONFIG.yaml", help="Configuration file.")] = None,
    overrides: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings that win.")] = None,
    resume: Annotated[Path | None, typer.Option(metavar="RUN", help="Go on with a run, exactly where it was.")] = None,
    ray: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Train on the Ray cluster at HOST:PORT, auto or local.")
    ] = None,
    json: Json = False,
) -> None:
    """Train from a configuration; writes OUTPUT_DIR/exp_<timestamp> with weights, logs, bundle and report.

    Ctrl-C saves the state and prints the command that goes on; so does kill, and kill -9 loses two minutes at most.
    """
    from ocrtune.errors import OcrtuneError, ProcessLost, UsageError

    if (config is None) == (resume is None):
        raise UsageError("give a configuration file, or --resume RUN", hint="ocrtune train --help")
    if resume is not None and overrides:
        raise UsageError("a resumed run keeps its configuration", hint="start a new run to change settings")
    output = Output(json)
    if "RANK" in os.environ:  # torchrun; torch would print warnings for each process
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    from ocrtune.cli.extras import need_training
    from ocrtune.config.load import load_config

    loaded = load_config(config, overrides or ()) if config is not None else None
    need_training()
    if ray is not None:
        from ocrtune.scale.cluster import need_ray

        need_ray()
    from ocrtune.cli.training_view import workflow_console
    from ocrtune.training.processes import join
    from ocrtune.workflows.train import follow, new_run_folder, read_run_config, train

    if not join().first:
        try:
            follow()
        except ProcessLost:
            raise
        except OcrtuneError as error:
            raise typer.Exit(error.exit_code) from error  # the first process tells it
        return
    settings = loaded.config if loaded is not None else read_run_config(resume or Path()).config
    launcher = None
    if ray is not None:
        from ocrtune.scale.train import launched_on_ray, workers

        workers(settings.trainer)
        launcher = partial(launched_on_ray, address=ray)
    folder = resume if resume is not None else new_run_folder(settings.output_dir)
    output.say(f"run folder: {folder}")
    with workflow_console(output) as console:
        result = train(
            settings,
            folder,
            resume=resume is not None,
            console=console,
            resume_command=f"ocrtune train --resume {folder}" + (f" --ray {ray}" if ray else ""),
            launcher=launcher,
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
        }
    )
