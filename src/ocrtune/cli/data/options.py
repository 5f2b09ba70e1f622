"""Options that several data verbs share."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from ocrtune.cli.options import FORMATS

PageSize: TypeAlias = Annotated[
    int, typer.Option(min=32, help="Longer side in pixels at which pages will be trained on.")
]
Format: TypeAlias = Annotated[str | None, typer.Option(help=f"{FORMATS}; default: as the data.")]
