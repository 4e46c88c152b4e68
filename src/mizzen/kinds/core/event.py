"""Event: something that happened to an object.

core/v1, with the fields that events.k8s.io/v1 added (eventTime, series, action, ...).
"""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import EVENTS
from mizzen.kinds.columns import NAME, UNKNOWN, of, since
from mizzen.kinds.core.event_rules import check_event
from mizzen.kinds.core.references import OBJECT_REFERENCE
from mizzen.kinds.kind import Column, Kind
from mizzen.kinds.meta import root
from mizzen.kinds.names import path_segment
from mizzen.kinds.reading import part
from mizzen.kinds.schema import INT32, MICRO_TIME, STR, TIME, package
from mizzen.kinds.treatment import SHOWN, accepted, acted

v1 = package("io.k8s.api.core.v1")


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    return check_event(new, "reportingComponent")


def _last_seen(event: Obj, now_ns: int) -> str:
    series = part(event, "series")
    last = event.get("lastTimestamp") or event.get("eventTime")
    return since(series.get("lastObservedTime") or last, now_ns)


def _first_seen(event: Obj, now_ns: int) -> str:
    return since(event.get("firstTimestamp") or event.get("eventTime"), now_ns)


def _object(event: Obj, now_ns: int) -> str:
    about = part(event, "involvedObject")
    return f"{str(about.get('kind') or '').lower()}/{about.get('name') or ''}"


def _count(event: Obj, now_ns: int) -> int:
    return int(part(event, "series").get("count") or event.get("count") or 1)


def _source(event: Obj, now_ns: int) -> str:
    source = part(event, "source")
    component = source.get("component") or event.get("reportingComponent") or UNKNOWN
    return f"{component}, {source['host']}" if source.get("host") else component


KIND = Kind(
    resource=EVENTS,
    short_names=("ev",),
    generation=False,
    name_rule=path_segment,
    any_finalizer=True,
    schema=root(
        EVENTS,
        "Something that happened to an object.",
        "io.k8s.api.core.v1.Event",
        involvedObject=OBJECT_REFERENCE("What it happened to.", required=True),
        reason=STR("CamelCase word for programs."),
        message=STR("Sentence for people."),
        type=STR("Normal or Warning."),
        source=v1(
            "EventSource", "Who says so.", component=STR("The component."), host=STR("Its node.")
        )("Who says so.", default={}),
        firstTimestamp=TIME("When it happened first."),
        lastTimestamp=TIME("When it happened last."),
        count=INT32("How often."),
        eventTime=MICRO_TIME("When it happened first."),
        series=v1(
            "EventSeries",
            "How it goes on.",
            count=INT32("How often."),
            lastObservedTime=MICRO_TIME("When it happened last."),
        ),
        action=STR("What was done, or failed."),
        related=OBJECT_REFERENCE("Another object it is about."),
        reportingComponent=STR("Who says so.", default=""),
        reportingInstance=STR("Which instance says so.", default=""),
    ),
    validate=_validate,
    selectable_fields=(
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    field_aliases={"source": "source.component"},
    field_fallbacks={"source": "reportingComponent"},
    columns=(
        Column("Last Seen", _last_seen),
        Column("Type", of("type")),
        Column("Reason", of("reason")),
        Column("Object", _object),
        Column("Subobject", of("involvedObject.fieldPath"), priority=1),
        Column("Source", _source, priority=1),
        Column("Message", lambda e, now: str(e.get("message") or "").strip()),
        Column("First Seen", _first_seen, priority=1),
        Column("Count", _count, type="integer", priority=1),
        Column("Name", NAME.cell, format="name", priority=1),
    ),
)

SERVED_FIELDS = {
    "core.v1.Event": {
        **acted("client cli", "involvedObject reason message type source firstTimestamp count"),
        **acted("client apiserver", "lastTimestamp reportingComponent"),
        **accepted("eventTime series action related reportingInstance", SHOWN),
    },
    "core.v1.EventSource": {**acted("client", "component"), **accepted("host", SHOWN)},
}  # fmt: skip
