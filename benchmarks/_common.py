"""What the benchmarks share: the machine, the data, the table."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ocrtune.data.formats import read_dataset
from ocrtune.data.synth.receipts import render_receipt
from ocrtune.page import Page
from ocrtune.runtime.engines import available_cores

DATA = Path(__file__).parents[2] / "shared" / "data"


def pages(name: str, count: int | None = None) -> tuple[str, list[Page]]:
    """Pages of a real data set, or generated receipts where it is absent; with what they are."""
    folder = DATA / name
    if folder.exists():
        return name, read_dataset(str(folder))[:count]
    return "generated receipts", [render_receipt(1, index) for index in range(count or 50)]


def best_of(runs: int, work: Callable[[], object]) -> float:
    """Seconds of the fastest run, after one to warm up."""
    return min(_timings(runs, work))


def median_of(runs: int, work: Callable[[], object]) -> float:
    """Median seconds, after one run to warm up."""
    return statistics.median(_timings(runs, work))


def _timings(runs: int, work: Callable[[], object]) -> list[float]:
    work()
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return times


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], notes: Sequence[str] = ()) -> None:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*map(str, row))
    console = Console(highlight=False, width=140)
    console.print(table)
    console.print(f"{available_cores()} cores, {platform.machine()}, Python {platform.python_version()}")
    for note in notes:
        console.print(note, markup=False)
