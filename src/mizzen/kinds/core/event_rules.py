"""Rules of Events, in the form of core/v1. Source: pkg/apis/core/validation/events.go, v1.36."""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.kinds.causes import invalid, required
from mizzen.kinds.names import qualified_name
from mizzen.kinds.reading import get, part

_NAME_LENGTH_MAX = 128
_NOTE_LENGTH_MAX = 1024
_TYPES = ("Normal", "Warning")
# Of events.k8s.io, in the order of upstream's causes.
_FIXED = (
    "involvedObject", "reason", "message", "source", "firstTimestamp", "lastTimestamp", "count",
    "type", "eventTime", "action", "related", "reportingComponent", "reportingInstance",
)  # fmt: skip
_OLD = ("firstTimestamp", "lastTimestamp", "count")


def check_event(event: Obj, reporter: str) -> list[Cause]:
    """Causes in either version; `reporter` is its name of the reporting component."""
    namespace = event["metadata"].get("namespace") or ""
    about = part(event, "involvedObject").get("namespace") or ""
    if event.get("eventTime"):
        causes = _check_new(event, reporter)
        fits = bool(about) or namespace in ("default", "kube-system")
    else:
        causes = []
        fits = about == namespace if about else namespace in ("", "default")
    if not fits:
        causes.insert(
            0, invalid("involvedObject.namespace", about, "does not match event.namespace")
        )
    return causes


def _check_new(event: Obj, reporter: str) -> list[Cause]:
    causes: list[Cause] = []
    component = event.get("reportingComponent") or ""
    if not component:
        causes.append(required(reporter, ""))
    if problem := qualified_name(component):
        causes.append(invalid(reporter, component, problem))
    for name in ("reportingInstance", "action", "reason"):
        value = event.get(name) or ""
        if not value:
            causes.append(required(name, ""))
        if len(value) > _NAME_LENGTH_MAX:
            causes.append(invalid(name, "", f"can have at most {_NAME_LENGTH_MAX} characters"))
    if len(event.get("message") or "") > _NOTE_LENGTH_MAX:
        causes.append(invalid("message", "", f"can have at most {_NOTE_LENGTH_MAX} characters"))
    return causes


def check_strictly(new: Obj, old: Obj | None) -> list[Cause]:
    """What events.k8s.io demands beyond that."""
    causes = check_event(new, "reportingController")
    if old is None or new.get("series") != old.get("series"):
        causes += _check_series(new)
    if old is not None:
        changed = [name for name in _FIXED if (new.get(name) or "") != (old.get(name) or "")]
        return causes + [
            invalid(
                "reportingController" if name == "reportingComponent" else name,
                new.get(name),
                "field is immutable",
            )
            for name in changed
        ]
    if not new.get("eventTime"):
        causes.append(required("eventTime", ""))
    if new.get("type") not in _TYPES:
        causes.append(invalid("type", "", f"has invalid value: {new.get('type') or ''}"))
    causes += [invalid(name, "", "needs to be unset") for name in _OLD if new.get(name)]
    if any(part(new, "source").values()):
        causes.append(invalid("source", "", "needs to be unset"))
    return causes


def _check_series(event: Obj) -> list[Cause]:
    if "series" not in event:
        return []
    causes: list[Cause] = []
    if (get(event, "series.count") or 0) < 2:
        causes.append(invalid("series.count", "", "should be at least 2"))
    if not get(event, "series.lastObservedTime"):
        causes.append(required("series.lastObservedTime", ""))
    return causes
