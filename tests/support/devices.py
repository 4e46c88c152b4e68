"""Devices for tests, built the way slices are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mizzen.scheduler.core.dra.model import AttributeValue, Device
from mizzen.scheduler.core.dra.slices import Shapes, read_slice


def attribute(value: AttributeValue) -> dict[str, Any]:
    """A plain value as a slice publishes it; a version is ("semver", text)."""
    if isinstance(value, tuple):
        return {"version": value[1]}
    if isinstance(value, bool):
        return {"bool": value}
    return {"int": value} if isinstance(value, int) else {"string": value}


def device(
    driver: str,
    pool: str,
    name: str,
    attributes: Mapping[str, AttributeValue] | None = None,
    capacity: Mapping[str, str] | None = None,
    **more: Any,
) -> Device:
    """One device of a node of the pool's name."""
    entry = {
        "name": name,
        "attributes": {n: attribute(v) for n, v in (attributes or {}).items()},
        "capacity": {n: {"value": v} for n, v in (capacity or {}).items()},
        **more,
    }
    spec = {"driver": driver, "pool": {"name": pool}, "nodeName": pool, "devices": [entry]}
    return read_slice({"metadata": {"name": "s"}, "spec": spec}, Shapes()).devices[0]
