"""Detection training samples a second in one process, from image file to targets, and where the time goes."""

from __future__ import annotations

import time

import cv2
import numpy as np
from _common import pages, show

from ocrtune.config.schema import AugmentConfig, TargetSpec
from ocrtune.detection.samples import DetectionSamples, augmentation
from ocrtune.detection.targets import make_targets
from ocrtune.runtime.preprocess import DetectionPreprocess

SAMPLES = 60


def main() -> None:
    cv2.setNumThreads(0)
    rows = []
    for name in ("receipts/train", "scene_text"):
        label, some = pages(name, SAMPLES)
        for with_threshold in (False, True):
            rows.append((label, *measure(some, with_threshold)))
    show(
        "training samples of 640x640, one process",
        ("data", "threshold maps", "samples a second", "decode", "augment", "targets (ms)"),
        rows,
        ("PaddleOCR's pipeline with the same kinds of transforms, threshold maps included: 17.5 a second on receipts, "
         "59 on scene text (one process, 2-core machine).",),
    )  # fmt: skip


def measure(some: list, with_threshold: bool) -> tuple[str, str, str, str, str]:  # type: ignore[type-arg]
    preprocess = DetectionPreprocess(resize="long_side", size=1280)
    spec = TargetSpec(shrink_ratio=0.5)
    samples = DetectionSamples(some, augmentation(AugmentConfig(), preprocess, 640), spec, with_threshold, seed=0)
    samples.sample(0, 0)
    started = time.perf_counter()
    for index in range(len(some)):
        samples.sample(1, index)
    rate = len(some) / (time.perf_counter() - started)
    decode = augment = draw = 0.0
    for index, page in enumerate(some):
        a = time.perf_counter()
        image = page.load()
        b = time.perf_counter()
        view, regions = samples.transform(image, page.regions, np.random.default_rng([0, 1, index]))
        c = time.perf_counter()
        polygons, ignored = [r.polygon for r in regions], [r.ignore for r in regions]
        make_targets(polygons, ignored, (view.shape[1], view.shape[0]), spec, with_threshold=with_threshold)
        d = time.perf_counter()
        decode, augment, draw = decode + b - a, augment + c - b, draw + d - c
    each = [f"{1000 * value / len(some):.1f}" for value in (decode, augment, draw)]
    return ("yes" if with_threshold else "no", f"{rate:.0f}", *each)  # type: ignore[return-value]


if __name__ == "__main__":
    main()
