"""Joint search of input size, bin threshold, box threshold and unclip ratio on held-out pages.

Probability maps are computed once per input size and kept as uint8; every setting is then only decoding and matching.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ocrtune.detection.metric import bootstrap_hmean, overlaps, precision_recall_hmean
from ocrtune.errors import GateError
from ocrtune.page import Page, TextRegion
from ocrtune.runtime.decode import DetectionThresholds, ProbMap, find_candidates, grow_candidates
from ocrtune.runtime.engines import Engine
from ocrtune.runtime.preprocess import DetectionPreprocess

MIN_PAGES = 8
MIN_REGIONS = 50
Counts = npt.NDArray[np.float64]
"""float64 [pages, 3]: matched, predictions, labels."""


@dataclass(frozen=True)
class Grid:
    """The settings that are tried; all combinations."""

    bin_thresh: tuple[float, ...] = (0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
    box_thresh: tuple[float, ...] = (0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)
    unclip_ratio: tuple[float, ...] = (1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.3, 2.6)


@dataclass(frozen=True)
class Setting:
    """One point of the search with its figures on the calibration pages."""

    preprocess: DetectionPreprocess
    thresholds: DetectionThresholds
    counts: Counts = field(repr=False)

    @property
    def hmean(self) -> float:
        return precision_recall_hmean(*self.counts.sum(axis=0))[2]

    @property
    def hmean_ci95(self) -> tuple[float, float]:
        return bootstrap_hmean(self.counts)


def cache_maps(
    engine: Engine, preprocess: DetectionPreprocess, pages: Iterable[Page]
) -> list[tuple[npt.NDArray[np.uint8], tuple[int, int]]]:
    """Probability maps as uint8 (in steps of 1/255) and the pages' own sizes (width, height)."""
    cached = []
    for page in pages:
        image = page.load()
        prob = engine(preprocess(image))[0, 0]
        cached.append((np.round(prob * 255).astype(np.uint8), (image.shape[1], image.shape[0])))
    return cached


def search(
    engine: Engine,
    pages: Sequence[Page],
    preprocess: Sequence[DetectionPreprocess],
    thresholds: DetectionThresholds,
    grid: Grid | None = None,
    progress: Callable[[str], None] = lambda message: None,
) -> list[Setting]:
    """Try every combination; best setting first.

    Args:
        engine: the network.
        pages: labelled pages that were not trained on.
        preprocess: the input sizes to try.
        thresholds: gives what is not searched (box type, score mode, dilation).
        grid: values to try.
        progress: takes one line for each input size.

    Raises:
        GateError: the pages or their labelled texts are too few to fit anything that would hold on other pages.
    """
    regions = sum(not region.ignore for page in pages for region in page.regions)
    if len(pages) < MIN_PAGES or regions < MIN_REGIONS:
        raise GateError(
            f"{len(pages)} pages with {regions} texts are too few to calibrate on: the thresholds would fit them by chance",
            expected=f"at least {MIN_PAGES} pages with {MIN_REGIONS} texts together, none of them used in training",
            hint="label more pages, or keep the model's own thresholds",
        )
    grid = grid or Grid()
    settings: list[Setting] = []
    for option in preprocess:
        maps = cache_maps(engine, option, pages)
        found = _search_maps(maps, pages, option, thresholds, grid)
        settings += found
        best = max(found, key=lambda setting: setting.hmean)
        progress(f"{option.resize} {option.size}: best hmean {best.hmean:.4f}")
    return sorted(settings, key=lambda setting: -setting.hmean)


def _search_maps(
    maps: Sequence[tuple[npt.NDArray[np.uint8], tuple[int, int]]],
    pages: Sequence[Page],
    preprocess: DetectionPreprocess,
    thresholds: DetectionThresholds,
    grid: Grid,
) -> list[Setting]:
    shape = (len(grid.bin_thresh), len(grid.unclip_ratio), len(grid.box_thresh), len(pages), 3)
    counts = np.zeros(shape, np.float64)
    for index, ((cached, size), page) in enumerate(zip(maps, pages, strict=True)):
        prob: ProbMap = cached.astype(np.float32) / 255
        for b, bin_thresh in enumerate(grid.bin_thresh):
            loose = thresholds.model_copy(update={"bin_thresh": bin_thresh, "box_thresh": min(grid.box_thresh)})
            candidates = find_candidates(prob, loose)
            for u, unclip in enumerate(grid.unclip_ratio):
                grown = grow_candidates(candidates, loose.model_copy(update={"unclip_ratio": unclip}), size)
                counts[b, u, :, index] = _counts_by_box_thresh(page, *grown, grid.box_thresh)
    return [
        Setting(
            preprocess,
            thresholds.model_copy(
                update={
                    "bin_thresh": grid.bin_thresh[b],
                    "unclip_ratio": grid.unclip_ratio[u],
                    "box_thresh": grid.box_thresh[t],
                }
            ),
            counts[b, u, t],
        )
        for b, u, t in np.ndindex(shape[:3])
    ]


def _counts_by_box_thresh(
    page: Page,
    polygons: Sequence[npt.NDArray[np.float32]],
    scores: npt.NDArray[np.float32],
    box_thresholds: Sequence[float],
) -> Counts:
    found = overlaps(page.regions, [TextRegion(polygon) for polygon in polygons])
    rows = []
    for box_thresh in box_thresholds:
        labels, predictions, pairs = found.match(scores >= box_thresh)
        rows.append((len(pairs), predictions, labels))
    return np.array(rows, np.float64)
