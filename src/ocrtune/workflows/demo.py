"""`demo`: the whole loop on generated receipts, so that a fresh installation proves itself without anybody's data."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from ocrtune.data.synth.receipts import DEMO_PAGES, demo_parts, write_receipts
from ocrtune.errors import DataError
from ocrtune.workflows.adapt import AdaptRequest, AdaptResult, adapt
from ocrtune.workflows.console import Console

_MARKER = ".ocrtune-demo"


def run_demo(
    out: Path, budget: float, console: Console, overrides: Sequence[str] = (), pages: int = DEMO_PAGES
) -> AdaptResult:
    """Generate labelled receipts, adapt the base to them, compare on others.

    Args:
        out: folder for everything; what an earlier demo left there is deleted.
        budget: seconds for everything.
        console: where to report to.
        overrides: further settings, as `AdaptRequest` takes them.
        pages: receipts to learn from.

    Raises:
        DataError: the folder holds something that no demo made.
        OcrtuneError: as for `ocrtune.workflows.adapt.adapt`.
    """
    started = time.monotonic()
    _claim(out)
    parts = demo_parts(pages)
    for name, count, seed in parts:
        write_receipts(out / "data" / name, count, seed, console.bar(f"drawing receipts for {name}", count))
    console.say(f"drew {sum(count for _, count, _ in parts)} receipts with exact labels in {out / 'data'}")
    return adapt(
        AdaptRequest(
            data=f"icdar:{out / 'data' / 'train'}",
            val=f"icdar:{out / 'data' / 'val'}",
            task="ocr",
            base=None,
            budget=budget - (time.monotonic() - started),
            out=out / "adapted",
            overrides=tuple(overrides),
            firm=False,
        ),
        console,
    )


def _claim(out: Path) -> None:
    if out.exists() and not (out / _MARKER).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise DataError("the folder holds something that no demo made", where=out, hint="choose another one with --out")
    shutil.rmtree(out, ignore_errors=True)
    try:
        out.mkdir(parents=True)
        (out / _MARKER).touch()
    except OSError as error:
        raise DataError(f"the folder cannot be made: {error.strerror}", where=out) from error
