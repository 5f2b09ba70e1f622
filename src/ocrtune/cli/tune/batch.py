"""``ocrtune tune batch``."""

from __future__ import annotations

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.options import Config, Json, Overrides, train_command

NAME = "batch"
EXAMPLES = """Example:

ocrtune tune batch configs/recognition.yaml data.train=paddle:lines/labels.txt data.batch_size=256"""


def command(config: Config, overrides: Overrides = None, json: Json = False) -> None:
    """Find out which batch fits into memory at the worst: every sample as large as the largest that can come.

    On a GPU by trying until one does not fit; on a CPU by measuring small batches and the line through them. Exit code 1
    when the configuration's own batch does not fit; the settings with which it does are printed.
    """
    output = Output(json)
    from ocrtune.cli.extras import need_training
    from ocrtune.config.load import load_config

    settings = load_config(config, overrides or ()).config
    need_training()
    from ocrtune.cli.training_view import workflow_console
    from ocrtune.workflows.settings.batch import tune_batch

    with workflow_console(output) as console:
        found = tune_batch(settings, console)
    output.say(found.sentence())
    output.result(found.as_dict())
    if found.largest:
        output.next(train_command(config, overrides, found.settings))
    if not found.fits:
        raise typer.Exit(1)
