"""``ocrtune data stats``: figures of the labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.data.options import PageSize
from ocrtune.cli.options import Data, Json, described_dataset

NAME = "stats"
EXAMPLES = (
    "Examples:\n\nocrtune data stats receipts/train --draw receipts.png\n\nocrtune data stats lmdb:stores/train --json"
)


def command(
    data: Data,
    page_size: PageSize = 1280,
    draw: Annotated[Path | None, typer.Option(help="PNG file for the distributions.")] = None,
    json: Json = False,
) -> None:
    """Sizes, text heights at the training size, lengths, characters, scripts (percentiles 5, 25, 50, 75, 95)."""
    from ocrtune.data.formats import read_dataset
    from ocrtune.data.stats import dataset_stats
    from ocrtune.files import write_whole
    from ocrtune.report.stats import stats_figure

    output = Output(json)
    dataset = described_dataset(data, output)
    pages = read_dataset(dataset)
    with output.bar("pages", len(pages)) as each:
        stats = dataset_stats(pages, page_size, each)
    figures = stats.as_dict()
    rows = [(key, _shown(value)) for key, value in figures.items()]
    output.table(str(dataset), ("what", "value, or percentiles 5 25 50 75 95"), rows)
    if draw is not None:
        write_whole(draw, stats_figure(stats))
        output.say(f"drawn: {draw}")
    output.result({**figures, "drawn": str(draw) if draw else None})
    output.next(f"ocrtune data check {data}")


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "  ".join(f"{key} {count}" for key, count in value.items())
    return "  ".join(map(str, value)) if isinstance(value, list) else str(value)
