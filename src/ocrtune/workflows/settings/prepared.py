"""The task of a configuration, ready to be asked, without a run of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ocrtune.config.schema import TrainConfig
from ocrtune.workflows.console import Console
from ocrtune.workflows.recipes import RECIPES
from ocrtune.workflows.train import run_pages


def prepared_task(config: TrainConfig, folder: Path, console: Console) -> Any:
    """The task that a run of the configuration would train.

    Args:
        config: the configuration.
        folder: gets cut lines, where the task is about lines; a second call finds them there.
        console: where to report to.

    Raises:
        OcrtuneError: data, weights or configuration cannot be used.
    """
    recipe = RECIPES[config.task]
    train, val = (
        recipe.pages(pages, name, folder, console.bar)
        for name, pages in zip(("train", "val"), run_pages(config), strict=True)
    )
    return recipe.task(config, train, val, console.say)
