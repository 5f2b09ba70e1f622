from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ocrtune.calibration.thresholds import calibrate, size_options
from ocrtune.detection.metric import hmean_difference_error, precision_recall_hmean
from ocrtune.detection.search import COARSE_GRID, Grid
from ocrtune.errors import GateError
from ocrtune.page import Page
from ocrtune.runtime.decode import DetectionThresholds
from ocrtune.runtime.preprocess import Batch, DetectionPreprocess
from support.pages import rectangle

PREPROCESS = DetectionPreprocess(resize="long_side", size=256)


def page(seed: int, regions: int = 8) -> Page:
    """A page whose own pixels are the maps: bright kernels (0.5) with a weak halo (0.25) and spots of noise (0.35)."""
    rng = np.random.default_rng(seed)
    image = np.zeros((256, 256, 3), np.uint8)
    labels = []
    for row in range(regions):
        x, y = int(rng.integers(10, 60)), 8 + 30 * row
        labels.append(rectangle(x, y, x + 120, y + 20))
        image[y + 1 : y + 19, x + 1 : x + 119] = 64
        image[y + 5 : y + 15, x + 5 : x + 115] = 128
    spot = int(rng.integers(20, 210))
    image[spot : spot + 16, 210:240] = 90
    return Page(image, labels, name=f"page {seed}")


class MapEngine:
    """Gives back a page's own pixels as its map, and counts how often it is asked for each."""

    def __init__(self) -> None:
        self.calls: Counter[bytes] = Counter()

    def __call__(self, batch: Batch) -> np.ndarray:
        self.calls[batch.tobytes()] += 1
        value = batch[0, 0] * 0.229 + 0.485
        return value[None, None].astype(np.float32)


def test_finds_thresholds_that_separate_text_from_noise_and_asks_once_a_size() -> None:
    pages = [page(seed) for seed in range(8)]
    engine = MapEngine()
    options = size_options(PREPROCESS, (256, 512))
    own = DetectionThresholds(bin_thresh=0.3, box_thresh=0.3)
    found = calibrate(engine, pages, PREPROCESS, own, options)
    assert found.before.hmean < 0.95, "the model's own thresholds let the noise in"
    assert found.best.hmean == 1.0
    # a threshold above the noise (0.35), by pixel or by box
    assert max(found.best.thresholds.bin_thresh, found.best.thresholds.box_thresh) > 0.35
    assert set(engine.calls.values()) == {1}
    assert len(engine.calls) == len(pages) * len(options)


def test_what_is_as_good_stays_as_it_is() -> None:
    pages = [page(seed) for seed in range(8)]
    own = DetectionThresholds(bin_thresh=0.42, box_thresh=0.47, unclip_ratio=1.45)
    found = calibrate(MapEngine(), pages, PREPROCESS, own, size_options(PREPROCESS, (512, 256)))
    assert found.before.hmean == found.settings[0].hmean == 1.0
    assert (found.best.preprocess, found.best.thresholds) == (PREPROCESS, own)


def test_another_size_is_taken_for_more_than_chance_only() -> None:
    pages = [page(seed) for seed in range(8)]
    own = DetectionThresholds(bin_thresh=0.4, box_thresh=0.45)
    tiny = PREPROCESS.model_copy(update={"size": 32})
    found = calibrate(MapEngine(), pages, tiny, own, size_options(tiny, (32, 256)))
    assert found.before.hmean < 0.5, "nothing is left of a text at an eighth of its size"
    assert found.best.preprocess.size == 256
    counts = np.tile([90.0, 100.0, 100.0], (30, 1))
    lucky = counts.copy()
    lucky[:3, 0] += (2, 2, -3)
    assert 0 < _hmean(lucky) - _hmean(counts) < hmean_difference_error(lucky, counts)
    better = counts + np.array([1.0, 0, 0])
    assert hmean_difference_error(better, counts) < 1e-9 < _hmean(better) - _hmean(counts), "it is so on each page"


def _hmean(counts: np.ndarray) -> float:
    return precision_recall_hmean(*counts.sum(axis=0))[2]


@pytest.mark.parametrize(("pages", "regions"), [(7, 8), (8, 2)])
def test_refuses_too_few_pages_or_texts(pages: int, regions: int) -> None:
    with pytest.raises(GateError, match="too few"):
        calibrate(MapEngine(), [page(seed, regions) for seed in range(pages)], PREPROCESS, DetectionThresholds())


def test_refined_grid_lies_around_the_coarse_best() -> None:
    near = Grid().around(DetectionThresholds(bin_thresh=0.35, unclip_ratio=1.4))
    assert near.bin_thresh == (0.25, 0.3, 0.35, 0.4)
    assert near.unclip_ratio == (1.2, 1.3, 1.4, 1.5, 1.6)
    assert near.box_thresh == COARSE_GRID.box_thresh
    far = Grid().around(DetectionThresholds(bin_thresh=0.9, box_thresh=0.62, unclip_ratio=1.5))
    assert far.bin_thresh == (0.9,)
    assert 0.62 in far.box_thresh


def test_missing_image_is_named(tmp_path: Path) -> None:
    pages = [*(page(seed) for seed in range(8)), Page(tmp_path / "gone.png", [rectangle(1, 1, 30, 20)])]
    with pytest.raises(Exception, match="does not exist"):
        calibrate(MapEngine(), pages, PREPROCESS, DetectionThresholds())
