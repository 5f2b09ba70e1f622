"""``ocrtune train``."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.options import Json, LearningCurve

if TYPE_CHECKING:
    from ocrtune.config.schema import TrainConfig

NAME = "train"
EXAMPLES = """Examples:

ocrtune train configs/detection.yaml data.train=icdar:pages/train data.val=icdar:pages/val

ocrtune train --resume workdirs/exp_20261121_101500

ocrtune train configs/detection.yaml trainer.num_gpus=4

ocrtune train configs/detection.yaml trainer.num_gpus=16 --ray 10.0.0.1:6379

ocrtune train configs/detection.yaml --learning-curve 10,25,50,100     (how much would more labels give?)"""


def command(
    config: Annotated[Path | None, typer.Argument(metavar="CONFIG.yaml", help="Configuration file.")] = None,
    overrides: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings that win.")] = None,
    resume: Annotated[Path | None, typer.Option(metavar="RUN", help="Go on with a run, exactly where it was.")] = None,
    ray: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Train on the Ray cluster at HOST:PORT, auto or local.")
    ] = None,
    learning_curve: LearningCurve = None,
    sanity: Annotated[
        bool, typer.Option("--sanity", help="See first whether one batch can be learnt by heart; if not, do not train.")
    ] = False,
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
    need_training(alone=learning_curve is not None)
    if learning_curve is not None:
        if ray is not None or sanity:
            raise UsageError("a learning curve takes neither --ray nor --sanity", hint="ocrtune train --help")
        if loaded is None:
            raise UsageError("a learning curve goes on by itself", hint="give the command that began it again")
        _learning_curve(output, loaded.config, learning_curve)
        return
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


def _learning_curve(output: Output, config: TrainConfig, shares: str) -> None:
    """Runs from parts of the labels, in a folder whose name follows from what is asked for."""
    import hashlib

    from ocrtune.cli.training_view import show_curve, workflow_console
    from ocrtune.config.load import dump_yaml
    from ocrtune.training.learning_curve import parse_shares
    from ocrtune.workflows.settings.curve import curve_of_config

    parsed = parse_shares(shares)
    digest = hashlib.sha256(f"{dump_yaml(config)}{parsed}".encode()).hexdigest()[:8]
    folder = Path(config.output_dir) / f"curve_{digest}"
    output.say(f"folder: {folder}")
    with workflow_console(output) as console:
        result = curve_of_config(config, parsed, folder, console)
    show_curve(output, result)
    output.next(f"ocrtune eval {folder / 'share_100'} PATH/TO/OTHER/DATA")
