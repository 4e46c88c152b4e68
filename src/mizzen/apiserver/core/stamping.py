"""The metadata that the server owns, on create, update and delete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mizzen.apiserver.core import customs
from mizzen.apiserver.core.bodies import GRACE_S_MAX, as_object
from mizzen.base.clock import rfc3339
from mizzen.base.errors import BadRequest
from mizzen.base.objects import Obj
from mizzen.base.reading import part
from mizzen.base.resources import CUSTOM_RESOURCE_DEFINITIONS, Resource

_SERVERS_OWN = (
    "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp",
    "deletionGracePeriodSeconds", "selfLink", "managedFields",
)  # fmt: skip
# "resourceVersion" is absent in an object that the same plan creates.
_KEPT = ("uid", "creationTimestamp", "namespace", "resourceVersion")
_LEFT_OUT = ("labels", "annotations", "finalizers", "ownerReferences")
_POD_GRACE_S = 30
# Source: DefaultGarbageCollectionPolicy in pkg/registry.
_ORPHANING = (("", "v1", "replicationcontrollers"), ("batch", "v1", "jobs"))
_EVENTS = ("", "events.k8s.io")
FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


def check_envelope(body: Any, resource: Resource) -> Obj:
    """The body as an object of this resource, with apiVersion, kind and metadata filled in.

    Errors: BadRequest when it is something else.
    """
    obj = as_object(body, f"the body must be a {resource.kind} object")
    for name, expected in (("apiVersion", resource.api_version), ("kind", resource.kind)):
        found = obj.get(name)
        if found in (None, ""):
            obj[name] = expected
        elif found != expected:
            what = "API version" if name == "apiVersion" else "kind"
            raise BadRequest(
                f"the {what} in the data ({found}) does not match the expected {what} ({expected})"
            )
    if obj.get("metadata") is None:
        obj["metadata"] = {}
    return obj


def place(obj: Obj, resource: Resource, namespace: str) -> None:
    """Puts the request's namespace into the object. Errors: BadRequest when they differ."""
    metadata = obj["metadata"]
    if not resource.namespaced:
        if isinstance(metadata.get("namespace"), str):
            metadata.pop("namespace")  # as upstream: what lies in no namespace is told none
        return
    found = metadata.get("namespace") or ""
    if not namespace:
        raise BadRequest("an empty namespace may not be set during creation")
    if found and found != namespace:
        raise BadRequest(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    metadata["namespace"] = namespace


def stamp_create(metadata: Obj, now_ns: int, uid: str) -> None:
    for name in _SERVERS_OWN:
        metadata.pop(name, None)
    _drop_empty(metadata)
    metadata["uid"] = uid
    metadata["creationTimestamp"] = rfc3339(now_ns)


def _drop_empty(metadata: Obj) -> None:
    """Upstream leaves out what holds nothing, so that the last label's going is its absence."""
    for name in _LEFT_OUT:
        if name in metadata and not metadata[name]:
            del metadata[name]


def stamp_update(new: Obj, old: Obj) -> None:
    """Restores fields that an update cannot change from the old object, in place."""
    metadata, before = new["metadata"], old["metadata"]
    metadata.pop("managedFields", None)
    _drop_empty(metadata)
    for name in _KEPT:
        if name in before:
            if name not in ("uid", "namespace") or name not in metadata:
                metadata[name] = before[name]
        else:
            metadata.pop(name, None)
    metadata.setdefault("name", before["name"])
    if "deletionTimestamp" in before:  # what begins a deletion by an update is refused later
        metadata["deletionTimestamp"] = before["deletionTimestamp"]
    if "deletionGracePeriodSeconds" in before:
        metadata.setdefault("deletionGracePeriodSeconds", before["deletionGracePeriodSeconds"])


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """The options of a delete; `grace_s` None means the object's own."""

    grace_s: int | None = None
    uid: str = ""
    resource_version: str = ""
    propagation: str = ""  # Background, Foreground, Orphan; "" = what is usual for the resource
    is_dry: bool = False
    cascades: bool = False  # as it was said of old: orphanDependents=false


def options_shown(resource: Resource, obj: Obj, options: DeleteOptions) -> Obj:
    """The DeleteOptions with which an object is deleted, as admission is shown them."""
    shown: Obj = {"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1"}
    is_pod = resource.kind == "Pod" and not resource.group
    grace_s = grace_of(resource, obj, options) if is_pod else options.grace_s
    if grace_s is not None:
        shown["gracePeriodSeconds"] = grace_s
    meant = {"uid": options.uid, "resourceVersion": options.resource_version}
    if any(meant.values()):
        shown["preconditions"] = {name: value for name, value in meant.items() if value}
    if options.propagation:
        shown["propagationPolicy"] = options.propagation
    if options.is_dry:
        shown["dryRun"] = ["All"]
    return shown


def grace_of(resource: Resource, obj: Obj, options: DeleteOptions) -> int:
    """Seconds until the object may go. Only bound, unfinished pods wait, for their agent.

    Source: kubernetes pkg/registry/core/pod/strategy.go CheckGracefulDelete.
    """
    if resource.kind != "Pod" or resource.group:
        return 0
    if not part(obj, "spec").get("nodeName"):
        return 0
    if part(obj, "status").get("phase") in ("Succeeded", "Failed"):
        return 0
    if options.grace_s is not None:
        return max(0, options.grace_s)
    grace_s: int = part(obj, "spec").get("terminationGracePeriodSeconds", _POD_GRACE_S)
    return min(grace_s, GRACE_S_MAX)


def mark_deleted(resource: Resource, old: Obj, options: DeleteOptions, now_ns: int) -> Obj:
    """The object after a delete was asked for: marked, with the finalizers that it now needs."""
    if resource == CUSTOM_RESOURCE_DEFINITIONS and not old["metadata"].get("deletionTimestamp"):
        return customs.marked(old, now_ns)
    metadata = dict(old["metadata"])
    new = {**old, "metadata": metadata}
    grace_s = grace_of(resource, old, options)
    earlier = metadata.get("deletionTimestamp")
    if earlier:
        grace_s = min(grace_s, int(metadata.get("deletionGracePeriodSeconds") or 0))
    elif "generation" in metadata:
        metadata["generation"] = int(metadata["generation"]) + 1
    if not earlier or grace_s < int(metadata.get("deletionGracePeriodSeconds") or 0):
        metadata["deletionTimestamp"] = rfc3339(now_ns + grace_s * 1_000_000_000)
    metadata["deletionGracePeriodSeconds"] = grace_s
    if finalizers := _finalizers(resource, metadata.get("finalizers") or (), options):
        metadata["finalizers"] = finalizers
    else:
        metadata.pop("finalizers", None)
    if resource.kind == "Namespace" and not resource.group:
        new["status"] = {**(old.get("status") or {}), "phase": "Terminating"}
    return new


def orphans_unless_said(resource: Resource) -> bool:
    """True if what the object owns outlives it where a deletion does not say what is wanted."""
    return (resource.group, resource.version, resource.plural) in _ORPHANING


def _finalizers(resource: Resource, before: Sequence[str], options: DeleteOptions) -> Sequence[str]:
    """Those of an object that is deleted. Source: `deletionFinalizersForGarbageCollection`."""
    chosen = {FOREGROUND, ORPHAN}.intersection(before)
    wanted = {"Foreground": FOREGROUND, "Orphan": ORPHAN}.get(options.propagation)
    if resource.plural == "events" and resource.group in _EVENTS:  # they own nothing
        wanted = None
    elif not options.propagation:
        if chosen:  # an earlier choice stays
            return before
        wanted = ORPHAN if orphans_unless_said(resource) else None
    rest = [name for name in before if name not in (FOREGROUND, ORPHAN)]
    return [*rest, wanted] if wanted else rest


def is_removable(resource: Resource, obj: Obj) -> bool:
    """True if an object that is marked deleted can be removed from the store now."""
    metadata = obj["metadata"]
    if not metadata.get("deletionTimestamp") or metadata.get("finalizers"):
        return False
    if resource.kind == "Namespace" and not resource.group:
        return not part(obj, "spec").get("finalizers")
    return not metadata.get("deletionGracePeriodSeconds")
