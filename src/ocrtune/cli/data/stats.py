"""``ocrtune data stats``: figures of the labels."""

from __future__ import annotations

from ocrtune.cli.console import Output
from ocrtune.cli.data.options import PageSize
from ocrtune.cli.options import Data, Json, described_dataset

NAME = "stats"
EXAMPLES = "Example:\n\nocrtune data stats receipts/train --json"


def command(data: Data, page_size: PageSize = 1280, json: Json = False) -> None:
    """Sizes, text heights at the training size, lengths, characters (percentiles 5, 25, 50, 75, 95)."""
    from ocrtune.data.formats import read_dataset
    from ocrtune.data.stats import dataset_stats

    output = Output(json)
    dataset = described_dataset(data, output)
    pages = read_dataset(dataset)
    with output.bar("pages", len(pages)) as each:
        figures = dataset_stats(pages, page_size, each)
    rows = [(key, "  ".join(map(str, value)) if isinstance(value, list) else value) for key, value in figures.items()]
    output.table(str(dataset), ("what", "value, or percentiles 5 25 50 75 95"), rows)
    output.result(figures)
    output.next(f"ocrtune data check {data}")
