from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ocrtune.config.load import build_config
from ocrtune.config.schema import OrientationAugmentConfig, OrientationConfig
from ocrtune.data.lines import tells_direction
from ocrtune.errors import GateError
from ocrtune.orientation.evaluate import evaluate_orientation
from ocrtune.orientation.metric import MAX_WRONG_TURNS, OrientationResult, fit_threshold
from ocrtune.orientation.samples import OrientationSamples, augmentation, collate
from ocrtune.orientation.task import OrientationTask
from ocrtune.page import Page
from ocrtune.runtime.crop import turned_over
from ocrtune.runtime.load import load_orientation
from ocrtune.runtime.preprocess import LinePreprocess
from ocrtune.weights.registry import published_bundle
from ocrtune.workflows.recipes.orientation import OrientationRecipe
from support.pages import rectangle, save_image

PREPROCESS = LinePreprocess(min_width=192, max_width=192)


def line_pages(folder: Path, count: int = 8) -> list[Page]:
    return [
        Page(save_image(folder / f"{i}.png", 100, 30, seed=i), [rectangle(0, 0, 100, 30, f"Line {i}")])
        for i in range(count)
    ]


def test_the_published_classifier_tells_receipts_upside_down(receipt_pages: list[Page]) -> None:
    result = evaluate_orientation(load_orientation(published_bundle("ppocr-mobile-ori")), receipt_pages[:3])
    assert result.lines > 100
    assert result.accuracy > 0.85
    assert result.collapsed is None


def test_both_directions_are_equally_frequent_and_changed_alike(tmp_path: Path) -> None:
    config = OrientationAugmentConfig()
    samples = OrientationSamples(line_pages(tmp_path), config, augmentation(config), PREPROCESS, 0)
    assert [samples.sample(0, i).turned for i in range(4)] == [False, True, False, True]
    assert len(samples) == 16
    plain = OrientationAugmentConfig(
        jitter=0, grow=(0, 0), tia=0, rotate=0, colour=False, blur=0, noise=0, small=0, jpeg=0, invert=0, erase="none"
    )
    still = OrientationSamples(samples.lines, plain, augmentation(plain), PREPROCESS, 0)
    upright, turned = still.sample(0, 0).image, still.sample(0, 1).image
    np.testing.assert_allclose(turned_over(turned).astype(int), upright.astype(int), atol=2)


@pytest.mark.parametrize("mix", ["none", "mixup", "cutmix"])
def test_mixed_labels_stay_probabilities(mix: str, tmp_path: Path) -> None:
    config = OrientationAugmentConfig(mix=mix, mix_alpha=1.0)
    samples = OrientationSamples(line_pages(tmp_path), config, augmentation(config), PREPROCESS, 0)
    batch = collate([samples.sample(0, i) for i in range(8)], PREPROCESS, config, 0)
    assert batch.images.shape == (8, 3, 48, 192)
    torch.testing.assert_close(batch.directions.sum(1), torch.ones(8))
    again = collate([samples.sample(0, i) for i in range(8)], PREPROCESS, config, 0)
    torch.testing.assert_close(batch.images, again.images)
    assert bool(((batch.directions > 0) & (batch.directions < 1)).any()) == (mix != "none")


def test_the_threshold_protects_upright_lines() -> None:
    rng = np.random.default_rng(0)
    upright, turned = rng.uniform(0, 0.7, 1000), rng.uniform(0.6, 1.0, 1000)
    probabilities = np.concatenate([upright, turned]).astype(np.float32)
    truth = np.repeat([False, True], 1000)
    threshold = fit_threshold(probabilities, truth)
    assert threshold >= 0.65
    assert (upright > threshold).mean() <= MAX_WRONG_TURNS


def test_collapse_is_noticed_and_not_exported(tmp_path: Path) -> None:
    truth = np.repeat([False, True], 20)
    always = OrientationResult(np.full(40, 0.99, np.float32), truth, 0.9)
    assert always.collapsed == 180
    assert OrientationResult(np.zeros(40, np.float32), truth, 0.9).collapsed == 0
    pages = line_pages(tmp_path)
    config = build_config({"task": "orientation", "data": {"train": "x"}})
    assert isinstance(config, OrientationConfig)
    task = OrientationTask(config, pages, pages)
    details = {"thresholds": {"turn_thresh": 0.9}, "collapsed": 180}
    with pytest.raises(GateError, match="calls every line 180 degrees"):
        OrientationRecipe().export(task, task.network(), details, tmp_path / "bundle", pages, {})
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize(
    ("text", "tells"), [("TOTAL", True), ("Line 5", True), ("8", False), ("1001", False), ("OXO", False), ("25", True)]
)
def test_texts_that_look_the_same_turned_over_are_left_out(text: str, tells: bool) -> None:
    assert tells_direction(rectangle(0, 0, 10, 5, text)) is tells
