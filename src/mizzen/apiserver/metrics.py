"""The API server's numbers for Prometheus; upstream's names where upstream counts the same."""

from __future__ import annotations

from mizzen.apiserver.channels import Channels
from mizzen.apiserver.connections import Connections
from mizzen.apiserver.server import Server
from mizzen.base.exposition import Page

_STORE = (
    ("commits", "mizzen_store_commits_total", "Durable commits."),
    ("commit_s", "mizzen_store_commit_seconds_total", "Time they took, sync included."),
    ("transactions", "mizzen_store_transactions_total", "Transactions."),
    ("writes", "mizzen_store_writes_total", "Objects written."),
    ("failures", "mizzen_store_failures_total", "Transactions refused by a full disk."),
    ("watchers", "mizzen_store_watchers", "Open watches."),
    (
        "watchers_lagged",
        "mizzen_store_watchers_lagged_total",
        "Times that a watch lagged and went on from the history.",
    ),
    (
        "watchers_queued_bytes",
        "mizzen_store_watchers_queued_bytes",
        "Events that wait for watches.",
    ),
    ("revision", "mizzen_store_revision", "Newest revision."),
    ("oldest_revision", "mizzen_store_oldest_revision", "Oldest revision of the history."),
)
_FLOWS = (
    ("executing", "apiserver_flowcontrol_current_executing_seats", "gauge", "Seats taken."),
    ("waiting", "apiserver_flowcontrol_current_inqueue_requests", "gauge", "Requests that wait."),
    ("seats", "apiserver_flowcontrol_nominal_limit_seats", "gauge", "Seats of the level's own."),
    ("rejected", "apiserver_flowcontrol_rejected_requests_total", "counter", "Refused with 429."),
)  # fmt: skip
_CHANNELS = (("open", "mizzen_apiserver_websockets", "Open websockets."),)
_CONNECTIONS = (
    ("users", "mizzen_apiserver_user_connections", "Connections that users have shown a token on."),
    ("strangers", "mizzen_apiserver_stranger_connections", "Connections without a token so far."),
    ("shut", "mizzen_apiserver_connections_shut_total", "Connections shut down to make room."),
)


def collect(server: Server, page: Page) -> None:
    """Requests, watches and the store."""
    for (verb, resource, code), count in sorted(server.requests.items()):
        labels = {"verb": verb, "resource": resource, "code": str(code)}
        page.add("apiserver_request_total", "counter", "Requests answered.", count, labels)
    for resource, count in sorted(server.watch_events.items()):
        text = "Events sent to watchers."
        page.add("apiserver_watch_events_total", "counter", text, count, {"resource": resource})
    for level, counts in sorted(server.flows.statistics().items()):
        for name, metric, kind, text in _FLOWS:
            page.add(metric, kind, text, counts[name], {"priority_level": level})
    store = server.store.statistics()
    page.add_all(_STORE, {**store, "commit_s": store["commit_ns"] / 1e9})


def collect_clients(connections: Connections, channels: Channels, page: Page) -> None:
    """Adds the numbers of connections and websockets."""
    page.add_all(_CONNECTIONS, connections.statistics())
    page.add_all(_CHANNELS, channels.statistics())
