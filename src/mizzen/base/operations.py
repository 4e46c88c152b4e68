"""The writes that a plan or a reconciler asks for, as values.

One vocabulary for controllers, scheduler and agent: cores return these, `run.py`
carries them out with `Client.commit`. Embedded, a list of them is one `Plan` and commits
in one store transaction or not at all; on a real kube-apiserver they are ordered writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mizzen.base.objects import Obj
from mizzen.base.resources import Resource


@dataclass(frozen=True, slots=True)
class Create:
    resource: Resource
    object: Obj


@dataclass(frozen=True, slots=True)
class Patch:
    """A merge patch (RFC 7386); refused when `resource_version` is given and stale."""

    resource: Resource
    namespace: str
    name: str
    patch: Obj
    subresource: Literal["", "status", "scale"] = ""
    resource_version: str = ""
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Bind:
    """Binds a pod to a node (pods/binding); refused when the pod already has a node."""

    namespace: str
    name: str
    node: str
    uid: str = ""
    resource_version: str = ""


@dataclass(frozen=True, slots=True)
class Delete:
    """Deletes; `grace_period_s` None means the object's own, 0 means at once; `propagation` "" what
    is usual for the resource, which for Jobs is to leave their pods behind."""

    resource: Resource
    namespace: str
    name: str
    grace_period_s: int | None = None
    uid: str = ""
    resource_version: str = ""
    propagation: str = ""


Operation = Create | Patch | Bind | Delete


def plan_body(operations: Sequence[Operation], *, name: str = "") -> Obj:
    """The `mizzen.dev/v1alpha1` Plan that carries these operations, in order."""
    body: Obj = {
        "apiVersion": "mizzen.dev/v1alpha1",
        "kind": "Plan",
        "spec": {"operations": [_encode(operation) for operation in operations]},
    }
    if name:
        body["metadata"] = {"name": name}
    return body


def _encode(operation: Operation) -> Obj:
    if isinstance(operation, Create):
        return {
            "op": "create",
            "resource": operation.resource.plural,
            "object": {
                "apiVersion": operation.resource.api_version,
                "kind": operation.resource.kind,
                **operation.object,
            },
        }
    if isinstance(operation, Bind):
        entry = _target("bind", "v1", "pods", operation.namespace, operation.name)
        entry["nodeName"] = operation.node
    else:
        op = "patch" if isinstance(operation, Patch) else "delete"
        resource = operation.resource
        entry = _target(
            op, resource.api_version, resource.plural, operation.namespace, operation.name
        )
        if isinstance(operation, Patch):
            entry["patch"] = operation.patch
            if operation.subresource:
                entry["subresource"] = operation.subresource
        else:
            if operation.grace_period_s is not None:
                entry["gracePeriodSeconds"] = operation.grace_period_s
            if operation.propagation:
                entry["propagationPolicy"] = operation.propagation
    if operation.uid:
        entry["uid"] = operation.uid
    if operation.resource_version:
        entry["resourceVersion"] = operation.resource_version
    return entry


def _target(op: str, api_version: str, plural: str, namespace: str, name: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "op": op,
        "apiVersion": api_version,
        "resource": plural,
        "name": name,
    }
    if namespace:
        entry["namespace"] = namespace
    return entry
