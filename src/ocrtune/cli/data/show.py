"""``ocrtune data show``: draw labels."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.data.augmented import show_augmented
from ocrtune.cli.options import Data, Json, described_dataset

if TYPE_CHECKING:
    from ocrtune.page import Image

NAME = "show"
EXAMPLES = """Examples:

ocrtune data show receipts/train --draw drawn --limit 12

ocrtune data show receipts/train --draw drawn --augment --preset receipt

ocrtune data show lines/labels.txt --draw drawn --augment --task recognition augment.tia=0.5"""
ON_A_SHEET = 24


def command(
    data: Data,
    draw: Annotated[Path, typer.Option(help="Folder for the drawn pages and the contact sheets.")],
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
    """Draw labelled pages: green what counts, grey what is ignored, and beside it what the labels say.

    sheet.jpg, sheet_2.jpg, ... show 24 pages each. With --augment, training samples instead, made by the code that
    trains: views with their texts and, beside them, the kernels (red), what is not learnt (grey) and what weighs more
    (blue); or lines with what is taught for them.
    """
    from ocrtune.data.draw import draw_regions, draw_texts
    from ocrtune.data.formats import read_dataset
    from ocrtune.errors import UsageError
    from ocrtune.files import write_whole
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
    sheets = _Sheets(draw)
    with output.bar("pages", len(pages)) as each:
        for index, page in enumerate(pages, start=1):
            said = any(region.text for region in page.regions)
            drawn = (draw_texts if said else draw_regions)(page.load(), page.regions)
            stem = re.sub(r"[^\w.-]+", "_", Path(page.name).stem)
            write_whole(draw / f"{index:03d}_{stem}.jpg", jpeg(drawn))
            sheets.add(drawn, f"{index} {page.name}")
            each()
    sheets.close()
    output.say(f"{len(pages)} pages drawn in {draw}, together in {', '.join(map(str, sheets.written))}")
    output.result({"pages": len(pages), "folder": str(draw), "sheets": [str(path) for path in sheets.written]})
    output.next(f"ocrtune data check {data}")


class _Sheets:
    """Contact sheets that are written as they become full; only small copies are kept."""

    def __init__(self, folder: Path) -> None:
        self.written: list[Path] = []
        self._folder = folder
        self._small: list[tuple[Image, str]] = []

    def add(self, image: Image, caption: str) -> None:
        from ocrtune.data.draw import fit_into

        self._small.append((fit_into(image, 480, 480), caption))
        if len(self._small) == ON_A_SHEET:
            self.close()

    def close(self) -> None:
        from ocrtune.data.draw import contact_sheet
        from ocrtune.files import write_whole
        from ocrtune.report.figures import jpeg

        if self._small:
            images, captions = zip(*self._small, strict=True)
            path = self._folder / (f"sheet_{len(self.written) + 1}.jpg" if self.written else "sheet.jpg")
            write_whole(path, jpeg(contact_sheet(images, captions=captions)))
            self.written.append(path)
        self._small = []
