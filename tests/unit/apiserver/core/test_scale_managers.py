"""Managed fields of a Scale and of its object: entries go over and back."""

from __future__ import annotations

from typing import Any

from mizzen.apiserver.core.scale_managers import of_object, of_scale

PATHS = {"apps/v1": ("f:spec", "f:replicas")}
REPLICAS: Any = {"f:spec": {"f:replicas": {}}}


def _entry(manager: str, operation: str, version: str, fields: Any, **more: str) -> Any:
    return {
        "manager": manager, "operation": operation, "apiVersion": version,
        **({"time": more["time"]} if "time" in more else {}),
        "fieldsType": "FieldsV1", "fieldsV1": fields,
        **({"subresource": "scale"} if "time" not in more else {}),
    }  # fmt: skip


OTHERS: Any = {"f:spec": {"f:paused": {}}}
BOTH: Any = {"f:spec": {"f:paused": {}, "f:replicas": {}}}


def test_a_scale_has_the_entries_that_have_the_replicas() -> None:
    entries = [
        _entry("a", "Apply", "apps/v1", BOTH, time="t"),
        _entry("b", "Update", "apps/v1", OTHERS),
    ]
    assert of_scale(entries, PATHS) == [_entry("a", "Apply", "autoscaling/v1", REPLICAS, time="t")]
    assert of_scale(entries, {}) == []


def test_an_applier_that_still_has_them_keeps_its_entry() -> None:
    entries = [_entry("a", "Apply", "apps/v1", BOTH, time="t")]
    assert of_object(entries, of_scale(entries, PATHS), PATHS, "apps/v1") == entries


def test_who_took_them_has_an_entry_without_a_moment() -> None:
    entries = [_entry("a", "Update", "apps/v1", BOTH, time="t")]
    taken = [_entry("b", "Apply", "autoscaling/v1", REPLICAS)]
    assert of_object(entries, taken, PATHS, "apps/v1") == [
        _entry("b", "Apply", "apps/v1", REPLICAS), _entry("a", "Update", "apps/v1", OTHERS, time="t"),
    ]  # fmt: skip


def test_an_updater_is_parted_from_what_it_has_besides() -> None:
    entries = [_entry("a", "Update", "apps/v1", BOTH, time="t")]
    found = of_object(entries, of_scale(entries, PATHS), PATHS, "apps/v1")
    assert [each["fieldsV1"] for each in found] == [REPLICAS, OTHERS]
    assert ["time" in each for each in found] == [False, True]
