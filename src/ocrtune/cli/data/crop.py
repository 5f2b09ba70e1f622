"""``ocrtune data crop``: cut lines out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.options import Data, Json, described_dataset, tell_losses

NAME = "crop"
EXAMPLES = (
    "Examples:\n\nocrtune data crop icdar:receipts/train --out lines\n\n"
    "ocrtune data crop lmdb:store --out lines --format csv"
)
_NAMES = {"paddle": "labels", "csv": "labels", "lmdb": "lmdb"}
"""Formats of lines, and what their files are called."""


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

    from ocrtune.data.formats import read_dataset, write_dataset, written_suffix
    from ocrtune.data.lines import cut_lines, readable
    from ocrtune.errors import DataError, UsageError
    from ocrtune.page import image_size, whole_image

    if format not in _NAMES:
        raise UsageError(f"'{format}' is no format of lines", where="--format", expected=", ".join(_NAMES))
    place = out / f"{_NAMES[format]}{written_suffix(format)}"
    output = Output(json)
    dataset = described_dataset(data, output)
    if place.exists() or (out / "images").exists():
        raise UsageError("lines are already there", where=out, hint="name another folder with --out")
    pages = read_dataset(dataset)
    if not any(readable(region) for page in pages for region in page.regions):
        raise DataError("no text that counts is labelled", where=dataset, hint="ocrtune data check " + data)
    with output.bar("pages", len(pages)) as each:
        lines = cut_lines(pages, out / "images", margin, each)
    whole = [
        line.with_regions([replace(line.regions[0], polygon=whole_image(*image_size(line.path)))]) for line in lines
    ]
    tell_losses(output, format, write_dataset(whole, format, place))
    output.say(f"{len(lines)} lines of {len(pages)} pages: {format}:{place}")
    output.result({"path": f"{format}:{place}", "lines": len(lines), "pages": len(pages)})
    output.next(f"ocrtune adapt {format}:{place} --task recognition")
