"""What is drawn is what a training reads: the same pixels that its loader hands over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ocrtune.config.load import load_config
from ocrtune.data.draw import captioned, draw_regions
from ocrtune.data.formats import write_dataset
from ocrtune.data.synth.receipts import render_receipt
from ocrtune.page import Page
from ocrtune.training.loading import loaded_batches
from ocrtune.workflows.console import Console
from ocrtune.workflows.recipes import RECIPES
from ocrtune.workflows.samples import drawn_samples
from ocrtune.workflows.train import run_pages
from support.pages import save_image


@pytest.fixture
def data(tmp_path: Path) -> str:
    import cv2

    pages = []
    for index in range(4):
        page = render_receipt(5, index)
        path = save_image(tmp_path / f"{index}.png")
        path.write_bytes(bytes(cv2.imencode(".png", page.load())[1]))
        pages.append(Page(path, page.regions[:3]))
    write_dataset(pages, "json", tmp_path / "pages.json")
    return f"json:{tmp_path / 'pages.json'}"


@pytest.mark.parametrize("task", ["detection", "recognition", "orientation"])
def test_drawn_samples_are_those_of_the_loader(task: str, data: str, tmp_path: Path) -> None:
    overrides = [f"data.train={data}", f"data.val={data}", f"task={task}", "augment.preset=scene", "trainer.seed=4"]
    if task == "recognition":
        overrides.append("text.policy=exact")
    config = load_config(None, overrides).config
    drawn = {sample.index: sample.image for sample in drawn_samples(config, 0, 3, Console())}
    assert len(drawn) == 3

    recipe = RECIPES[task]
    train, val = run_pages(config)
    prepared = recipe.pages(train, "train", tmp_path, Console().bar)
    trained: Any = recipe.task(config, prepared, val, lambda line: None)
    order = trained.samples.order(np.random.default_rng([4, 0])).tolist()
    loader = loaded_batches(trained, first_batch=0, count=len(order), batch_size=1, seed=4, num_workers=0)
    seen = dict(zip(order, loader, strict=True))
    for index, image in drawn.items():
        batch = seen[index].batch
        if task == "detection":
            view, regions = trained.samples.view(0, index)
            assert np.array_equal(batch.images[0].numpy(), view)
            assert np.array_equal(image[:, : view.shape[1]], draw_regions(view, regions))
        elif task == "recognition":
            line = batch.images[0, :, : int(batch.widths[0])].numpy()
            assert np.array_equal(image, captioned(line, trained.charset.decode(batch.labels[0]) or "(nothing)"))
        else:
            sample = trained.samples.sample(0, index)
            assert np.array_equal(batch.images, trained.preprocess([sample.image], trained.preprocess.max_width))
            assert np.array_equal(image, captioned(sample.image, "180" if index % 2 else "0"))
