"""The gateway's numbers for Prometheus."""

from __future__ import annotations

from collections.abc import Mapping

from mizzen.base.exposition import Page
from mizzen.base.objects import Key
from mizzen.gateway.pool import Pool

_PREFIX = "mizzen_gateway_"
_GAUGES = (
    ("in_flight", "requests_in_flight", "Requests on replicas."),
    ("queued", "requests_queued", "Requests waiting for a place."),
    ("ready", "replicas_ready", "Replicas that get requests."),
    ("wanted", "replicas_wanted", "Replicas the load asks for."),
)


def render(
    pools: Mapping[Key, Pool],
    services: Mapping[tuple[str, int], int],
    counts: Mapping[str, int],
) -> str:
    """The page: endpoints there are, with their counts; no name that a client made up.

    `services` counts requests by Service and status, `counts` the rest.
    """
    page, known = Page(), sorted(pools.items())
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
    for name, value in sorted(counts.items()):
        page.add(f"{_PREFIX}{name}_total", "counter", f"{name}.", value)
    for key, pool in known:
        if pool.first_byte.count:
            page.add_histogram(
                f"{_PREFIX}first_byte_seconds",
                "Arrival to first byte of the answer.",
                pool.first_byte,
                {"endpoint": str(key)},
            )
    return page.render()
