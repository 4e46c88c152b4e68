"""What a CustomResourceDefinition says once its kind is served or refused."""

from __future__ import annotations

from typing import Any

from mizzen.base.clock import rfc3339
from mizzen.base.objects import Obj, with_condition
from mizzen.base.reading import part
from mizzen.kinds import dynamic

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"


def place_of(crd: Obj) -> tuple[str, str]:
    """(group, plural) of the kind that is defined."""
    spec = crd["spec"]
    return spec["group"], spec["names"]["plural"]


def accepted(crd: Obj, conflict: str, now_ns: int) -> Obj:
    """The definition with its status and clean-up finalizer. Equal input gives equal output,
    whenever it is called: conditions keep the time of their last change."""
    metadata = dict(crd["metadata"])
    finalizers: list[str] = list(metadata.get("finalizers") or ())
    if CLEANUP not in finalizers:
        metadata["finalizers"] = [*finalizers, CLEANUP]
    status = dynamic.served_status(crd, rfc3339(now_ns), conflict)
    conditions: list[Any] = part(crd, "status").get("conditions") or []
    for condition in status["conditions"]:
        conditions = with_condition(conditions, condition)
    merged = {**part(crd, "status"), **status, "conditions": conditions}
    return {**crd, "metadata": metadata, "status": merged}
