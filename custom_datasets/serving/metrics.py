"""What Prometheus may ask of a server."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

_SHARED = 'PROMETHEUS_MULTIPROC_DIR'
"""Where several workers count together; Prometheus's client reads it at import."""


class Metrics:
    """The counts of one application.

    Several workers have theirs added up, where ``PROMETHEUS_MULTIPROC_DIR`` is set.
    """

    def __init__(self) -> None:
        """Begin at zero."""
        self.registry = CollectorRegistry()
        self.accepted = 0
        """Images that wait or are predicted on, in this process."""
        self.requests = Counter(
            'http_requests',
            'Requests by route and status',
            ['route', 'status'],
            registry=self.registry,
        )
        self.seconds = Histogram(
            'http_request_seconds',
            'Seconds from a request to its answer',
            ['route'],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=self.registry,
        )
        self.queue = self._gauge(
            'queue_images', 'Images that wait or are predicted on', 'livesum'
        )
        self.batches = Histogram(
            'batch_images',
            'Images per run of the network; the sum is that of all images',
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=self.registry,
        )
        self.ready = self._gauge('ready', 'Workers that answer', 'livesum')
        self.memory = self._gauge(
            'resident_memory_bytes', 'Memory that is in use', 'livesum'
        )
        self.models = Gauge(
            'model_info',
            'The model that answers',
            ['version'],
            multiprocess_mode='livemax',
            registry=self.registry,
        )

    @contextmanager
    def waiting(self, images: int) -> Iterator[None]:
        """Count images as accepted and not answered while the block runs."""
        self.accepted += images
        self.queue.set(self.accepted)
        try:
            yield
        finally:
            self.accepted -= images
            self.queue.set(self.accepted)

    def text(self) -> bytes:
        """Return all counts as Prometheus reads them."""
        self.memory.set(resident_memory())
        if _SHARED not in os.environ:
            return generate_latest(self.registry)
        shared = CollectorRegistry()
        MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
        return generate_latest(shared)

    def _gauge(self, name: str, text: str, mode: str) -> Gauge:
        return Gauge(
            name,
            text,
            multiprocess_mode=mode,  # type: ignore[arg-type]
            registry=self.registry,
        )


def resident_memory() -> float:
    """Return the bytes of memory that this process has; NaN but on Linux."""
    try:
        with open('/proc/self/statm', encoding='ascii') as file:
            return int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')
    except OSError:
        return math.nan
