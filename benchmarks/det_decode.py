"""Decoding of receipts' probability maps, side by side with the post-processing of the package that carries the weights.

That package's post-processing is a port of the official one; it is imported from the downloaded wheel, not installed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from _common import best_of, pages, show

from ocrtune.runtime.decode import decode_map
from ocrtune.runtime.load import load_detector
from ocrtune.weights.published import RAPIDOCR_V4
from ocrtune.weights.registry import fetch_wheel, published_bundle

PAGES = 12


def reference(thresholds: Any) -> Callable[[np.ndarray, tuple[int, int]], Any]:
    sys.path.insert(0, str(fetch_wheel(RAPIDOCR_V4)))
    from rapidocr_onnxruntime.ch_ppocr_det.utils import DBPostProcess

    post = DBPostProcess(
        thresh=thresholds.bin_thresh,
        box_thresh=thresholds.box_thresh,
        max_candidates=thresholds.max_candidates,
        unclip_ratio=thresholds.unclip_ratio,
        score_mode="fast",
        use_dilation=False,
    )
    return lambda prob, size: post(prob[None, None], (size[1], size[0]))


def main() -> None:
    cv2.setNumThreads(1)
    label, some = pages("receipts/val", PAGES)
    detector = load_detector(published_bundle("ppocrv4-mobile-det"))
    maps = []
    for page in some:
        image = page.load()
        maps.append((detector.prob_map(image), (image.shape[1], image.shape[0])))
    boxes = sum(len(decode_map(prob, detector.thresholds, size)[0]) for prob, size in maps)

    def ours() -> None:
        for prob, size in maps:
            decode_map(prob, detector.thresholds, size)

    rows: list[tuple[str, str, str, str]] = []
    mine = best_of(5, ours)
    rows.append(("ocrtune", f"{1000 * mine / len(maps):.2f}", f"{1e6 * mine / boxes:.0f}", "1.0x"))
    try:
        theirs = reference(detector.thresholds)
        theirs(*maps[0])
    except Exception as error:
        notes = [f"the other side could not be run: {type(error).__name__}: {error}"]
    else:
        other = best_of(5, lambda: [theirs(prob, size) for prob, size in maps])
        name = RAPIDOCR_V4.requirement
        rows.append((name, f"{1000 * other / len(maps):.2f}", f"{1e6 * other / boxes:.0f}", f"{other / mine:.1f}x"))
        notes = []
    notes.append("PaddleOCR's own post-process: 3.6 ms a receipt map of 55 boxes (another 2-core machine).")
    show(
        f"decoding, {label}, {len(maps)} maps, {boxes / len(maps):.0f} boxes each, one thread",
        ("code", "ms a map", "us a box", "time"),
        rows,
        notes,
    )


if __name__ == "__main__":
    main()
