"""Resident memory of a process that reads page after page, each of another size: it has to become flat.

``OCRTUNE_BENCH_PAGES`` sets another number of pages, ``OCRTUNE_BENCH_ENGINE`` another engine. Pages are random cut-outs of
real ones, from 48 to 640 pixels a side, more small ones than large ones: hardly two have the same size.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from pathlib import Path

import cv2
import numpy as np
from _common import pages, show

from ocrtune.page import Image
from ocrtune.runtime.engines import ENGINES, available_cores
from ocrtune.runtime.load import load_pipeline
from ocrtune.weights.registry import published_bundle

BUNDLE = "ppocrv4-mobile"
PAGES = int(os.environ.get("OCRTUNE_BENCH_PAGES", "10000"))
ROWS = 20


def cut_out(images: list[Image], rng: np.random.Generator) -> Image:
    """A part of one of the images, scaled a little."""
    image = images[rng.integers(len(images))]
    width, height = (min(int(np.exp(rng.uniform(np.log(48), np.log(640)))), side) for side in image.shape[1::-1])
    x, y = rng.integers(0, image.shape[1] - width + 1), rng.integers(0, image.shape[0] - height + 1)
    scale = float(rng.uniform(0.7, 1.3))
    return np.asarray(cv2.resize(image[y : y + height, x : x + width], None, fx=scale, fy=scale), np.uint8)


def resident() -> float:
    """MiB of this process that are in memory now."""
    kept = int(Path("/proc/self/statm").read_text().split()[1])
    return kept * resource.getpagesize() / 2**20


def main() -> None:
    engine = next(known for known in ENGINES if known == os.environ.get("OCRTUNE_BENCH_ENGINE", ENGINES[0]))
    label, some = pages("receipts/val", 30)
    images = [page.load() for page in some]
    pipeline = load_pipeline(published_bundle(BUNDLE), engine=engine)
    rng = np.random.default_rng(0)
    rows, texts, started = [("0", f"{resident():.0f}", "0", "0")], 0, time.perf_counter()
    for number in range(1, PAGES + 1):
        texts += len(pipeline.read(cut_out(images, rng)))
        if number % max(1, PAGES // ROWS) == 0:
            rows.append((str(number), f"{resident():.0f}", str(texts), f"{time.perf_counter() - started:.0f}"))
            print(*rows[-1], file=sys.stderr, flush=True)
    show(
        f"{BUNDLE} on {engine}, {available_cores()} threads, cut-outs of {label}",
        ("pages", "resident MiB", "texts", "seconds"),
        rows,
    )


if __name__ == "__main__":
    main()
