"""``ocrtune data show``: draw labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.data.augmented import show_augmented
from ocrtune.cli.options import Data, Json, described_dataset

NAME = "show"
EXAMPLES = """Examples:

ocrtune data show receipts/train --draw drawn --limit 12

ocrtune data show receipts/train --draw drawn --augment --preset receipt

ocrtune data show lines/labels.txt --draw drawn --augment --task recognition augment.tia=0.5"""


def command(
    data: Data,
    draw: Annotated[Path, typer.Option(help="Folder for the drawn pages and sheet.jpg.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="With --augment: settings of the training.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many pages, or samples.")] = 12,
    augment: Annotated[bool, typer.Option("--augment", help="Draw what a training sees instead.")] = False,
    task: Annotated[str | None, typer.Option(help="With --augment: detection, recognition or orientation.")] = None,
    preset: Annotated[str | None, typer.Option(help="With --augment: augment.preset, a scenario.")] = None,
    config: Annotated[Path | None, typer.Option(help="With --augment: the training's configuration file.")] = None,
    epoch: Annotated[int, typer.Option(min=0, help="With --augment: which epoch, from 0.")] = 0,
    json: Json = False,
) -> None:
    """Draw labelled pages: green what counts, grey what is ignored.

    With --augment, training samples instead, made by the code that trains: views with their texts and, beside them,
    the kernels (red), what is not learnt (grey) and what weighs more (blue); or lines with what is taught for them.
    """
    from ocrtune.data.draw import contact_sheet, draw_regions
    from ocrtune.data.formats import read_dataset
    from ocrtune.errors import UsageError
    from ocrtune.report.figures import jpeg

    output = Output(json)
    named = [f"task={task}"] * (task is not None) + [f"augment.preset={preset}"] * (preset is not None)
    if augment:
        show_augmented(output, data, draw, limit, epoch, config, [*named, *(overrides or ())])
        return
    if named or overrides or config is not None:
        raise UsageError("settings of a training say nothing about plain pages", hint="add --augment")
    dataset = described_dataset(data, output)
    pages = read_dataset(dataset)[:limit]
    draw.mkdir(parents=True, exist_ok=True)
    drawn = [draw_regions(page.load(), page.regions) for page in pages]
    for index, image in enumerate(drawn):
        (draw / f"{index + 1:03d}_{Path(pages[index].name).stem}.jpg").write_bytes(jpeg(image))
    (draw / "sheet.jpg").write_bytes(jpeg(contact_sheet(drawn)))
    output.say(f"{len(pages)} pages drawn in {draw}, together in {draw / 'sheet.jpg'}")
    output.result({"pages": len(pages), "folder": str(draw), "sheet": str(draw / "sheet.jpg")})
    output.next(f"ocrtune data check {data}")
