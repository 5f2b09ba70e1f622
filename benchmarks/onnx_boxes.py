"""Hmean and time a page of onnx-boxes files, side by side with the normal path on pages stretched to the same size.

The last row of each data set is the normal path with the bundle's own pre-processing, which keeps the pages' shape.
An argument is the number of pages. The sides take turns page by page, so that whatever else the machine does hits both.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

import onnx
from _common import pages, show

from ocrtune.detection.metric import DetectionScore, PageMatch, match_page, score
from ocrtune.export.boxes.gate import StretchedPreprocess
from ocrtune.export.boxes.model import detector_with_boxes
from ocrtune.page import Image, Page, TextRegion
from ocrtune.runtime.boxes import BoxDetector
from ocrtune.runtime.detector import TextDetector
from ocrtune.runtime.engines import OnnxBoxEngine
from ocrtune.runtime.load import detection_settings, load_detector
from ocrtune.weights.registry import published_bundle

MODEL = "ppocrv4-mobile-det"
SETS = {"receipts/val": (736, 1280), "scene_text/test_list.txt": (1280, 736)}
"""Each with the size that fits the shape of its pages."""
SQUARE = (800, 800)
Finder = Callable[[Image], list[TextRegion]]


def measured(some: Sequence[Page], finders: Sequence[Finder]) -> list[tuple[float, DetectionScore]]:
    """Milliseconds a page and figures of each finder."""
    seconds = [0.0] * len(finders)
    matches: list[list[PageMatch]] = [[] for _ in finders]
    for page in some:
        image = page.load()
        for index, finder in enumerate(finders):
            started = time.perf_counter()
            regions = finder(image)
            seconds[index] += time.perf_counter() - started
            matches[index].append(match_page(page, page.with_regions(regions)))
    return [(1000 * taken / len(some), score(m)) for taken, m in zip(seconds, matches, strict=True)]


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else None
    bundle = published_bundle(MODEL)
    preprocess, thresholds = detection_settings(bundle)
    normal = load_detector(bundle)
    for name, fitting in SETS.items():
        label, some = pages(name, count)
        sides: dict[str, Finder] = {}
        for width, height in (SQUARE, fitting):
            model = detector_with_boxes(onnx.load(str(bundle.onnx)), preprocess, thresholds, width, height)
            stretched = StretchedPreprocess(**preprocess.model_dump(), width=width, height=height)
            size = f"{width}x{height}"
            sides[f"{size}, normal path"] = TextDetector(normal.engine, stretched, thresholds).detect
            sides[f"{size}, onnx-boxes"] = BoxDetector(OnnxBoxEngine(model.SerializeToString())).detect
        sides["normal path, own size"] = normal.detect
        results = measured(some, list(sides.values()))
        rows = [
            (side, f"{found.hmean:.4f}", f"{found.precision:.4f}", f"{found.recall:.4f}", f"{taken:.0f}")
            for side, (taken, found) in zip(sides, results, strict=True)
        ]
        show(f"{MODEL} on {label}, {len(some)} pages", ("side", "hmean", "precision", "recall", "ms a page"), rows)


if __name__ == "__main__":
    main()
