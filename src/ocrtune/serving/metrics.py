"""What Prometheus can ask about a server."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """Counters of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "ocrtune_requests", "Requests answered.", ("protocol", "method", "code"), registry=self.registry
        )
        self.request_seconds = Histogram(
            "ocrtune_request_seconds",
            "From a request's first byte to its answer.",
            ("protocol", "method"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.pages = Counter("ocrtune_pages", "Pages that the model looked at.", registry=self.registry)
        self.in_flight = Gauge("ocrtune_pages_in_flight", "Pages accepted and not answered.", registry=self.registry)
        self.batch_pages = Histogram(
            "ocrtune_batch_pages", "Pages in a batch.", buckets=(1, 2, 4, 8, 16, 32), registry=self.registry
        )
        self.batch_seconds = Histogram(
            "ocrtune_batch_seconds", "The model's time for a batch.", buckets=_SECONDS, registry=self.registry
        )
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)

    def batch(self, pages: int, seconds: float) -> None:
        """Count a batch."""
        self.pages.inc(pages)
        self.batch_pages.observe(pages)
        self.batch_seconds.observe(seconds)

    def request(self, protocol: str, method: str, code: str, seconds: float) -> None:
        """Count an answered request."""
        self.requests.labels(protocol, method, code).inc()
        self.request_seconds.labels(protocol, method).observe(seconds)

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return bytes(generate_latest(self.registry))
