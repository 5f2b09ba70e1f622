"""What every verb uses to talk: text for people, one JSON object for programs, progress with time left, errors."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from ocrtune.errors import OcrtuneError

_LINE_EVERY = 15.0  # seconds between progress lines where there is no terminal


class Output:
    """Text goes to stdout, or to stderr where stdout carries the JSON object of ``--json``."""

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json
        self.console = Console(stderr=as_json, highlight=False, soft_wrap=True)

    def say(self, text: str = "") -> None:
        self.console.print(text, markup=False)

    def warn(self, text: str) -> None:
        self.console.print(f"warning: {text}", markup=False, style="yellow")

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        table = Table(title=title, title_justify="left")
        for index, column in enumerate(columns):
            table.add_column(column, overflow="fold", no_wrap=index == 0)  # nothing is cut off, least of all names
        for row in rows:
            table.add_row(*(Text(str(cell)) for cell in row))  # a text is no markup
        self.console.print(table)

    def result(self, content: Mapping[str, Any]) -> None:
        """The one JSON object; nothing without ``--json``."""
        if self.as_json:
            print(json.dumps(content, ensure_ascii=False))

    def next(self, command: str) -> None:
        self.console.print(f"next: {command}", markup=False, style="bold")

    @contextmanager
    def bar(self, description: str, total: int | None = None) -> Iterator[Callable[[], None]]:
        """A progress bar with the time left, or a count where nobody knows the total; yields what to call after each
        piece of work."""
        if self.console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            with Progress(*columns, console=self.console, transient=True) as progress:
                task = progress.add_task(description, total=total)
                yield lambda: progress.advance(task)
            return
        done, started, shown = 0, time.monotonic(), time.monotonic()

        def each() -> None:
            nonlocal done, shown
            done += 1
            now = time.monotonic()
            if now - shown < _LINE_EVERY or done == total:
                return
            shown = now
            if total is None:
                self.say(f"{description}: {done}, {done / (now - started):.0f} a second")
            else:
                left = (now - started) / done * (total - done)
                self.say(f"{description}: {done}/{total}, {left:.0f} s left")

        yield each


def fail(error: OcrtuneError, as_json: bool) -> int:
    """Show an error as its three lines (and as JSON where that was asked for); returns the exit code."""
    if as_json:
        print(json.dumps(error.as_dict(), ensure_ascii=False))
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"error: {error}", markup=False, style="red")
    return error.exit_code


def wants_json(arguments: Sequence[str] | None = None) -> bool:
    return "--json" in (sys.argv[1:] if arguments is None else arguments)
