"""Events of events.k8s.io: strict where core/v1 is not, and the same objects."""

from __future__ import annotations

from typing import Any

from mizzen.kinds.core import event
from mizzen.kinds.events.event import KIND

NOW = "2027-01-15T08:00:00.000000Z"


def _event(**more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": "e", "namespace": "n"},
        "eventTime": NOW,
        "reportingController": "example.com/c",
        "reportingInstance": "c-1",
        "action": "Running",
        "reason": "Ran",
        "type": "Normal",
        "regarding": {"kind": "Pod", "name": "p", "namespace": "n"},
        **more,
    }


def _fields(new: dict[str, Any], old: dict[str, Any] | None = None) -> list[str]:
    return [cause.field for cause in KIND.validate(new, old)]


def test_a_whole_event_is_fine() -> None:
    decoded = KIND.decode(_event())
    assert decoded.causes == [] and decoded.unknown == []
    assert _fields(decoded.object) == []


def test_every_part_of_a_new_event_is_needed() -> None:
    bare = {"metadata": {"name": "e", "namespace": "default"}, "eventTime": NOW}
    assert _fields(bare) == [
        "reportingController", "reportingController", "reportingInstance", "action", "reason",
        "type",
    ]  # fmt: skip
    assert "eventTime" in _fields(_event(eventTime=None))


def test_old_fields_are_for_old_clients() -> None:
    old = _event(deprecatedCount=2, deprecatedSource={"component": "c"})
    assert _fields(old) == ["count", "source"]


def test_a_series_has_at_least_two() -> None:
    assert _fields(_event(series={"count": 1})) == ["series.count", "series.lastObservedTime"]
    assert _fields(_event(series={"count": 2, "lastObservedTime": NOW})) == []


def test_only_the_series_of_an_event_changes() -> None:
    series = {"count": 3, "lastObservedTime": NOW}
    assert _fields(_event(series=series), _event()) == []
    changed = _event(note="other", reportingController="example.com/d")
    assert _fields(changed, _event()) == ["message", "reportingController"]


def test_columns_are_those_of_the_core_event() -> None:
    cells = {column.name: column.cell(_event(note="hello"), 0) for column in KIND.columns}
    assert (cells["Message"], cells["Object"]) == ("hello", "pod/p")


def test_the_source_is_the_reporting_component_where_there_is_none() -> None:
    """As upstream selects: `source` of an event that events.k8s.io wrote."""
    stored = {"reportingComponent": "scheduler", "source": {}}
    assert event.KIND.field(stored, "source") == "scheduler"
    assert event.KIND.field({**stored, "source": {"component": "kubelet"}}, "source") == "kubelet"
    assert event.KIND.field({}, "source") == ""
