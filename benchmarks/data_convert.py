"""Peak memory and pages a second of ``ocrtune data convert`` at 1k, 10k and 100k pages, between formats of each kind.

    python benchmarks/data_convert.py [PAGES ...]

All pages refer to the same eight images, so that the labels, which are what is converted, can be many.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from _common import show

from ocrtune.data.formats import FOLDER_FORMATS, write_dataset
from ocrtune.page import Page, TextRegion, as_polygon

PAIRS = (
    ("json", "paddle"),
    ("paddle", "cvat"),
    ("cvat", "label-studio"),
    ("label-studio", "coco-text"),
    ("coco-text", "icdar"),
    ("icdar", "voc"),
    ("voc", "json"),
)
REGIONS = 4
CONVERT = "import sys; from ocrtune.cli.main import run; sys.argv[0] = 'ocrtune'; run()"


def pages(folder: Path, count: int) -> Iterator[Page]:
    """Pages with four texts each."""
    images = []
    for index in range(8):
        images.append(folder / f"{index}.png")
        cv2.imwrite(str(images[-1]), np.full((100, 200, 3), 30 * index, np.uint8))
    rng = np.random.default_rng(0)
    for number in range(count):
        regions = []
        for index, (x, y) in enumerate(rng.uniform(0, 50, (REGIONS, 2))):
            polygon = as_polygon([(x, y), (x + 100, y + 3), (x + 99, y + 20), (x - 1, y + 17)])
            regions.append(TextRegion(polygon, f"text {number} {index}"))
        yield Page(images[number % len(images)], regions)


def place(folder: Path, name: str) -> Path:
    suffix = {"paddle": ".txt", "cvat": ".xml"}.get(name, ".json")
    return folder / (name if name in FOLDER_FORMATS else f"{name}{suffix}")


def converted(source: str, target: str, out: Path) -> tuple[float, float]:
    """Seconds and peak memory in MiB of the command, in a process of its own."""
    started = time.perf_counter()
    measure = (
        "import resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
        "sys.exit(done.returncode)"
    )
    command = [sys.executable, "-c", CONVERT, "data", "convert", source, "--format", target, "--out", str(out)]
    done = subprocess.run([sys.executable, "-c", measure, *command], check=True, capture_output=True, text=True)
    return time.perf_counter() - started, int(done.stdout) / 1024


def main() -> None:
    counts = [int(value) for value in sys.argv[1:]] or [1_000, 10_000, 100_000]
    rows = []
    for count in counts:
        with tempfile.TemporaryDirectory() as text:
            folder = Path(text)
            write_dataset(pages(folder, count), PAIRS[0][0], place(folder, PAIRS[0][0]))
            for source, target in PAIRS:
                out = place(folder, target)
                while out.exists():
                    out = out.with_name(f"again_{out.name}")
                seconds, memory = converted(f"{source}:{place(folder, source)}", target, out)
                rows.append((f"{count:,}", f"{source} -> {target}", f"{count / seconds:,.0f}", f"{memory:.0f}"))
    show(
        f"data convert, {REGIONS} texts a page",
        ("pages", "from -> to", "pages a second, start included", "peak memory, MiB"),
        rows,
    )


if __name__ == "__main__":
    main()
