"""Which thresholds suit a network on labelled pages: each page's map is computed once, then only decoded and matched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ocrtune.detection.metric import bootstrap_hmean, overlaps, precision_recall_hmean
from ocrtune.page import Page, Polygon, TextRegion
from ocrtune.runtime.decode import DetectionThresholds, ProbMap, find_candidates, grow_candidates
from ocrtune.runtime.engines import Engine
from ocrtune.runtime.preprocess import DetectionPreprocess
from ocrtune.task import Spread, alone

Counts: TypeAlias = npt.NDArray[np.float64]
"""float64 [pages, 3]: matched, predictions, labels."""


@dataclass(frozen=True)
class Grid:
    """The values that are tried; all combinations."""

    bin_thresh: tuple[float, ...] = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6)
    box_thresh: tuple[float, ...] = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)
    unclip_ratio: tuple[float, ...] = (1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.8, 2.0, 2.3)

    def around(self, thresholds: DetectionThresholds, bin_reach: float = 0.1, unclip_reach: float = 0.25) -> Grid:
        """These thresholds and the part of this grid that lies near them; the box threshold stays free, it costs nothing."""
        near_bin = {v for v in self.bin_thresh if abs(v - thresholds.bin_thresh) <= bin_reach + 1e-9}
        near_unclip = {v for v in self.unclip_ratio if abs(v - thresholds.unclip_ratio) <= unclip_reach + 1e-9}
        return Grid(
            tuple(sorted(near_bin | {thresholds.bin_thresh})),
            tuple(sorted({*self.box_thresh, thresholds.box_thresh})),
            tuple(sorted(near_unclip | {thresholds.unclip_ratio})),
        )


COARSE_GRID = Grid((0.15, 0.25, 0.35, 0.5), Grid.box_thresh, (1.0, 1.2, 1.4, 1.6, 1.9, 2.3))
"""For comparing input sizes; `Grid.around` then refines the best."""
QUICK_GRID = Grid((0.2, 0.3, 0.4, 0.5), (0.4, 0.5, 0.55, 0.6, 0.65, 0.7), (1.0, 1.2, 1.4, 1.6, 1.9))
"""For looking often during training."""


@dataclass(frozen=True)
class Setting:
    """One point of the search with its figures on the pages."""

    preprocess: DetectionPreprocess
    thresholds: DetectionThresholds
    counts: Counts = field(repr=False)

    @property
    def precision_recall_hmean(self) -> tuple[float, float, float]:
        return precision_recall_hmean(*self.counts.sum(axis=0))

    @property
    def hmean(self) -> float:
        return self.precision_recall_hmean[2]

    @property
    def hmean_ci95(self) -> tuple[float, float]:
        return bootstrap_hmean(self.counts)


def search_thresholds(
    engine: Engine,
    pages: Sequence[Page],
    preprocess: DetectionPreprocess,
    thresholds: DetectionThresholds,
    grid: Grid,
    each: Callable[[], None] = lambda: None,
    spread: Spread = alone,
) -> list[Setting]:
    """Figures of every combination; best hmean first.

    Args:
        engine: the network.
        pages: labelled pages; one map at a time is in memory.
        preprocess: how pages are read.
        thresholds: gives what is not searched (box type, score mode, dilation).
        grid: values to try.
        each: called after each page.
        spread: shares the pages out over processes.

    Raises:
        ImageError: a page's image is missing or damaged.
    """

    def counted(share: Sequence[Page]) -> list[Counts]:
        rows = []
        for page in share:
            image = page.load()
            size = (image.shape[1], image.shape[0])
            rows.append(_page_counts(page, engine(preprocess(image))[0, 0], size, thresholds, grid))
            each()
        return rows

    shape = (len(grid.bin_thresh), len(grid.unclip_ratio), len(grid.box_thresh))
    counts = np.reshape(spread(pages, counted), (len(pages), *shape, 3))
    settings = [
        Setting(
            preprocess,
            thresholds.model_copy(
                update={
                    "bin_thresh": grid.bin_thresh[b],
                    "unclip_ratio": grid.unclip_ratio[u],
                    "box_thresh": grid.box_thresh[t],
                }
            ),
            counts[:, b, u, t],
        )
        for b, u, t in np.ndindex(shape)
    ]
    return sorted(settings, key=lambda setting: -setting.hmean)


def _page_counts(
    page: Page, prob: ProbMap, size: tuple[int, int], thresholds: DetectionThresholds, grid: Grid
) -> Counts:
    """A page's counts in every setting, float64 [bin_thresh, unclip_ratio, box_thresh, 3]."""
    rows = []
    for bin_thresh in grid.bin_thresh:
        loose = thresholds.model_copy(update={"bin_thresh": bin_thresh, "box_thresh": min(grid.box_thresh)})
        candidates = find_candidates(prob, loose)
        for unclip in grid.unclip_ratio:
            grown = grow_candidates(candidates, loose.model_copy(update={"unclip_ratio": unclip}), size)
            rows.append(_counts_by_box_thresh(page, *grown, grid.box_thresh))
    return np.reshape(rows, (len(grid.bin_thresh), len(grid.unclip_ratio), len(grid.box_thresh), 3))


def _counts_by_box_thresh(
    page: Page, polygons: Sequence[Polygon], scores: npt.NDArray[np.float32], box_thresholds: Sequence[float]
) -> Counts:
    found = overlaps(page.regions, [TextRegion(polygon) for polygon in polygons])
    rows = []
    for box_thresh in box_thresholds:
        labels, predictions, pairs = found.match(scores >= box_thresh)
        rows.append((len(pairs), predictions, labels))
    return np.array(rows, np.float64)
