"""Detection training samples a second on one core, from image file to targets, against PaddleOCR's pipeline.

Two settings: the defaults of ``ocrtune train``; and the transforms of PP-OCRv4_mobile_det.yml, which PaddleOCR's figures
were taken with: CopyPaste into every view (a fifth of another page's texts, any angle), half of the views mirrored, all
rotated by up to 10 degrees and scaled by 0.5 to 3, cut between texts into 640 x 640, both maps at a shrink ratio of 0.4
(threshold maps too). The samples are not equal: PaddleOCR scales the file's own pixels, ocrtune the page at 1280 pixels;
and PaddleOCR's figures hold 3.5 ms for normalising to float32, which ocrtune's training does later, on the device.

Seconds are the process's own (CPU time, one OpenCV thread), the fastest of five runs of each sample, so that other
programs on the machine disturb little. Cutting texts out for CopyPaste, once an epoch, is spread over its samples.

PaddleOCR's figures are of another machine. Two pieces of work are the same here and there: cv2.imdecode of the same files
(it decodes two pages a sample, one of them for CopyPaste) and NumPy's float32 normalising of 640 x 640 values. Their times
here, measured between the samples, say how fast this machine is at the moment, and PaddleOCR's figure is taken times that;
of the two, what makes it higher.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from _common import pages, show

from ocrtune.config.schema import AugmentConfig, TargetSpec
from ocrtune.detection.samples import DetectionSamples, augmentation
from ocrtune.runtime.preprocess import DetectionPreprocess

SAMPLES = 60
EPOCH = 200  # pages; real epochs are longer, and CopyPaste then cheaper
RUNS = 5


@dataclass(frozen=True)
class Official:
    """PaddleOCR's pipeline, one process, one OpenCV thread, on its own machine.

    Attributes:
        rate: samples a second.
        decode, normalise: milliseconds for decoding a page, and for normalising a view.
    """

    rate: float
    decode: float
    normalise: float


OFFICIAL = {"receipts/train": Official(16.9, 5.4 / 2, 3.5), "scene_text": Official(49.9, 3.4 / 2, 3.3)}
PREPROCESS = DetectionPreprocess(resize="long_side", size=1280)
SAME = AugmentConfig(
    scale=(0.5, 3.0),
    rotate=10.0,
    rotate_prob=1.0,
    flip_prob=0.5,
    crop="between",
    copy_paste=1.0,
    paste_rotate=180.0,
    colour=False,
    blur=False,
    noise=False,
    occlusion=False,
)


def main() -> None:
    cv2.setNumThreads(0)
    rows, notes = [], []
    for name, official in OFFICIAL.items():
        label, some = pages(name, SAMPLES)
        defaults = TargetSpec(shrink_ratio=0.5)
        same = TargetSpec(shrink_ratio=0.4, min_text_size=8, gap_weight=0)
        speeds = []
        for what, config, spec, threshold in (
            ("defaults", AugmentConfig(), defaults, False),
            ("defaults, threshold maps", AugmentConfig(), defaults, True),
            ("PaddleOCR's transforms", SAME, same, True),
        ):
            for cache in (0, 1 << 30):
                augment = augmentation(config, PREPROCESS, 640)
                samples = DetectionSamples(some, augment, spec, threshold, seed=0, cache_bytes=cache)
                rate, speed = measure(samples, official)
                speeds.append(speed)
                rows.append(
                    (
                        label,
                        what,
                        "kept" if cache else "each time",
                        f"{rate:.0f}",
                        f"{rate / (speed * official.rate):.1f}x",
                    )
                )
        notes.append(
            f"PaddleOCR's pipeline: {official.rate} a second on {name}; this machine worked at {min(speeds):.2f} to "
            f"{max(speeds):.2f} of that one's speed."
        )
    columns = ("data", "setting", "pages decoded", "samples a second", "of PaddleOCR's")
    show("training samples of 640x640, one core", columns, rows, notes)


def measure(samples: DetectionSamples, official: Official) -> tuple[float, float]:
    """Samples a second, and how fast this machine is meanwhile, PaddleOCR's being 1."""
    count = len(samples.pages)
    coded = [np.fromfile(page.path, np.uint8) for page in samples.pages]
    view = np.random.default_rng(0).integers(0, 256, (640, 640, 3), dtype=np.uint8)
    mean, deviation = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
    once = seconds(lambda: samples.view(1, 0), runs=1) if samples.augment.paste else 0.0  # cuts the epoch's scraps
    made = decoded = normalised = 0.0
    for index, data in enumerate(coded):
        made += seconds(partial(samples.sample, 1, index))
        decoded += seconds(partial(cv2.imdecode, data, cv2.IMREAD_COLOR))
        normalised += seconds(lambda: (view.astype(np.float32) * np.float32(1 / 255) - mean) / deviation)
    speed = max(official.decode / decoded, official.normalise / normalised) * count / 1000
    return count / (made + once * count / EPOCH), speed


def seconds(work: Callable[[], object], runs: int = RUNS) -> float:
    """CPU seconds of the fastest run."""
    best = float("inf")
    for _ in range(runs):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best


if __name__ == "__main__":
    main()
