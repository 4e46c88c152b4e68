"""The server's own counters for Prometheus."""

from __future__ import annotations

from mizzen.apiserver.http import Response
from mizzen.apiserver.server import Server
from mizzen.base.exposition import CONTENT_TYPE, Page


def metrics(server: Server) -> Response:
    page = Page()
    for (verb, resource, code), count in sorted(server.requests.items()):
        labels = {"verb": verb, "resource": resource, "code": str(code)}
        page.add("apiserver_request_total", "counter", "Requests answered.", count, labels)
    for resource, count in sorted(server.watch_events.items()):
        text = "Events sent to watchers."
        page.add("apiserver_watch_events_total", "counter", text, count, {"resource": resource})
    store = server.store.statistics()
    seconds = store["commit_ns"] / 1e9
    page.add("mizzen_store_commits_total", "counter", "Durable commits.", store["commits"])
    page.add(
        "mizzen_store_commit_seconds_total", "counter", "Time they took, sync included.", seconds
    )
    page.add("mizzen_store_transactions_total", "counter", "Transactions.", store["transactions"])
    page.add("mizzen_store_writes_total", "counter", "Objects written.", store["writes"])
    page.add("mizzen_store_failures_total", "counter", "Transactions refused by a full disk.",
             store["failures"])  # fmt: skip
    page.add("mizzen_store_watchers", "gauge", "Open watches.", store["watchers"])
    page.add("mizzen_store_watchers_lagged_total", "counter",
             "Times that a watch lagged and went on from the history.",
             store["watchers_lagged"])  # fmt: skip
    page.add("mizzen_store_watchers_queued_bytes", "gauge", "Events that wait for watches.",
             store["watchers_queued_bytes"])  # fmt: skip
    page.add("mizzen_store_revision", "gauge", "Newest revision.", store["revision"])
    return Response(200, page.render().encode(), CONTENT_TYPE)
