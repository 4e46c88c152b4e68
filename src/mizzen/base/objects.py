"""API objects as plain mappings, and the few questions everybody asks of them.

Objects are `dict[str, Any]` in the wire's camelCase. Nothing here copies deeply:
callers that change an object they did not build copy it first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

Obj = dict[str, Any]


class Key(NamedTuple):
    """Names one object of a known resource; `namespace` is "" for cluster-scoped ones.

    A tuple, because it is looked up more often than anything else is done.
    """

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def key_of(obj: Mapping[str, Any]) -> Key:
    """The namespace and name of an object."""
    metadata = obj["metadata"]
    return Key(metadata.get("namespace") or "", metadata["name"])


def name_of(obj: Mapping[str, Any]) -> str:
    return obj["metadata"]["name"]


def namespace_of(obj: Mapping[str, Any]) -> str:
    return obj["metadata"].get("namespace") or ""


def uid_of(obj: Mapping[str, Any]) -> str:
    return obj["metadata"].get("uid") or ""


def revision_of(obj: Mapping[str, Any]) -> int:
    """`metadata.resourceVersion` as a number; 0 when the object was never stored."""
    return int(obj["metadata"].get("resourceVersion") or 0)


def labels_of(obj: Mapping[str, Any]) -> dict[str, str]:
    return obj["metadata"].get("labels") or {}


def annotations_of(obj: Mapping[str, Any]) -> dict[str, str]:
    return obj["metadata"].get("annotations") or {}


def is_terminating(obj: Mapping[str, Any]) -> bool:
    return bool(obj["metadata"].get("deletionTimestamp"))


def reference_to(obj: Mapping[str, Any]) -> Obj:
    """An ObjectReference (core/v1), as Events name what they are about."""
    metadata = obj["metadata"]
    reference: Obj = {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "name": metadata["name"],
        "uid": metadata.get("uid") or "",
    }
    if metadata.get("namespace"):
        reference["namespace"] = metadata["namespace"]
    if metadata.get("resourceVersion"):
        reference["resourceVersion"] = metadata["resourceVersion"]
    return reference


def owner_reference(owner: Mapping[str, Any], *, controller: bool = True) -> Obj:
    """An OwnerReference (meta/v1) that makes `owner` the managing controller."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": controller,
        "blockOwnerDeletion": True,
    }


def controller_of(obj: Mapping[str, Any]) -> Obj | None:
    """The OwnerReference with `controller: true`, if there is one."""
    for reference in obj["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            return reference
    return None


def is_owned_by(obj: Mapping[str, Any], owner: Mapping[str, Any]) -> bool:
    reference = controller_of(obj)
    return reference is not None and reference.get("uid") == uid_of(owner)


def condition(obj: Mapping[str, Any], kind: str) -> Obj | None:
    """The condition of this type in `status.conditions`, if present."""
    status: Obj = obj.get("status") or {}
    conditions: list[Obj] = status.get("conditions") or []
    for entry in conditions:
        if entry.get("type") == kind:
            return entry
    return None


def has_condition(obj: Mapping[str, Any], kind: str, status: str = "True") -> bool:
    entry = condition(obj, kind)
    return entry is not None and entry.get("status") == status


def with_condition(conditions: Iterable[Obj], new: Obj) -> list[Obj]:
    """The conditions with `new` in place of the one of its type.

    `lastTransitionTime` of the old one is kept where the status did not change
    (Kubernetes API conventions, "Typical status properties").
    """
    result: list[Obj] = []
    found = False
    for old in conditions:
        if old.get("type") != new["type"]:
            result.append(old)
            continue
        found = True
        same = old.get("status") == new["status"] and "lastTransitionTime" in old
        result.append({**new, "lastTransitionTime": old["lastTransitionTime"]} if same else new)
    if not found:
        result.append(new)
    return result
