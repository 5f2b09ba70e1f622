"""Anchors from every source, and every task beside its own start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import pytest
import torch

from ocrtune.config.load import load_config
from ocrtune.config.schema import TrainConfig
from ocrtune.data.content import content_hash
from ocrtune.data.formats import read_dataset, write_dataset
from ocrtune.data.synth.receipts import render_receipt
from ocrtune.errors import DataError, GateError
from ocrtune.page import Page
from ocrtune.workflows import anchor
from ocrtune.workflows.anchor import prepared_anchor
from ocrtune.workflows.console import Console
from ocrtune.workflows.recipes import RECIPES

TASKS = ("detection", "recognition", "orientation")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A label file of 24 small pieces of receipts, three texts each, and a folder of them."""
    folder = tmp_path_factory.mktemp("anchor")
    pages = []
    for index in range(24):
        page = render_receipt(7, index % 4)
        regions = page.regions[index // 4 * 3 : index // 4 * 3 + 3]
        top = max(0, int(min(r.polygon[:, 1].min() for r in regions)) - 8)
        end = int(max(r.polygon[:, 1].max() for r in regions)) + 8
        for region in regions:
            region.polygon[:, 1] -= top
        path = folder / "images" / f"{index}.png"
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), page.load()[top:end])
        pages.append(Page(path, regions))
    write_dataset(pages, "json", folder / "pages.json")
    return folder


def settings(task: str, data: Path, *overrides: str) -> TrainConfig:
    source = f"json:{data / 'pages.json'}"
    policy = ["text.policy=exact"] if task == "recognition" else []
    return load_config(None, [f"data.train={source}", f"data.val={source}", f"task={task}", *policy, *overrides]).config


@pytest.mark.parametrize("replay", [0.0, 0.25])
def test_no_page_is_in_two_parts_and_the_parts_are_kept(replay: float, data: Path, tmp_path: Path) -> None:
    config = settings("detection", data, f"forgetting.anchor=json:{data / 'pages.json'}", f"forgetting.replay={replay}")
    found = prepared_anchor(config, RECIPES["detection"], tmp_path, Console())
    parts = [{content_hash(page.load()) for page in part} for part in (found.replay, found.choose, found.report)]
    assert not parts[0] & parts[1]
    assert not parts[1] & parts[2]
    assert not parts[0] & parts[2]
    assert min(len(part) for part in parts[1:]) >= anchor.MIN_PAGES
    assert bool(found.replay) == (replay > 0)
    again = prepared_anchor(
        settings("detection", data, "forgetting.anchor=json:gone.json"), RECIPES["detection"], tmp_path, Console()
    )
    assert [page.path for page in again.report] == [page.path for page in found.report], "read from the run folder"


def test_too_few_pages_or_none_that_count_are_refused(data: Path, tmp_path: Path) -> None:
    small = settings("detection", data, f"forgetting.anchor=json:{data / 'pages.json'}")
    page = Page(data / "images" / "0.png", [])
    for count, error in ((5, GateError), (24, DataError)):
        write_dataset([page] * count, "json", tmp_path / "other.json", replace=True)
        config = small.model_copy(
            update={"forgetting": small.forgetting.model_copy(update={"anchor": f"json:{tmp_path / 'other.json'}"})}
        )
        with pytest.raises(error):
            prepared_anchor(config, RECIPES["detection"], tmp_path / str(count), Console())


def test_generated_pages(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anchor, "_SYNTH_PAGES", 16)
    found = prepared_anchor(
        settings("detection", data, "forgetting.anchor=synth"), RECIPES["detection"], tmp_path, Console()
    )
    assert len(found.choose) == len(found.report) == 8
    assert all(region.text for page in found.choose for region in page.regions)


@pytest.mark.parametrize("task", ["detection", "recognition"])
def test_the_base_labels_images_and_ignores_what_it_is_not_sure_of(task: str, data: Path, tmp_path: Path) -> None:
    config = settings(task, data, f"forgetting.anchor=base:{data / 'images'}")
    found = prepared_anchor(config, RECIPES[task], tmp_path, Console())
    regions = [region for page in found.choose + found.report for region in page.regions]
    assert sum(not region.ignore for region in regions) >= 10
    if task == "recognition":
        labelled = {region.text for region in regions}
        written = {region.text for page in map(render_receipt, [7] * 4, range(4)) for region in page.regions}
        assert len(labelled & written) >= len(labelled) // 2


@pytest.mark.parametrize("task", TASKS)
def test_a_network_is_at_no_distance_from_its_start(task: str, data: Path, tmp_path: Path) -> None:
    recipe = RECIPES[task]
    small = ["input.page_size=320", "input.view_size=96"] if task == "detection" else []
    config = settings(task, data, "trainer.precision=fp32", *small)
    pages = recipe.pages(read_dataset(f"json:{data / 'pages.json'}")[:6], "train", tmp_path, Console().bar)
    made: Any = recipe.task(config, pages, pages, lambda line: None)
    samples = made.replayed(pages)
    assert len(samples) == len(made.samples)
    batch = made.collate([samples.sample(0, index) for index in range(2)])
    network, start = made.network().eval(), made.network().eval()
    network.training = True  # logits, but no dropout
    with torch.no_grad():
        parts, distance = made.loss_beside(network, start, batch)
        torch.testing.assert_close(parts["loss"], made.loss(network, batch)["loss"])
        assert abs(distance.item()) < 1e-3
        for parameter in network.head.parameters():
            parameter.neg_()
        assert made.loss_beside(network, start, batch)[1].item() > 1e-2
    details = made.evaluate(start).details
    figure = made.measure_on(pages)(start, details)
    assert figure == made.evaluate(start).monitor, "the same pages, the same figure"
