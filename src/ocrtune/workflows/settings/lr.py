"""`tune lr`: the learning rate range test of a configuration, as a figure and JSON."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ocrtune.config.schema import TrainConfig
from ocrtune.files import write_whole
from ocrtune.report.settings import lr_range_figure
from ocrtune.training.lr_range import LrRange, lr_range_test
from ocrtune.workflows.console import Console
from ocrtune.workflows.settings.prepared import prepared_task


@dataclass(frozen=True)
class LrFound:
    """A range test and what was written about it."""

    found: LrRange
    figure: Path
    json: Path


def tune_lr(config: TrainConfig, steps: int, out: Path, console: Console) -> LrFound:
    """Test rates on a copy of the start network; a run, or the start weights, are not touched.

    Args:
        config: of the run.
        steps: of the test.
        out: folder for ``lr.png`` and ``lr.json``.
        console: where to report to.

    Raises:
        GateError: the loss is not finite before anything was learnt.
        OcrtuneError: data, weights or configuration cannot be used.
    """
    with tempfile.TemporaryDirectory(prefix="ocrtune-lr-") as folder:
        task = prepared_task(config, Path(folder), console)
        found = lr_range_test(task, config, steps, console.bar("steps with a growing rate", steps))
    result = LrFound(found, out / "lr.png", out / "lr.json")
    write_whole(result.figure, lr_range_figure(found))
    write_whole(result.json, json.dumps(found.as_dict(), indent=1))
    return result
