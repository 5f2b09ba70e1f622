"""``ocrtune data convert``: another format."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.data.images import check_new, removed_on_failure, writes_images
from ocrtune.cli.options import FORMATS, Data, Json, described_dataset, tell_losses

if TYPE_CHECKING:
    from ocrtune.page import Page

NAME = "convert"
EXAMPLES = (
    "Examples:\n\nocrtune data convert icdar:receipts/train --format paddle --out train.txt\n\n"
    "ocrtune data convert project-3.json --format voc --out labels --skip-faulty"
)
_TOLD = 5  # faults that are told in full


def command(
    data: Data,
    format: Annotated[str, typer.Option(help=f"{FORMATS}.")],
    out: Annotated[Path, typer.Option(help="File or folder to write, which must not be there.")],
    skip_faulty: Annotated[
        bool, typer.Option("--skip-faulty", help="Leave out labels that cannot be read, and tell how many.")
    ] = False,
    json: Json = False,
) -> None:
    """Write the labels in another format, page by page; images stay where they are, those of a store become files."""
    from ocrtune.data.formats import stream_dataset, write_dataset
    from ocrtune.data.lines import as_file
    from ocrtune.errors import DataError, UsageError

    output = Output(json)
    dataset = described_dataset(data, output)
    if out.exists():
        raise UsageError("something is already there", where=out, hint="name another place with --out")
    images = out.parent / f"{out.stem}_images"
    as_files = writes_images(dataset, format)
    if as_files:
        check_new(images)
    faults = 0

    def skip(error: DataError) -> None:
        nonlocal faults
        faults += 1
        if faults <= _TOLD:
            output.warn(f"left out: {error}")

    with output.bar("pages") as each, removed_on_failure(images) if as_files else nullcontext():

        def pages() -> Iterator[Page]:
            for number, page in enumerate(stream_dataset(dataset, skip if skip_faulty else None)):
                yield as_file(page, images / f"{number:09d}") if as_files else page
                each()

        written = write_dataset(pages(), format, out, source=dataset)
    tell_losses(output, format, written)
    if faults:
        output.warn(f"{faults} faulty labels or pages were left out")
    output.say(f"written: {format}:{out} ({written.pages} pages, {written.regions} texts)")
    lost = {loss.name.lower(): count for loss, count in written.lost.items()}
    output.result(
        {"path": f"{format}:{out}", "pages": written.pages, "regions": written.regions, "lost": lost, "faults": faults}
    )
    output.next(f"ocrtune data check {format}:{out}")
