"""Generated pictures a second of processor time, in one process, all scenarios mixed."""

from __future__ import annotations

import time

import cv2
from _common import show

from ocrtune.data.synth.generate import Generator, Recipe
from ocrtune.data.synth.templates import LINE, TEMPLATES

PAGES, LINES = 12, 120


def main() -> None:
    cv2.setNumThreads(1)
    rows = []
    for template in TEMPLATES:
        generator = Generator(Recipe((template,)))
        generator.sample(0)  # fonts are read and sizes cached
        count = LINES if template == LINE else PAGES
        pixels, texts, started = 0, 0, time.process_time()
        for index in range(1, count + 1):
            sample = generator.sample(index)
            sample.encoded()
            pixels += sample.image.shape[0] * sample.image.shape[1]
            texts += len(sample.regions)
        seconds = time.process_time() - started
        rows.append((template, f"{count / seconds:.1f}", f"{texts / count:.0f}", f"{pixels / count / 1e6:.2f}"))
    show("Generated pictures", ("template", "a second", "texts each", "megapixels each"), rows)


if __name__ == "__main__":
    main()
