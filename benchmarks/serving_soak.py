"""Ten minutes of mixed good and hostile load on one server: no crash, flat memory, every accepted request answered.

``OCRTUNE_SOAK_MINUTES`` sets another time. Four clients send good pages; four send damaged files, bombs of pixels and forms
without an end, hang up in the middle, or stop sending.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
import zlib
from collections import Counter
from collections.abc import Sequence
from functools import partial

import cv2
import numpy as np
from _common import pages, show
from _serving import Client, ServerProcess, grpc_client, http_client, server_process

from ocrtune.page import Page

BUNDLE = "ppocrv4-mobile"
MINUTES = float(os.environ.get("OCRTUNE_SOAK_MINUTES", "10"))
TEXTS_DOWN_TO = 300  # pixels: the top of a receipt is enough


def heads(some: Sequence[Page]) -> list[bytes]:
    """The tops of pages, as JPEG files."""
    return [bytes(cv2.imencode(".jpg", page.load()[:TEXTS_DOWN_TO])[1]) for page in some]


def hostile(good: bytes, rng: np.random.Generator) -> bytes:
    """A request that holds no result, or hardly one."""
    damaged = np.frombuffer(good, np.uint8).copy()
    damaged[rng.integers(0, len(damaged), 40)] = rng.integers(0, 256, 40)
    head = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + head + struct.pack(">I", zlib.crc32(b"IHDR" + head))
    body = [b"", good[: len(good) // 3], damaged.tobytes(), bomb, b"%PDF-1.7", rng.bytes(5000), bytes(30 << 20)]
    return bytes(body[rng.integers(0, len(body))])


def torment(server: ServerProcess, good: bytes, until: float, seed: int, codes: Counter[str]) -> None:
    """Send what a server should survive."""
    rng = np.random.default_rng(seed)
    while time.monotonic() < until:
        content = hostile(good, rng)
        sent = int(rng.choice([len(content), len(content) // 2]))
        head = f"POST /predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(content)}\r\n\r\n"
        try:
            with socket.create_connection(("127.0.0.1", server.http), timeout=60) as connection:
                connection.sendall(head.encode() + content[:sent])
                # hanging up at once, or waiting for the server to cut the connection
                codes[connection.recv(12).decode(errors="replace")[9:] if rng.random() < 0.8 else "hung up"] += 1
        except ConnectionError:  # refused while we were still sending
            codes["cut off"] += 1


def please(client: Client, images: Sequence[bytes], until: float, codes: Counter[str]) -> None:
    """Send good pages one after the other."""
    with client() as send:
        turn = 0
        while time.monotonic() < until:
            codes[send(images[turn % len(images)])[0]] += 1
            turn += 1


def main() -> None:
    label, some = pages("receipts/val", 12)
    images = heads(some)
    good: list[Counter[str]] = [Counter() for _ in range(4)]
    bad: list[Counter[str]] = [Counter() for _ in range(4)]
    memory = []
    with server_process(BUNDLE) as server:
        until = time.monotonic() + 60 * MINUTES
        clients: Sequence[Client] = [partial(http_client, server.http)] * 2 + [partial(grpc_client, server.grpc)] * 2
        threads = [
            threading.Thread(target=please, args=(client, images, until, codes))
            for client, codes in zip(clients, good, strict=True)
        ] + [
            threading.Thread(target=torment, args=(server, images[0], until, seed, codes))
            for seed, codes in enumerate(bad)
        ]
        for thread in threads:
            thread.start()
        for _ in range(10):
            time.sleep(6 * MINUTES)
            memory.append(server.figure("process_resident_memory_bytes") / 2**20)
        for thread in threads:
            thread.join()
        left = server.figure("ocrtune_pages_in_flight")
        code = server.stop()
    rows = [
        (name, ", ".join(f"{count} {code}" for code, count in sorted(sum(counts, start=Counter()).items())))
        for name, counts in (("good", good), ("hostile", bad))
    ]
    show(
        f"{MINUTES:g} minutes of good and hostile requests on {BUNDLE}, {label}",
        ("requests", "answers"),
        rows,
        [
            "Memory in MiB after each tenth: " + ", ".join(f"{value:.0f}" for value in memory),
            f"Pages in flight in the end: {left:.0f}. Exit code after SIGTERM: {code}.",
        ],
    )


if __name__ == "__main__":
    main()
