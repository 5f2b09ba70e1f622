"""``ocrtune data split``: train, val and test."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.data.images import check_new, removed_on_failure, writes_images
from ocrtune.cli.data.options import Format
from ocrtune.cli.options import Data, Json, described_dataset, tell_losses

NAME = "split"
EXAMPLES = r"""Examples:

ocrtune data split icdar:pages --out parts --shares 70,20,10

ocrtune data split scans/Label.txt --out parts --group '^(\w+)_page\d+'

ocrtune data split lmdb:store --out parts --group documents.csv --format lmdb"""
PARTS = ("train", "val", "test")


def command(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder for the parts.")],
    shares: Annotated[str, typer.Option(help="Shares of train, val and test.")] = "70,20,10",
    group: Annotated[
        str | None,
        typer.Option(help="What stays together: regular expression on the name, or .csv (file,group), or .json."),
    ] = None,
    format: Format = None,
    json: Json = False,
) -> None:
    """Split by the images' content: the same pages always go to the same part, twins and groups stay together."""
    from ocrtune.data.content import content_hash
    from ocrtune.data.formats import FORMATS, read_dataset, write_dataset, written_suffix
    from ocrtune.data.groups import page_groups
    from ocrtune.data.lines import on_disk
    from ocrtune.data.split import split_pages
    from ocrtune.errors import UsageError, named

    if format is not None:
        named(format, FORMATS, "label format", "--format")
    output = Output(json)
    sizes = _shares(shares)
    dataset = described_dataset(data, output)
    target_format = format or dataset.format
    paths = {name: out / f"{name}{written_suffix(target_format)}" for name in PARTS[: len(sizes)]}
    taken = next((path for path in paths.values() if path.exists()), None)
    if taken is not None:
        raise UsageError("a part would overwrite something", where=taken, hint="name another folder with --out")
    as_files = writes_images(dataset, target_format)
    images = {name: out / "images" / name for name in paths}
    for folder in images.values() if as_files else ():
        check_new(folder)
    pages = read_dataset(dataset)
    groups = page_groups(pages, group) if group is not None else None
    if groups is not None:
        alone = f"; {groups.alone} pages have none and stand for themselves" if groups.alone else ""
        output.say(f"{groups.count} groups{alone}")
    hashes = []
    with output.bar("pages", len(pages)) as each:
        for page in pages:
            hashes.append(content_hash(page.load()))
            each()
    parts = split_pages(pages, sizes, hashes, groups=groups.of if groups else None)
    written = {}
    for name, part in zip(PARTS, parts, strict=False):
        if not part:
            continue
        with removed_on_failure(images[name]) if as_files else nullcontext():
            stored = on_disk(part, images[name]) if as_files else part
            tell_losses(output, target_format, write_dataset(stored, target_format, paths[name]))
        share = len(part) / len(pages)
        written[name] = {"path": f"{target_format}:{paths[name]}", "pages": len(part), "share": round(share, 4)}
        output.say(f"{name}: {len(part)} pages ({share:.1%}), {target_format}:{paths[name]}")
    output.result(written)
    first, *others = (entry["path"] for entry in written.values())
    output.next(f"ocrtune adapt {first}" + (f" --val {others[0]}" if others else ""))


def _shares(text: str) -> list[float]:
    from ocrtune.errors import UsageError

    try:
        sizes = [float(share) for share in text.split(",")]
    except ValueError as error:
        raise UsageError(f"'{text}' are no shares", where="--shares", expected="70,20,10") from error
    if not 1 <= len(sizes) <= len(PARTS):
        raise UsageError(f"{len(sizes)} shares", where="--shares", expected="one to three: train, val, test")
    return sizes
