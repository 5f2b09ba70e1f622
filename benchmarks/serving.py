"""HTTP and gRPC under 1, 8 and 64 clients, side by side with the same pipeline called in a loop.

Targets: 8 clients at 0.95 of the loop's throughput or more, p99 at most four times p50, nothing lost. The loop and the
servers take turns, so that whatever else the machine does hits all; both start from the bytes of the image files.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from _common import pages, show
from _serving import Answers, Client, grpc_client, http_client, load, server_process

from ocrtune.page import Page, decode_image
from ocrtune.runtime.pages import PageModel, page_model
from ocrtune.weights.registry import published_bundle

BUNDLE = "ppocrv4-mobile"
PAGES, ROUNDS = 32, 3


def loop_seconds(model: PageModel, images: Sequence[bytes]) -> float:
    """Seconds for all images, one after the other."""
    started = time.perf_counter()
    for image in images:
        model(decode_image(np.frombuffer(image, np.uint8), "page"))
    return time.perf_counter() - started


def image_file(page: Page) -> bytes:
    """A page's image file; a PNG where it was generated."""
    return page.path.read_bytes() if isinstance(page.image, Path) else bytes(cv2.imencode(".png", page.load())[1])


def main() -> None:
    label, some = pages("receipts/val", PAGES)
    images = [image_file(page) for page in some]
    model = page_model(published_bundle(BUNDLE))
    loop_seconds(model, images[:2])
    loop = 0.0
    with server_process(BUNDLE) as server:
        sides: dict[str, tuple[int, Client]] = {
            "HTTP, 1 client": (1, partial(http_client, server.http)),
            "HTTP, 8 clients": (8, partial(http_client, server.http)),
            "HTTP, 64 clients": (64, partial(http_client, server.http)),
            "gRPC, 8 clients": (8, partial(grpc_client, server.grpc)),
        }
        load(1, images[:2], partial(http_client, server.http))
        memory = server.figure("process_resident_memory_bytes")
        answers: dict[str, list[Answers]] = {name: [] for name in sides}
        for _ in range(ROUNDS):
            loop += loop_seconds(model, images)
            for name, (clients, client) in sides.items():
                # every one of 64 clients has something to ask
                answers[name].append(load(clients, images * max(1, clients // len(images)), client))
        grown = server.figure("process_resident_memory_bytes") - memory
    speed = ROUNDS * len(images) / loop
    rows = [("loop in one process", f"{speed:.2f}", "1.00x", "", "", "", "")]
    for name, rounds in answers.items():
        seconds = [second for one in rounds for second in one.seconds]
        p50, p99 = np.percentile(seconds, [50, 99])
        throughput = len(seconds) / sum(one.elapsed for one in rounds)
        codes = sum((one.codes for one in rounds), start=type(rounds[0].codes)())
        rows.append(
            (
                name,
                f"{throughput:.2f}",
                f"{throughput / speed:.2f}x",
                f"{p50:.2f}",
                f"{p99:.2f}",
                f"{p99 / p50:.1f}x",
                ", ".join(f"{count} {code}" for code, count in sorted(codes.items())),
            )
        )
    show(
        f"serving {BUNDLE} on {label}, {ROUNDS} rounds of {len(images)} pages",
        ("side", "pages/s", "of the loop", "p50 s", "p99 s", "p99/p50", "answers"),
        rows,
        [f"The server's memory grew by {grown / 2**20:.0f} MiB after its first pages.", "503: the queue was full."],
    )


if __name__ == "__main__":
    main()
