"""CSINode: the storage drivers of a node, as its kubelet says."""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.kinds.causes import duplicate, invalid, required
from mizzen.kinds.columns import AGE, NAME, keys
from mizzen.kinds.kind import Column
from mizzen.kinds.names import qualified_name
from mizzen.kinds.reading import entries, get
from mizzen.kinds.storage.class_rules import check_csi_driver_name
from mizzen.kinds.upstream import resource_named, upstream_kind

_NODE_ID_LENGTH_MAX = 192


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    causes: list[Cause] = []
    names: set[str] = set()
    for index, driver in enumerate(entries(new, "spec.drivers")):
        path = f"spec.drivers[{index}]"
        causes += check_csi_driver_name(driver["name"], f"{path}.name")
        causes += _check_node_id(driver["nodeID"], f"{path}.nodeID")
        count = get(driver, "allocatable.count")
        if count is not None and count < 0:
            problem = "must be greater than or equal to 0"
            causes.append(invalid(f"{path}.allocatable.count", count, problem))
        if driver["name"] in names:
            causes.append(duplicate(f"{path}.name", driver["name"]))
        names.add(driver["name"])
        causes += _check_topology_keys(entries(driver, "topologyKeys"), path)
    if old is not None:
        causes += _check_changes(new, old)
    return causes


def _check_node_id(node: str, path: str) -> list[Cause]:
    if not node:
        return [required(path)]
    if len(node) > _NODE_ID_LENGTH_MAX:
        return [invalid(path, node, f"must be {_NODE_ID_LENGTH_MAX} characters or less")]
    return []


def _check_topology_keys(found: list[str], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, key in enumerate(found):
        if not key:
            causes.append(required(path))
        if key in found[:index]:
            causes.append(duplicate(path, key))
        if problem := qualified_name(key):
            causes.append(invalid(path, key, problem))
    return causes


def _check_changes(new: Obj, old: Obj) -> list[Cause]:
    """A driver that stays is as it was, but for how many volumes it takes."""
    before = {driver["name"]: driver for driver in entries(old, "spec.drivers")}
    causes: list[Cause] = []
    for driver in entries(new, "spec.drivers"):
        former = before.get(driver["name"])
        if former is None:
            continue
        if {**driver, "allocatable": None} != {**former, "allocatable": None}:
            causes.append(invalid("spec.drivers", driver, "field is immutable"))
    return causes


KIND = upstream_kind(
    resource_named("storage.k8s.io", "csinodes"),
    "The storage drivers of a node, as its kubelet says.",
    is_acted_upon=False,
    validate=_validate,
    columns=(NAME, Column("Drivers", keys("spec.drivers"), "integer"), AGE),
)
