"""Detection training samples a second on one core, from image file to targets, against PaddleOCR's pipeline.

Two settings: the defaults of ``ocrtune train``; and the transforms of PP-OCRv4_mobile_det.yml, which PaddleOCR's figures
were taken with: CopyPaste into every view (a fifth of another page's texts, any angle), half of the views mirrored, all
rotated by up to 10 degrees and scaled by 0.5 to 3, cut between texts into 640 x 640, both maps at a shrink ratio of 0.4
(threshold maps too). The samples are not equal: PaddleOCR scales the file's own pixels, ocrtune the page at 1280 pixels;
and PaddleOCR's figures hold 3.5 ms for normalising to float32, which ocrtune's training does later, on the device.

Seconds are the process's own (CPU time, one OpenCV thread), the fastest of three runs of each sample, so that other
programs on the machine disturb little. Cutting texts out for CopyPaste, once an epoch, is spread over its samples.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

import cv2
from _common import pages, show

from ocrtune.config.schema import AugmentConfig, TargetSpec
from ocrtune.detection.samples import DetectionSamples, augmentation
from ocrtune.runtime.preprocess import DetectionPreprocess

SAMPLES = 60
EPOCH = 200  # pages; real epochs are longer, and CopyPaste then cheaper
RUNS = 3
OFFICIAL = {"receipts/train": 16.9, "scene_text": 49.9}
"""Samples a second of PaddleOCR's pipeline, one process, one OpenCV thread, on a 2-core machine of this class."""
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
    rows = []
    for name, official in OFFICIAL.items():
        label, some = pages(name, SAMPLES)
        defaults = TargetSpec(shrink_ratio=0.5)
        same = TargetSpec(shrink_ratio=0.4, min_text_size=8, gap_weight=0)
        for what, config, spec, threshold in (
            ("defaults", AugmentConfig(), defaults, False),
            ("defaults, threshold maps", AugmentConfig(), defaults, True),
            ("PaddleOCR's transforms", SAME, same, True),
        ):
            samples = DetectionSamples(some, augmentation(config, PREPROCESS, 640), spec, threshold, seed=0)
            rate, each = measure(samples)
            rows.append((label, what, f"{rate:.0f}", f"{rate / official:.1f}x", *(f"{ms:.1f}" for ms in each)))
    show(
        "training samples of 640x640, one core",
        ("data", "setting", "samples a second", "of PaddleOCR's", "decode", "view", "targets (ms)"),
        rows,
        [f"PaddleOCR's pipeline: {value} a second on {name}." for name, value in OFFICIAL.items()],
    )


def measure(samples: DetectionSamples) -> tuple[float, Sequence[float]]:
    """Samples a second, and milliseconds for decoding, the view and the targets."""
    count = len(samples.pages)
    once = seconds(lambda: samples.view(1, 0), runs=1) if samples.augment.paste else 0.0  # cuts the epoch's scraps
    whole = sum(seconds(partial(samples.sample, 1, index)) for index in range(count))
    decode = sum(seconds(page.load) for page in samples.pages)
    view = sum(seconds(partial(samples.view, 1, index)) for index in range(count))
    each = [1000 * value / count for value in (decode, view - decode, whole - view)]
    return count / (whole + once * count / EPOCH), each


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
