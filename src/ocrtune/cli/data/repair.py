"""``ocrtune data repair``: rebuild what is damaged in a store."""

from __future__ import annotations

from typing import Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.data.verify import SHOWN, Store
from ocrtune.cli.options import Json

NAME = "repair"
EXAMPLES = (
    "Examples:\n\nocrtune data repair stores/train\n\nocrtune data repair stores/train --source icdar:receipts/train"
)


def command(
    store: Store,
    source: Annotated[
        str | None, typer.Option(help="Data set it was built from; default: as the store remembers.")
    ] = None,
    json: Json = False,
) -> None:
    """Rebuild damaged entries from the data set; exit code 1 where some could not be."""
    from contextlib import ExitStack

    from ocrtune.data.repair import repair_store

    output = Output(json)
    with ExitStack() as stack:
        repair = repair_store(store, source, lambda total: stack.enter_context(output.bar("entries", total)))
    if repair.whole:
        output.say(f"{store}: built anew, {repair.entries} entries")
    elif not (repair.rebuilt or repair.changed or repair.lost):
        output.say(f"{store}: nothing is damaged")
    else:
        output.say(f"{store}: {len(repair.rebuilt)} entries are as they were")
    for damage in repair.changed[:SHOWN]:
        output.say(f"  the source has changed since; taken as it is now: entry {damage.number} ({damage.name or '?'})")
    for damage in repair.lost[:SHOWN]:
        output.say(f"  could not be rebuilt: {damage}")
    output.result(repair.as_dict())
    if repair.lost:
        output.say(f"{len(repair.lost)} entries could not be rebuilt")
        output.next(f"ocrtune data repair {store} --source DATA")
        raise typer.Exit(1)
    output.next(f"ocrtune data verify {store}")
