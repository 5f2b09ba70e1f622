"""Probability maps of labelled pages, computed once, and what thresholds make of them."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ocrtune.bundle import Bundle
from ocrtune.calibration.thresholds import CachedEngine
from ocrtune.detection.metric import Overlaps, match_page, overlaps
from ocrtune.detection.search import Counts
from ocrtune.page import Page, TextRegion
from ocrtune.report.figures import match_picture
from ocrtune.runtime.decode import Candidates, DetectionThresholds, find_candidates, grow_candidates
from ocrtune.runtime.detector import TextDetector

LOWEST_BOX_THRESH = 0.1
"""Weaker boxes are left out before they are matched; the slider begins here."""
_KEPT = 3


@dataclass
class Maps:
    """Labelled pages with their maps on disk.

    Attributes:
        detector: whose maps they are, with its own settings.
        pages: the labelled pages.
        folder: of the maps.
    """

    detector: TextDetector
    pages: Sequence[Page]
    folder: Path
    _paths: list[Path] = field(default_factory=list)
    _sizes: list[tuple[int, int]] = field(default_factory=list)
    _candidates: tuple[float, list[Candidates]] | None = None
    _overlaps: tuple[tuple[float, float], list[tuple[Overlaps, npt.NDArray[np.float32]]]] | None = None

    @property
    def engine(self) -> CachedEngine:
        """The network, asked only for what is not on disk."""
        return CachedEngine(self.detector.engine, self.folder)

    def compute(self, busy: threading.Lock) -> Iterator[int]:
        """Compute the maps that are not there yet; gives the number of pages that are done after each.

        Args:
            busy: held while the network runs.

        Raises:
            ImageError: a page's image is missing or damaged.
        """
        engine = self.engine
        for page in self.pages[len(self._paths) :]:
            image = page.load()
            with busy:
                path = engine.stored(self.detector.preprocess(image))
            self._paths.append(path)
            self._sizes.append((image.shape[1], image.shape[0]))
            yield len(self._paths)

    def counts(self, thresholds: DetectionThresholds) -> Counts:
        """Matched, predictions and labels of each page; what only the box threshold changes is matched anew alone."""
        rows = []
        for found, scores in self._overlapping(thresholds):
            labels, predictions, pairs = found.match(scores >= thresholds.box_thresh)
            rows.append((len(pairs), predictions, labels))
        return np.array(rows, np.float64).reshape(-1, 3)

    def picture(self, index: int, thresholds: DetectionThresholds) -> bytes:
        """A page with what is found, missed and wrong at some thresholds, as JPEG."""
        page = self.pages[index]
        image = page.load()
        detector = TextDetector(self.detector.engine, self.detector.preprocess, thresholds)
        prediction = page.with_regions(detector.regions(self._map(index), image))
        return match_picture(page, prediction, match_page(page, prediction))

    def _map(self, index: int) -> npt.NDArray[np.float32]:
        return np.asarray(np.load(self._paths[index], mmap_mode="r")[0, 0], np.float32)

    def _overlapping(self, thresholds: DetectionThresholds) -> list[tuple[Overlaps, npt.NDArray[np.float32]]]:
        key = (thresholds.bin_thresh, thresholds.unclip_ratio)
        if self._overlaps is None or self._overlaps[0] != key:
            loose = thresholds.model_copy(update={"box_thresh": LOWEST_BOX_THRESH})
            if self._candidates is None or self._candidates[0] != thresholds.bin_thresh:
                found = [find_candidates(self._map(index), loose) for index in range(len(self._paths))]
                self._candidates = (thresholds.bin_thresh, found)
            rows = []
            for page, size, candidates in zip(self.pages, self._sizes, self._candidates[1], strict=True):
                polygons, scores = grow_candidates(candidates, loose, size)
                rows.append((overlaps(page.regions, [TextRegion(polygon) for polygon in polygons]), scores))
            self._overlaps = (key, rows)
        return self._overlaps[1]


def maps_folder(cache: Path, bundle: Bundle) -> Path:
    """Where the maps of a bundle's network lie; those of others than the last few are deleted."""
    folder = cache / bundle.manifest.files.get("model.onnx", bundle.fingerprint())[:16]
    folder.mkdir(parents=True, exist_ok=True)
    folder.touch()
    others = sorted((other for other in cache.iterdir() if other != folder), key=lambda f: -f.stat().st_mtime)
    for old in others[_KEPT - 1 :]:
        shutil.rmtree(old, ignore_errors=True)
    return folder
