"""A visitor's calibration of a detector: chosen data, maps, figures, the fit, the new bundle."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ocrtune.bundle import PARTS, Bundle, save_pipeline
from ocrtune.calibration.thresholds import calibrate, size_options
from ocrtune.data.formats import read_dataset
from ocrtune.data.lines import spread_sample
from ocrtune.detection.metric import bootstrap_hmean, precision_recall_hmean
from ocrtune.detection.search import Counts
from ocrtune.errors import DataError
from ocrtune.runtime.decode import DetectionThresholds
from ocrtune.runtime.detector import TextDetector
from ocrtune.runtime.load import part_for
from ocrtune.webui.maps import Maps, maps_folder
from ocrtune.webui.workspace import Workspace

EXAMPLES = 6


@dataclass(eq=False)
class Calibrating:
    """What is calibrated, on which pages.

    Attributes:
        bundle: as chosen: a detector, or a pipeline with one.
        data: label file of the pages.
        maps: of the pages.
        own: thresholds of the bundle.
        before: counts at those, with the bundle's own input size.
        fitted: thresholds of the best fit, and its counts; None before one.
    """

    bundle: Bundle
    data: str
    maps: Maps
    own: DetectionThresholds
    before: Counts
    fitted: tuple[DetectionThresholds, Counts] | None = None

    @classmethod
    def begin(
        cls,
        workspace: Workspace,
        bundle_spec: str,
        data_spec: str | None,
        most: int,
        progress: Callable[[int, int], None],
    ) -> Calibrating:
        """Read the pages and compute their maps.

        Args:
            workspace: the page's.
            bundle_spec, data_spec: as chosen and typed.
            most: pages; of more, so many are taken, evenly spread.
            progress: told how many of how many pages are done.

        Raises:
            OcrtuneError: the bundle finds no text, or the data cannot be read.
        """
        bundle = workspace.bundle(bundle_spec)
        part = part_for(bundle, "detection")
        data = workspace.dataset(data_spec)
        detector = workspace.models.get(part)
        assert isinstance(detector, TextDetector)
        pages = spread_sample([page for page in read_dataset(data) if page.regions], most)
        if not pages:
            raise DataError("no page has a labelled text", where=data, hint="choose other labels")
        maps = Maps(detector, pages, maps_folder(workspace.outputs / ".maps", part))
        for done in maps.compute(workspace.models.busy):
            progress(done, len(pages))
        return cls(bundle, data, maps, detector.thresholds, maps.counts(detector.thresholds))

    def thresholds(self, bin_thresh: float, box_thresh: float, unclip_ratio: float) -> DetectionThresholds:
        """The bundle's own with three of them moved."""
        moved = {"bin_thresh": bin_thresh, "box_thresh": box_thresh, "unclip_ratio": unclip_ratio}
        return self.own.model_copy(update=moved)

    def fit(self, sizes: bool, busy: threading.Lock, tell: Callable[[str], None]) -> DetectionThresholds:
        """Find the thresholds with the best hmean, as ``ocrtune calibrate`` does.

        Args:
            sizes: try other input sizes, too.
            busy: held while the network runs.
            tell: takes a line for each input size.

        Raises:
            GateError: the pages are too few.
        """
        detector = self.maps.detector
        options = size_options(detector.preprocess) if sizes else [detector.preprocess]
        found = calibrate(self.maps.engine, self.maps.pages, detector.preprocess, self.own, options, tell)
        best = found.best
        if best.preprocess != detector.preprocess:
            sized = TextDetector(detector.engine, best.preprocess, detector.thresholds)
            self.maps = Maps(sized, self.maps.pages, self.maps.folder)
            for done in self.maps.compute(busy):
                tell(f"{done}")
        self.fitted = (best.thresholds, best.counts)
        return best.thresholds

    def worst(self, thresholds: DetectionThresholds) -> list[tuple[bytes, int, int, str]]:
        """The pages with the most errors: JPEG, missed texts, wrong boxes, name."""
        counts = self.maps.counts(thresholds)
        errors = counts[:, 1] + counts[:, 2] - 2 * counts[:, 0]
        shown = []
        for index in np.argsort(-errors, kind="stable")[:EXAMPLES].tolist():
            matched, predictions, labels = (int(value) for value in counts[index])
            picture = self.maps.picture(index, thresholds)
            shown.append((picture, labels - matched, predictions - matched, Path(self.maps.pages[index].name).name))
        return shown

    def save(self, folder: Path, thresholds: DetectionThresholds) -> Bundle:
        """The bundle with these thresholds, in a new folder; a pipeline keeps its other parts.

        Raises:
            DataError: the folder exists.
        """
        if folder.exists():
            raise DataError("there is something of this name already", where=folder, hint="choose another name")
        part = part_for(self.bundle, "detection")
        changes: dict[str, Any] = {
            "preprocess": self.maps.detector.preprocess.model_dump(mode="json"),
            "thresholds": thresholds.model_dump(mode="json"),
            "metrics": {**part.manifest.metrics, "calibration": self._figures(thresholds)},
        }
        if part.path == self.bundle.path:
            return part.rewritten(folder, **changes)
        with tempfile.TemporaryDirectory(prefix="ocrtune-bundle-") as temporary:
            parts = {task: found for task in PARTS if (found := self.bundle.part(task)) is not None}
            parts["detection"] = part.rewritten(Path(temporary) / "detection", **changes)
            return save_pipeline(folder, parts, self.bundle.manifest)

    def _figures(self, thresholds: DetectionThresholds) -> dict[str, Any]:
        counts = self.maps.counts(thresholds)
        return {
            "pages": len(counts),
            "hmean": round(precision_recall_hmean(*counts.sum(axis=0))[2], 6),
            "hmean_ci95": [round(bound, 6) for bound in bootstrap_hmean(counts)],
            "hmean_before": round(precision_recall_hmean(*self.before.sum(axis=0))[2], 6),
            "data": self.data,
        }
