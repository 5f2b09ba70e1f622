"""How a workflow talks to whoever started it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ocrtune.training.loop import Progress


@dataclass(frozen=True)
class Console:
    """Where a workflow's words go.

    Attributes:
        say: takes one line of text.
        watch: takes the progress of a training after each step.
        bar: given a description and a number of pieces, returns what to call after each piece.
    """

    say: Callable[[str], None] = lambda line: None
    watch: Callable[[Progress], None] = lambda progress: None
    bar: Callable[[str, int], Callable[[], None]] = lambda description, total: lambda: None
