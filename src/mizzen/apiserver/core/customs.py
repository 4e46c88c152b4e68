"""The status of a CustomResourceDefinition whose kind is served or refused."""

from __future__ import annotations

from typing import Any

from mizzen.base.clock import rfc3339
from mizzen.base.objects import Obj, with_condition
from mizzen.base.reading import part
from mizzen.base.resources import Resource
from mizzen.kinds import dynamic

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"


def place_of(crd: Obj) -> tuple[str, str]:
    """(group, plural) of the kind that is defined."""
    spec = crd["spec"]
    return spec["group"], spec["names"]["plural"]


def accepted(crd: Obj, conflict: str, now_ns: int) -> Obj:
    """The definition with its status. Equal input gives equal output, whenever it is called:
    conditions keep the time of their last change."""
    status = dynamic.served_status(crd, rfc3339(now_ns), conflict)
    merged = {**part(crd, "status"), **status, "conditions": _merged(crd, status["conditions"])}
    return {**crd, "status": merged}


def marked(crd: Obj, now_ns: int) -> Obj:
    """The definition once its deletion is asked for: it stays until its kind's objects are gone.

    Source: apiextensions `pkg/registry/customresourcedefinition/etcd.go`.
    """
    now = rfc3339(now_ns)
    metadata = {**crd["metadata"], "deletionTimestamp": now}
    finalizers: list[str] = list(metadata.get("finalizers") or ())
    metadata["finalizers"] = finalizers if CLEANUP in finalizers else [*finalizers, CLEANUP]
    condition = dynamic.terminating_condition(now, is_pending=True)
    status = {**part(crd, "status"), "conditions": _merged(crd, [condition])}
    return {**crd, "metadata": metadata, "status": status}


def terminating(crd: Obj, now_ns: int) -> Obj:
    """The definition while the objects of its kind are deleted."""
    condition = dynamic.terminating_condition(rfc3339(now_ns))
    conditions = _merged(crd, [condition])
    return {**crd, "status": {**part(crd, "status"), "conditions": conditions}}


def _merged(crd: Obj, changed: list[Obj]) -> list[Any]:
    conditions: list[Any] = part(crd, "status").get("conditions") or []
    for condition in changed:
        conditions = with_condition(conditions, condition)
    return conditions


def key_of(resource: Resource) -> str:
    """The name of the definition of a kind."""
    return f"{resource.plural}.{resource.group}"
