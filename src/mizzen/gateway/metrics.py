"""The gateway's numbers for Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from mizzen.base.exposition import Histogram, Page
from mizzen.gateway.directory import Directory

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class GatewayMetrics:
    """Counters that only grow, and a page that shows them beside the pools' gauges."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, int]] = Counter()
        self._first_byte: dict[str, Histogram] = {}

    def answered(self, endpoint: str, status: int) -> None:
        self._requests[(endpoint, status)] += 1

    def first_byte(self, endpoint: str, seconds: float) -> None:
        self._first_byte.setdefault(endpoint, Histogram(_SECONDS)).observe(seconds)

    def statistics(self) -> Mapping[str, int]:
        return {"requests": sum(self._requests.values())}

    def page(
        self,
        directory: Directory,
        services: Mapping[tuple[str, int], int],
        counts: Mapping[str, int],
    ) -> str:
        """The page; `services` counts requests by Service and status, `counts` the rest."""
        page, prefix = Page(), "mizzen_gateway_"
        for (endpoint, status), count in sorted(self._requests.items()):
            labels = {"endpoint": endpoint, "code": str(status)}
            page.add(f"{prefix}requests_total", "counter", "Requests answered.", count, labels)
        for (service, status), count in sorted(services.items()):
            name = f"{prefix}service_requests_total"
            labels = {"service": service, "code": str(status)}
            page.add(name, "counter", "Requests to Services answered.", count, labels)
        gauges = (
            ("in_flight", "requests_in_flight", "Requests on replicas."),
            ("queued", "requests_queued", "Requests waiting for a place."),
            ("ready", "replicas_ready", "Replicas that get requests."),
            ("wanted", "replicas_wanted", "Replicas the load asks for."),
        )
        for field, name, text in gauges:
            for key, pool in sorted(directory.pools.items()):
                value = pool.statistics()[field]
                page.add(prefix + name, "gauge", text, value, {"endpoint": str(key)})
        for name, value in sorted(counts.items()):
            page.add(f"{prefix}{name}_total", "counter", f"{name}.", value)
        for endpoint, histogram in sorted(self._first_byte.items()):
            page.add_histogram(
                f"{prefix}first_byte_seconds",
                "Arrival to first byte of the answer.",
                histogram,
                {"endpoint": endpoint},
            )
        return page.render()
