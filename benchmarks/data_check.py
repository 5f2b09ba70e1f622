"""``data check`` on many generated pages: pages a second, the second run, and the peak of memory.

    python benchmarks/data_check.py            1,000 and 10,000 pages
    python benchmarks/data_check.py 100000     so many

Each size runs in a process of its own, so that the peak is its own. Pages are small JPEG images of random texture with 20
labels; what grows with the pages shows, and what decoding costs is measured on the real pages (shared/data, where it is).
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from _common import DATA, show

from ocrtune.data.check import check_dataset
from ocrtune.data.formats import parse_dataset_path

SIZES = (1_000, 10_000)
WIDTH, HEIGHT, LABELS = 240, 320, 20


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure(Path(sys.argv[2]), Path(sys.argv[3]))))
        return
    sizes = [int(value) for value in sys.argv[1:]] or SIZES
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            rows.append((f"{size:,} generated", *row(generate(Path(folder) / str(size), size), Path(folder))))
        if (DATA / "receipts").exists():
            rows.append(("200 receipts", *row(DATA / "receipts" / "train", Path(folder))))
    columns = ("pages", "pages a second", "CPU ms a page", "again, from the cache", "CPU ms a page", "peak memory MB")
    show("data check", columns, rows)


def row(data: Path, folder: Path) -> tuple[str, ...]:
    """The figures of a data set, from a process that checks it twice."""
    command = [sys.executable, __file__, "--one", str(data), str(folder / "cache")]
    figures = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    pages = figures["pages"]
    return (
        f"{pages / figures['first']:.0f}",
        f"{1000 * figures['first_cpu'] / pages:.1f}",
        f"{pages / figures['again']:.0f}",
        f"{1000 * figures['again_cpu'] / pages:.1f}",
        f"{figures['peak']:.0f}",
    )


def measure(data: Path, cache: Path) -> dict[str, float]:
    """Seconds and processor seconds of the first and the second run, and the peak of memory in MB."""
    dataset = parse_dataset_path(str(data))
    figures: dict[str, float] = {}
    for name in ("first", "again"):
        started, cpu = time.perf_counter(), time.process_time()
        total = check_dataset(dataset, cache=cache, keep_pages=False).total_pages
        figures |= {name: time.perf_counter() - started, f"{name}_cpu": time.process_time() - cpu}
    return {**figures, "pages": total, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def generate(folder: Path, count: int) -> Path:
    """A label file in PaddleOCR's format, and its images."""
    (folder / "img").mkdir(parents=True)
    rng = np.random.default_rng(0)
    with (folder / "Label.txt").open("w", encoding="utf-8") as file:
        for number in range(count):
            coarse = rng.integers(0, 255, (HEIGHT // 10, WIDTH // 10, 3), dtype=np.uint8)
            page = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
            (folder / "img" / f"{number}.jpg").write_bytes(bytes(cv2.imencode(".jpg", page)[1]))
            labels = [
                {"transcription": f"ITEM {number} {k}", "points": [[10, y], [200, y], [200, y + 11], [10, y + 11]]}
                for k, y in enumerate(range(10, 10 + 15 * LABELS, 15))
            ]
            file.write(f"img/{number}.jpg\t{json.dumps(labels)}\n")
    return folder


if __name__ == "__main__":
    main()
