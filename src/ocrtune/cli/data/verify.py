"""``ocrtune data verify``: is a store as it was written?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.options import Json

NAME = "verify"
EXAMPLES = "Example:\n\nocrtune data verify stores/train"
SHOWN = 20
Store: TypeAlias = Annotated[Path, typer.Argument(metavar="STORE", help="Folder of an LMDB store.")]


def command(store: Store, json: Json = False) -> None:
    """Compare every entry with its checksums; exit code 1 where one is damaged, missing or cut off."""
    from contextlib import ExitStack

    from ocrtune.data.verify import verify_store

    output = Output(json)
    with ExitStack() as stack:
        report = verify_store(store, lambda total: stack.enter_context(output.bar("entries", total)))
    for fault in report.faults:
        output.say(f"{store}: {fault}")
    for damage in report.damaged[:SHOWN]:
        output.say(f"{store}: {damage}")
    if len(report.damaged) > SHOWN:
        output.say(f"... and {len(report.damaged) - SHOWN} more; --json names them all")
    output.result(report.as_dict())
    if not report.intact:
        output.say(f"{len(report.damaged)} damaged entries" if report.header else "the store cannot be read")
        output.next(f"ocrtune data repair {store}")
        raise typer.Exit(1)
    assert report.header is not None
    how = "were decoded; it has no checksums" if report.header.foreign else "are as they were written"
    output.say(f"{store}: all {report.header.count} {report.header.kind} {how}")
    output.next(f"ocrtune data check lmdb:{store}")
