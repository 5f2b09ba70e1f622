"""Pages a second of the whole pipeline, side by side with the package that carries the weights, same weights and sizes.

The package is imported from the downloaded wheel; it needs omegaconf, colorlog, requests, six and tqdm. The sides take
turns page by page, so that whatever else the machine does hits both.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from _common import pages, show

from ocrtune.bundle import Bundle
from ocrtune.detection.metric import match_page
from ocrtune.ocr.evaluate import OcrResult, score_readings
from ocrtune.page import Image, Page, TextRegion, as_polygon
from ocrtune.recognition.metric import TextPolicy
from ocrtune.runtime.load import detection_settings, load_pipeline, part_for
from ocrtune.weights.published import RAPIDOCR_V6
from ocrtune.weights.registry import fetch_wheel, published_bundle

PAGES = 30
POLICY: TextPolicy = "ignore-case-space"
Reader = Callable[[Image], list[TextRegion]]


def reference(bundle: Bundle) -> Reader:
    """The other side with the same files and the same detection settings."""
    sys.path.insert(0, str(unpacked()))
    from rapidocr import RapidOCR

    detection, recognition, orientation = (
        part_for(bundle, task) for task in ("detection", "recognition", "orientation")
    )
    preprocess, thresholds = detection_settings(detection)
    engine = RapidOCR(
        params={
            "Global.log_level": "error",
            "Global.text_score": 0.0,
            "Det.model_path": str(detection.onnx),
            "Det.limit_type": "max",
            "Det.limit_side_len": preprocess.size,
            "Det.mean": list(preprocess.mean),
            "Det.std": list(preprocess.std),
            "Det.thresh": thresholds.bin_thresh,
            "Det.box_thresh": thresholds.box_thresh,
            "Det.unclip_ratio": thresholds.unclip_ratio,
            "Det.max_candidates": thresholds.max_candidates,
            "Det.use_dilation": False,
            "Cls.model_path": str(orientation.onnx),
            "Rec.model_path": str(recognition.onnx),
        }
    )

    def read(image: Image) -> list[TextRegion]:
        found: Any = engine(image)
        if found.boxes is None:
            return []
        return [
            TextRegion(as_polygon(box), text=text, score=1.0, text_score=float(score))
            for box, text, score in zip(found.boxes, found.txts, found.scores, strict=True)
        ]

    return read


def unpacked() -> str:
    """The wheel's content on disk: the package reads its own YAML files."""
    import tempfile
    import zipfile

    folder = tempfile.mkdtemp(prefix="ocrtune-bench-")
    with zipfile.ZipFile(fetch_wheel(RAPIDOCR_V6)) as archive:
        archive.extractall(folder)
    return folder


def measured(some: Sequence[Page], readers: Sequence[Reader]) -> list[tuple[float, OcrResult]]:
    images = [page.load() for page in some]
    for reader in readers:
        reader(images[0])
    seconds = np.zeros(len(readers))
    found: list[list[Page]] = [[] for _ in readers]
    for page, image in zip(some, images, strict=True):
        for index, reader in enumerate(readers):
            started = time.perf_counter()
            regions = reader(image)
            seconds[index] += time.perf_counter() - started
            found[index].append(page.with_regions(regions))
    results = []
    for index, predictions in enumerate(found):
        matches = [match_page(page, prediction) for page, prediction in zip(some, predictions, strict=True)]
        results.append((float(seconds[index]), score_readings(some, predictions, matches, POLICY)))
    return results


def main() -> None:
    label, some = pages("receipts/val", PAGES)
    rows, notes = [], []
    for name in ("ppocrv4-mobile", "ppocrv6-small"):
        bundle = published_bundle(name)
        sides: dict[str, Reader] = {"ocrtune": load_pipeline(bundle).read}
        try:
            sides["rapidocr 3.10.0"] = reference(bundle)
        except Exception as error:
            notes.append(f"{name}: the other side could not be run: {type(error).__name__}: {error}")
        results = measured(some, list(sides.values()))
        slowest = results[-1][0]
        for side, (seconds, score) in zip(sides, results, strict=True):
            rows.append(
                (
                    name,
                    side,
                    f"{len(some) / seconds:.2f}",
                    f"{slowest / seconds:.2f}x",
                    f"{score.end_to_end_hmean:.4f}",
                    f"{score.cer:.4f}",
                )
            )
    show(f"whole pipeline on {label}", ("weights", "side", "pages/s", "speed", f"read ({POLICY})", "CER"), rows, notes)


if __name__ == "__main__":
    main()
