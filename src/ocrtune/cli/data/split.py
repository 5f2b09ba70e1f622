"""``ocrtune data split``: train, val and test."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.data.options import Format
from ocrtune.cli.options import Data, Json, described_dataset

NAME = "split"
EXAMPLES = "Example:\n\nocrtune data split icdar:pages --out parts --shares 70,20,10"


def command(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder for the parts.")],
    shares: Annotated[str, typer.Option(help="Shares of train, val and test.")] = "70,20,10",
    format: Format = None,
    json: Json = False,
) -> None:
    """Split by the images' content: the same pages always go to the same part, twins stay together."""
    from ocrtune.data.formats import read_dataset, write_dataset, written_suffix
    from ocrtune.data.split import split_pages
    from ocrtune.errors import UsageError

    output = Output(json)
    names = ("train", "val", "test")
    try:
        sizes = [float(share) for share in shares.split(",")]
    except ValueError as error:
        raise UsageError(f"'{shares}' are no shares", where="--shares", expected="70,20,10") from error
    if not 1 <= len(sizes) <= len(names):
        raise UsageError(f"{len(sizes)} shares", where="--shares", expected="one to three: train, val, test")
    dataset = described_dataset(data, output)
    target_format = format or dataset.format
    parts = split_pages(read_dataset(dataset), sizes)
    written = {}
    for name, pages in zip(names, parts, strict=False):
        if not pages:
            continue
        path = out / f"{name}{written_suffix(target_format)}"
        if path.exists():
            raise UsageError("a part would overwrite something", where=path, hint="name another folder with --out")
        write_dataset(pages, target_format, path)
        written[name] = {"path": f"{target_format}:{path}", "pages": len(pages)}
        output.say(f"{name}: {len(pages)} pages, {target_format}:{path}")
    output.result(written)
    output.next(
        f"ocrtune adapt {written['train']['path']}" + (f" --val {written['val']['path']}" if "val" in written else "")
    )
