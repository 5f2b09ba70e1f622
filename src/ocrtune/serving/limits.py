"""What the servers take at most."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Limits of a server; what is over them is refused with a message that names the limit.

    Attributes:
        queue: pages that are waiting or worked on at the same time; the next request is told to come back later.
        batch: pages whose lines are read together.
        request_bytes: of one request.
        buffered_bytes: of all requests together that are being received or worked on.
        pixels: of one image, or of one PDF page at 200 dpi.
        pdf_pages: of one PDF.
        receive_seconds: for a request to arrive.
        seconds: for the result of a request that has arrived; time in the queue counts.
    """

    queue: int = 32
    batch: int = 4
    request_bytes: int = 20 * MIB
    buffered_bytes: int = 512 * MIB
    pixels: int = 40_000_000
    pdf_pages: int = 50
    receive_seconds: float = 30.0
    seconds: float = 60.0
