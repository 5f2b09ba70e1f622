"""What a training run would see: its samples, drawn."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ocrtune.config.schema import RecognitionConfig, TrainConfig
from ocrtune.data.draw import captioned, draw_regions, tinted
from ocrtune.detection.task import DetectionTask
from ocrtune.page import Image
from ocrtune.recognition.task import RecognitionTask
from ocrtune.workflows.console import Console
from ocrtune.workflows.recipes import RECIPES
from ocrtune.workflows.train import run_pages


@dataclass(frozen=True)
class DrawnSample:
    """A training sample to be looked at.

    Attributes:
        index: its index in every epoch.
        image: for detection the view with its texts, and beside it what is learnt; for lines the line above what is
            taught for it; uint8 [H, W, 3] BGR.
    """

    index: int
    image: Image


def drawn_samples(config: TrainConfig, epoch: int, limit: int, console: Console) -> Iterator[DrawnSample]:
    """Some samples of a training run, made by the code that trains.

    Args:
        config: of the run.
        epoch: from 0.
        limit: how many; the same indices for every epoch.
        console: where to report to.

    Raises:
        OcrtuneError: as the training itself would.
    """
    recipe = RECIPES[config.task]
    train_pages, val_pages = run_pages(config)
    if isinstance(config, RecognitionConfig):
        # how lines are compared changes no sample, and finding out would read the validation lines
        config = config.model_copy(update={"text": config.text.model_copy(update={"policy": "exact"})})
    with tempfile.TemporaryDirectory() as folder:
        prepared = recipe.pages(train_pages, "train", Path(folder), console.bar)
        task = recipe.task(config, prepared, val_pages, console.say)
        count = len(task.samples)
        for index in sorted(np.random.default_rng(count).permutation(count)[:limit].tolist()):
            yield DrawnSample(index, _drawn(task, epoch, index))


def _drawn(task: Any, epoch: int, index: int) -> Image:
    if isinstance(task, DetectionTask):
        view, regions = task.samples.view(epoch, index)
        targets = task.samples.sample(epoch, index).targets
        learnt = tinted(view, targets.shrink_map, (0, 0, 255))
        learnt = tinted(learnt, (targets.shrink_mask == 0).astype(np.float32), (128, 128, 128))
        learnt = tinted(learnt, (targets.shrink_mask > 1).astype(np.float32), (255, 128, 0))
        return np.hstack([draw_regions(view, regions), learnt])
    sample = task.samples.sample(epoch, index)
    if isinstance(task, RecognitionTask):
        return captioned(sample.image, task.charset.decode(sample.label) or "(nothing)")
    return captioned(sample.image, "180" if sample.turned else "0")
