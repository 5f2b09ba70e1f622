"""Training from a store gives the same samples, bit for bit, as from files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ocrtune.charset import Charset, plan_texts
from ocrtune.config.schema import AugmentConfig, DataConfig, RecognitionAugmentConfig, TargetSpec
from ocrtune.data.formats import read_dataset
from ocrtune.data.store_writer import build_store
from ocrtune.detection.samples import DetectionSamples
from ocrtune.detection.samples import augmentation as page_augmentation
from ocrtune.page import Page
from ocrtune.recognition.samples import RecognitionSamples
from ocrtune.recognition.samples import augmentation as line_augmentation
from ocrtune.recognition.task import check_lines
from ocrtune.runtime.preprocess import DetectionPreprocess, LinePreprocess
from ocrtune.workflows.recipes import RECIPES
from support.runs import small_dataset

CHARSET = Charset(tuple("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .:/-"))


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Page], list[Page], Path]:
    """The same receipts from files and from a store."""
    folder = tmp_path_factory.mktemp("receipts")
    pages = read_dataset(small_dataset(folder / "files", 3))
    build_store(pages, folder / "store")
    name = DataConfig.model_validate({"train_lmdb": str(folder / "store")}).train
    assert isinstance(name, str)
    return pages, read_dataset(name), folder


def test_detection_samples(sets: tuple[list[Page], list[Page], Path]) -> None:
    transform = page_augmentation(AugmentConfig(), DetectionPreprocess(), 160)
    files, store = (
        DetectionSamples(pages, transform, TargetSpec(shrink_ratio=0.4), True, seed=5) for pages in sets[:2]
    )
    for epoch, index in ((0, 0), (0, 2), (3, 1)):
        mine, theirs = files.sample(epoch, index), store.sample(epoch, index)
        np.testing.assert_array_equal(mine.image, theirs.image)
        for a, b in zip(mine.targets, theirs.targets, strict=True):
            np.testing.assert_array_equal(a, b)
        assert mine.targets[0].any(), "there is something to learn in the view"


def test_recognition_samples(sets: tuple[list[Page], list[Page], Path]) -> None:
    pages, stored, folder = sets
    files = line_samples(pages, folder / "run1")
    build_store([line.page for line in files.lines], folder / "lines")
    stores = [
        line_samples(stored, folder / "run2"),
        line_samples(read_dataset(f"lmdb:{folder / 'lines'}"), folder / "run3"),
    ]
    order = files.order(np.random.default_rng(0))
    for store in stores:
        np.testing.assert_array_equal(order, store.order(np.random.default_rng(0)))
        for epoch, index in ((0, 0), (1, 7), (2, len(files) - 1)):
            mine, theirs = files.sample(epoch, index), store.sample(epoch, index)
            np.testing.assert_array_equal(mine.image, theirs.image)
            assert mine.label == theirs.label


def line_samples(pages: list[Page], run: Path) -> RecognitionSamples:
    lines = RECIPES["recognition"].pages(pages, "train", run, lambda text, total: lambda: None)
    plan = plan_texts([region.text or "" for page in lines for region in page.regions], CHARSET, "drop")
    config = RecognitionAugmentConfig(join=0.3)
    return RecognitionSamples(
        check_lines(lines, plan, LinePreprocess(), 8).lines,
        config,
        line_augmentation(config),
        LinePreprocess(),
        CHARSET.index(" "),
        seed=5,
    )
