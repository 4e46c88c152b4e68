"""Writes a status as upstream's programs do: what is zero or empty is left out."""

from __future__ import annotations

from collections.abc import Sequence

from mizzen.base.clock import rfc3339
from mizzen.base.objects import Obj, name_of, namespace_of, uid_of
from mizzen.base.operations import Patch
from mizzen.base.reading import part
from mizzen.base.resources import Resource


def write_status(
    resource: Resource,
    obj: Obj,
    wanted: Obj,
    *,
    kept: Sequence[str] = (),
    metadata: Obj | None = None,
) -> list[Patch]:
    """The write that is due of these fields of the status, if any; refused on a stale object.

    Fields that are zero or empty are not written, but for those in `kept`. `metadata` is a merge
    patch that goes along.
    """
    before = part(obj, "status")
    change: Obj = {}
    for name, value in wanted.items():
        if name not in kept and (value is None or value in (0, "", [])):
            if name in before:
                change[name] = None
        elif before.get(name) != value or name not in before:
            change[name] = value
    if not change and not metadata:
        return []
    patch: Obj = {"status": change}
    if metadata:
        patch["metadata"] = metadata
    version = str(obj["metadata"].get("resourceVersion") or "")
    name, namespace = name_of(obj), namespace_of(obj)
    return [Patch(resource, namespace, name, patch, "status", version, uid_of(obj))]


def condition_of(kind: str, status: str, reason: str, message: str, now_ns: int) -> Obj:
    """A condition that begins now."""
    return {
        "type": kind,
        "status": status,
        "lastTransitionTime": rfc3339(now_ns),
        "reason": reason,
        "message": message,
    }
