"""Event of events.k8s.io: the very objects of core/v1, with some fields called otherwise.

Source: pkg/apis/events/v1/conversion.go.
"""

from __future__ import annotations

from dataclasses import replace

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import EVENTS, NEW_EVENTS
from mizzen.kinds.conversion import renaming
from mizzen.kinds.core import event
from mizzen.kinds.core.event_rules import check_strictly
from mizzen.kinds.kind import Cell, Column
from mizzen.kinds.upstream import upstream_kind

_STORED = {
    "regarding": "involvedObject",
    "note": "message",
    "reportingController": "reportingComponent",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
}
_CONVERSION = renaming(EVENTS, _STORED)
_REGARDING = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    convert = _CONVERSION.to_stored
    return check_strictly(convert(new), None if old is None else convert(old))


def _of_stored(column: Column) -> Column:
    def cell(obj: Obj, now_ns: int) -> Cell:
        return column.cell(_CONVERSION.to_stored(obj), now_ns)

    return replace(column, cell=cell)


KIND = upstream_kind(
    NEW_EVENTS,
    "Something that happened to an object.",
    conversion=_CONVERSION,
    validate=_validate,
    selectable_fields=(
        *(f"regarding.{name}" for name in _REGARDING),
        "reason",
        "reportingController",
        "type",
    ),
    field_aliases={
        **{f"regarding.{name}": f"involvedObject.{name}" for name in _REGARDING},
        "reportingController": "reportingComponent",
    },
    columns=tuple(map(_of_stored, event.KIND.columns)),
)
