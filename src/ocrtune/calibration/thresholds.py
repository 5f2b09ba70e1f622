"""Calibration of a detector: input size, bin threshold, box threshold and unclip ratio fitted together.

Each page's map is computed once a size. A coarse grid compares the sizes; fine ones refine, around its best points at the
sizes that come into question, and around the model's own setting.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ocrtune.detection.metric import hmean_difference_error
from ocrtune.detection.search import COARSE_GRID, Grid, Setting, search_thresholds
from ocrtune.errors import GateError
from ocrtune.page import Page
from ocrtune.runtime.decode import DetectionThresholds
from ocrtune.runtime.engines import Engine
from ocrtune.runtime.preprocess import Batch, DetectionPreprocess

MIN_PAGES = 8
MIN_REGIONS = 50
PAGE_SIZES = (960, 1120, 1280, 1440, 1600)
_REFINED = 0.01  # below the best hmean of the coarse grid; further down, a size is not refined


@dataclass(frozen=True)
class Calibration:
    """What a calibration found.

    Attributes:
        best: the fitted setting, with its figures on the calibration pages; the model's own size stays where the gain of
            another one is within the standard error.
        before: the model's own setting on the same pages.
        pages: how many pages were used.
        settings: everything that was tried, by hmean.
    """

    best: Setting
    before: Setting
    pages: int
    settings: list[Setting]


def size_options(preprocess: DetectionPreprocess, sizes: Sequence[int] = PAGE_SIZES) -> list[DetectionPreprocess]:
    """The model's pre-processing with the longer side set to each of the sizes."""
    return [preprocess.model_copy(update={"resize": "long_side", "size": size}) for size in sizes]


def calibrate(
    engine: Engine,
    pages: Sequence[Page],
    preprocess: DetectionPreprocess,
    thresholds: DetectionThresholds,
    options: Sequence[DetectionPreprocess] | None = None,
    progress: Callable[[str], None] = lambda message: None,
) -> Calibration:
    """Fit the setting with the best hmean.

    Args:
        engine: the network.
        pages: labelled pages that were not trained on and are not reported on.
        preprocess: the model's own pre-processing.
        thresholds: the model's own thresholds; they give what is not searched (box type, score mode, dilation).
        options: pre-processing to try; None tries the longer side at `PAGE_SIZES`.
        progress: takes one line for each input size.

    Raises:
        GateError: the pages or their texts are too few to fit anything that would hold on other pages.
        ImageError: a page's image is missing or damaged.
    """
    regions = sum(not region.ignore for page in pages for region in page.regions)
    if len(pages) < MIN_PAGES or regions < MIN_REGIONS:
        raise GateError(
            f"{len(pages)} pages with {regions} texts are too few to calibrate on: "
            "thresholds would fit these pages by chance",
            expected=f"at least {MIN_PAGES} pages with {MIN_REGIONS} texts together, none of them used in training",
            hint="label more pages, or keep the model's own thresholds",
        )
    own = Grid((thresholds.bin_thresh,), (thresholds.box_thresh,), (thresholds.unclip_ratio,))
    with tempfile.TemporaryDirectory(prefix="ocrtune-maps-") as folder:
        cached = CachedEngine(engine, Path(folder))
        before = search_thresholds(cached, pages, preprocess, thresholds, own)[0]
        progress(f"as it is: hmean {before.hmean:.4f}")
        options = options if options is not None else size_options(preprocess)
        coarse = []
        for option in options:
            coarse.append(search_thresholds(cached, pages, option, thresholds, COARSE_GRID))
            progress(f"longer side {option.size}: hmean {coarse[-1][0].hmean:.4f}")
        top = max(found[0].hmean for found in coarse)
        settings = [before] if preprocess in options else []  # first: of equals, it stays
        starts = [*settings, *(found[0] for found in coarse if found[0].hmean > top - _REFINED)]
        settings += [setting for found in coarse for setting in found]
        for start in starts:
            grid = Grid().around(start.thresholds)
            settings += search_thresholds(cached, pages, start.preprocess, thresholds, grid)
    settings.sort(key=lambda setting: -setting.hmean)
    return Calibration(_best(settings, preprocess), before, len(pages), settings)


def _best(settings: Sequence[Setting], own: DetectionPreprocess) -> Setting:
    """The best of sorted settings, or the best at the model's own size if the other gains less than one standard error.

    A network that was trained at a size is best there; on some tens of pages, another one looks better by chance. Breiman
    et al. 1984, "Classification and Regression Trees", section 3.4.3, have the rule of one standard error.
    """
    best, stays = settings[0], next((setting for setting in settings if setting.preprocess == own), settings[0])
    gain = best.hmean - stays.hmean
    return best if gain > hmean_difference_error(best.counts, stays.counts) else stays


class CachedEngine:
    """Remembers an engine's answers on disk, so that memory stays flat for any number of pages.

    Args:
        engine: the network.
        folder: gets a file for each answer; an answer that is there already is taken from it.
    """

    def __init__(self, engine: Engine, folder: Path) -> None:
        self._engine = engine
        self._folder = folder

    def __call__(self, batch: Batch) -> npt.NDArray[np.float32]:
        return np.asarray(np.load(self.stored(batch)), np.float32)

    def stored(self, batch: Batch) -> Path:
        """The ``.npy`` file with the answer to a batch."""
        digest = hashlib.blake2b(str(batch.shape).encode(), digest_size=16)
        digest.update(np.ascontiguousarray(batch).data)
        path = self._folder / f"{digest.hexdigest()}.npy"
        if not path.is_file():
            unfinished = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}.npy")
            np.save(unfinished, self._engine(batch))
            unfinished.replace(path)
        return path
