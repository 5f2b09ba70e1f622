"""``ocrtune data crop``: cut lines out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.options import Data, Json, described_dataset

NAME = "crop"
EXAMPLES = (
    "Examples:\n\nocrtune data crop icdar:receipts/train --out lines\n\n"
    "ocrtune data crop lmdb:store --out lines --format csv"
)


def command(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder for the lines and their label file.")],
    margin: Annotated[float, typer.Option(min=0, max=1, help="Kept around a label, as a share of its height.")] = 0.0,
    format: Annotated[
        str, typer.Option(help="paddle (labels.txt), csv (labels.csv) or lmdb (folder lmdb).")
    ] = "paddle",
    json: Json = False,
) -> None:
    """Cut every labelled text out as a line, with the code that cuts in use; texts marked as ignored are left out."""
    from dataclasses import replace

    from ocrtune.data.formats import read_dataset, write_dataset
    from ocrtune.data.lines import cut_lines, readable
    from ocrtune.errors import DataError, UsageError
    from ocrtune.page import image_size, whole_image

    places = {"paddle": out / "labels.txt", "csv": out / "labels.csv", "lmdb": out / "lmdb"}
    if format not in places:
        raise UsageError(f"'{format}' is no format of lines", where="--format", expected=", ".join(places))
    output = Output(json)
    dataset = described_dataset(data, output)
    if places[format].exists() or (out / "images").exists():
        raise UsageError("lines are already there", where=out, hint="name another folder with --out")
    pages = read_dataset(dataset)
    if not any(readable(region) for page in pages for region in page.regions):
        raise DataError("no text that counts is labelled", where=dataset, hint="ocrtune data check " + data)
    with output.bar("pages", len(pages)) as each:
        lines = cut_lines(pages, out / "images", margin, each)
    whole = [
        line.with_regions([replace(line.regions[0], polygon=whole_image(*image_size(line.path)))]) for line in lines
    ]
    write_dataset(whole, format, places[format])
    output.say(f"{len(lines)} lines of {len(pages)} pages: {format}:{places[format]}")
    output.result({"path": f"{format}:{places[format]}", "lines": len(lines), "pages": len(pages)})
    output.next(f"ocrtune adapt {format}:{places[format]} --task recognition")
