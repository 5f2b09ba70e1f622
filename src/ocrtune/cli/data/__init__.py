"""``ocrtune data``: one small file a verb."""

from __future__ import annotations

import typer

from ocrtune.cli.data import check, convert, crop, preannotate, repair, show, split, stats, synth, verify

NAME = "data"
app = typer.Typer(
    help="Labelled data: check, look at, split and convert it.", no_args_is_help=True, rich_markup_mode=None
)
for module in (check, stats, split, convert, crop, verify, repair, preannotate, synth, show):
    app.command(module.NAME, epilog=module.EXAMPLES)(module.command)
