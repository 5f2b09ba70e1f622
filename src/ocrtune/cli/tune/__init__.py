"""``ocrtune tune``: one small file a verb."""

from __future__ import annotations

import typer

from ocrtune.cli.tune import batch, lr

NAME = "tune"
app = typer.Typer(
    help="Settings of a run, found out before it: learning rate, batch.", no_args_is_help=True, rich_markup_mode=None
)
for module in (lr, batch):
    app.command(module.NAME, epilog=module.EXAMPLES)(module.command)
