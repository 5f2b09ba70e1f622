"""Options that several verbs share."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, all else on stderr.")]
Data: TypeAlias = Annotated[str, typer.Argument(metavar="DATA", help="PATH or FORMAT:PATH (icdar, paddle, json).")]
BundleArg: TypeAlias = Annotated[
    str, typer.Argument(metavar="BUNDLE", help="Bundle folder, run folder, or a name from 'ocrtune weights list'.")
]
