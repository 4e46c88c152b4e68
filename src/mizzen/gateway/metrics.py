"""The gateway's numbers for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mizzen.base.exposition import Collector, Page
from mizzen.base.objects import Key
from mizzen.gateway.pool import Pool

_PREFIX = "mizzen_gateway_"
_GAUGES = (
    ("in_flight", "requests_in_flight", "Requests on replicas."),
    ("queued", "requests_queued", "Requests waiting for a place."),
    ("ready", "replicas_ready", "Replicas that get requests."),
    ("wanted", "replicas_wanted", "Replicas the load asks for."),
)
_COUNTS = (
    ("endpoints", "mizzen_gateway_endpoints", "Endpoints there are."),
    ("replicas", "mizzen_gateway_replicas", "Their replicas that are known."),
    ("retries", "mizzen_gateway_retries_total", "Requests asked of another replica."),
    ("decisions", "mizzen_gateway_demand_decisions_total", "Changes of the replicas wanted."),
    ("writing", "mizzen_gateway_demand_writing", "Endpoints whose demand is being written."),
    ("written", "mizzen_gateway_demand_writes_total", "Writes of an endpoint's demand."),
    ("failed", "mizzen_gateway_demand_writes_failed_total", "Such writes that failed."),
    (
        "superseded",
        "mizzen_gateway_demand_superseded_total",
        "Decisions that a newer one replaced before they were written.",
    ),
    ("selectors", "mizzen_gateway_service_selectors", "Selectors of Services that are followed."),
    ("pods", "mizzen_gateway_service_pods", "Pods that these select."),
    ("scraped_pools", "mizzen_gateway_scraped_pools", "Endpoints whose engines' metrics are read."),
    ("connections", "mizzen_gateway_connections", "Connections of clients."),
    ("busy", "mizzen_gateway_connections_busy", "Of these, with a request under way."),
    ("evicted", "mizzen_gateway_connections_evicted_total", "Idle ones ended to make room."),
    ("body_bytes", "mizzen_gateway_request_body_bytes", "Bodies of requests, held in memory."),
)


def collector_of(*parts: Callable[[], Mapping[str, int]]) -> Collector:
    """Of the `statistics` of the gateway's parts, whose keys differ."""

    def collect(page: Page) -> None:
        page.add_all(_COUNTS, {k: v for statistics in parts for k, v in statistics().items()})

    return collect


def collect_requests(
    pools: Mapping[Key, Pool], services: Mapping[tuple[str, int], int], page: Page
) -> None:
    """Endpoints there are, with their counts; no name that a client made up.

    `services` counts requests by Service and status.
    """
    known = sorted(pools.items())
    for key, pool in known:
        for status, count in sorted(pool.answers.items()):
            labels = {"endpoint": str(key), "code": str(status)}
            page.add(f"{_PREFIX}requests_total", "counter", "Requests answered.", count, labels)
    for (service, status), count in sorted(services.items()):
        name = f"{_PREFIX}service_requests_total"
        labels = {"service": service, "code": str(status)}
        page.add(name, "counter", "Requests to Services answered.", count, labels)
    for field, name, text in _GAUGES:
        for key, pool in known:
            value = pool.statistics()[field]
            page.add(_PREFIX + name, "gauge", text, value, {"endpoint": str(key)})
    for key, pool in known:
        if pool.first_byte.count:
            page.add_histogram(
                f"{_PREFIX}first_byte_seconds",
                "Arrival to first byte of the answer.",
                pool.first_byte,
                {"endpoint": str(key)},
            )
