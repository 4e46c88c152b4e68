"""Metrics of a component's use of its API server: requests, caches, Events, queues."""

from __future__ import annotations

from collections.abc import Mapping

from mizzen.base.exposition import Collector, Page
from mizzen.base.resources import Resource
from mizzen.client.client import Client
from mizzen.client.events import EventRecorder
from mizzen.client.informer import Informer

_CLIENT = (
    ("refused", "mizzen_client_requests_refused_total", "Requests that the API server refused."),
    ("unavailable", "mizzen_client_requests_unavailable_total", "Requests that had no answer."),
    ("streams", "mizzen_client_streams_total", "Watches and streaming lists begun."),
    ("plans", "mizzen_client_plans_total", "Plans committed, of several writes each."),
)
_INFORMER = (
    ("objects", "mizzen_informer_objects", "Objects in the cache."),
    ("events", "mizzen_informer_events_total", "Watch events taken in."),
    ("lists", "mizzen_informer_lists_total", "Lists begun."),
    ("watches", "mizzen_informer_watches_total", "Watches begun."),
    ("expired", "mizzen_informer_expired_total", "Watches too old to go on, listed anew."),
    ("errors", "mizzen_informer_errors_total", "Lists and watches that failed."),
)
_EVENTS = (
    ("waiting", "mizzen_events_waiting", "Events (core/v1) that wait to be written."),
    ("events", "mizzen_events_total", "Events noted, repeats counted."),
    ("writes", "mizzen_events_writes_total", "Events written."),
    ("refused", "mizzen_events_refused_total", "Events that the API server refused."),
    ("summed_up", "mizzen_events_summed_up_total", "Events summed up, since too many waited."),
)
_REQUEST = "requests_"  # what the client's keys for its requests by method begin with


def collector_of(
    client: Client,
    recorder: EventRecorder,
    informers: Mapping[Resource, Informer],
) -> Collector:
    """Of one component; `informers` are those that it has for good."""
    named = {f"{r.plural}.{r.group}".rstrip("."): each for r, each in informers.items()}

    def collect(page: Page) -> None:
        counts = client.statistics()
        for key in sorted(key for key in counts if key.startswith(_REQUEST)):
            name, labels = "mizzen_client_requests_total", {"method": key[len(_REQUEST) :].upper()}
            page.add(name, "counter", "Requests to the API server.", counts[key], labels)
        page.add_all(_CLIENT, counts)
        for resource, informer in named.items():
            page.add_all(_INFORMER, informer.statistics(), {"resource": resource})
        page.add_all(_EVENTS, recorder.statistics())

    return collect
