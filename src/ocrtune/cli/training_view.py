"""Shows a workflow's lines and a training's progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from ocrtune.cli.console import Output

if TYPE_CHECKING:
    from ocrtune.training.loop import Progress
    from ocrtune.workflows.console import Console
    from ocrtune.workflows.settings.curve import CurveResult

_LINE_EVERY = 20.0


@contextmanager
def workflow_console(out: Output) -> Iterator[Console]:
    """A workflow's console on the terminal: lines, bars, and the training's progress in place."""
    from ocrtune.workflows.console import Console

    with ExitStack() as bars:
        status = None
        if out.console.is_terminal:
            status = bars.enter_context(out.console.status(""))
            status.stop()
        shown = 0.0

        def watch(progress: Progress) -> None:
            nonlocal shown
            now = time.monotonic()
            line = _line(progress)
            if status is not None:
                status.start()
                status.update(line)
                if progress.step == progress.total:
                    status.stop()
            elif now - shown >= _LINE_EVERY:
                shown = now
                out.say(line)

        def bar(description: str, total: int) -> Callable[[], None]:
            bars.pop_all().close()
            return bars.enter_context(out.bar(description, total))

        yield Console(say=out.say, watch=watch, bar=bar)


def show_curve(out: Output, result: CurveResult) -> None:
    """A learning curve: what was measured, what is forecast, and what that means."""
    out.table("learning curve", ("", "labelled pages", result.curve.name, "95 % interval"), result.rows)
    out.say(result.curve.sentence())
    out.say(f"figure: {result.figure}")
    out.say(f"figures as JSON: {result.json}")
    out.result(result.as_dict())


def _line(progress: Progress) -> str:
    left = "" if progress.seconds_left is None else f"  {progress.seconds_left / 60:.1f} min left"
    best = "" if progress.best is None else f"  best {progress.best:.4f}"
    return f"step {progress.step}/{progress.total}  loss {progress.loss:.4f}{best}{left}"
