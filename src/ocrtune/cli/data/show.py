"""``ocrtune data show``: draw labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.options import Data, Json, described_dataset

NAME = "show"
EXAMPLES = "Example:\n\nocrtune data show receipts/train --draw drawn --limit 12"


def command(
    data: Data,
    draw: Annotated[Path, typer.Option(help="Folder for the drawn pages and sheet.jpg.")],
    limit: Annotated[int, typer.Option(min=1, help="How many pages.")] = 12,
    json: Json = False,
) -> None:
    """Draw labelled pages: green what counts, grey what is ignored."""
    from ocrtune.data.draw import contact_sheet, draw_regions
    from ocrtune.data.formats import read_dataset
    from ocrtune.report.figures import jpeg

    output = Output(json)
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
