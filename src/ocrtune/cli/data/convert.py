"""``ocrtune data convert``: another format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.options import Data, Json, described_dataset

NAME = "convert"
EXAMPLES = "Example:\n\nocrtune data convert icdar:receipts/train --format paddle --out train.txt"


def command(
    data: Data,
    format: Annotated[str, typer.Option(help="icdar, paddle, csv, lmdb or json.")],
    out: Annotated[Path, typer.Option(help="File (icdar: folder) to write.")],
    json: Json = False,
) -> None:
    """Write the labels in another format; images stay where they are, those of a store are written out beside the labels."""
    from dataclasses import replace

    from ocrtune.data.formats import read_dataset, write_dataset
    from ocrtune.data.lines import on_disk
    from ocrtune.data.store import build_store
    from ocrtune.errors import UsageError

    output = Output(json)
    dataset = described_dataset(data, output)
    if out.exists():
        raise UsageError("something is already there", where=out, hint="name another place with --out")
    pages = read_dataset(dataset)
    if format == "lmdb":
        build_store(
            pages, out, str(replace(dataset, path=dataset.path.absolute()))
        )  # the store remembers it, for repair
    else:
        write_dataset(on_disk(pages, out.with_name(f"{out.stem}_images")), format, out)
    output.say(f"written: {format}:{out} ({len(pages)} pages)")
    output.result({"path": f"{format}:{out}", "pages": len(pages)})
    output.next(f"ocrtune data check {format}:{out}")
