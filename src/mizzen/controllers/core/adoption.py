"""Makes an owner's pods (or sets, or revisions) those that its selector selects.

Who selects an object that nobody controls adopts it; who controls one that it does not select any
more lets it go. Source: kube-controller-manager `pkg/controller/controller_ref_manager.go`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

from mizzen.base.objects import (
    Key,
    Obj,
    controller_of,
    is_terminating,
    key_of,
    labels_of,
    name_of,
    namespace_of,
    owner_reference,
    uid_of,
)
from mizzen.base.operations import Patch
from mizzen.base.reading import part
from mizzen.base.resources import CONTROLLER_REVISIONS, PODS, REPLICA_SETS, Resource
from mizzen.base.selectors import LabelSelector, from_object, labels_equal
from mizzen.controllers.core.actions import Watch
from mizzen.controllers.core.view import Index, View

ADOPTED_PER_PLAN = 100  # what is beyond follows in the next


# -- who selects ------------------------------------------------------------------------


def selector_of(owner: Obj) -> LabelSelector | None:
    """What the owner selects; None, for a selector that is empty or cannot be read: nothing.

    ReplicationControllers have plain labels, all others a meta/v1 LabelSelector.
    """
    spec = part(owner, "spec")
    if owner["kind"] == "ReplicationController":
        selector = labels_equal(part(spec, "selector"))
    else:
        try:
            selector = from_object(spec.get("selector"))
        except ValueError:
            return None
    return selector if selector is not None and selector.requirements else None


def selected_by(resource: Resource) -> Index:
    """An index of owners of this kind by one label that all they select have."""

    def values(owner: Obj) -> Iterator[str]:
        selector = selector_of(owner)
        if selector is None:
            return
        exact = next(
            (r for r in selector.requirements if r.operator == "in" and len(r.values) == 1), None
        )
        label = f"{exact.key}={next(iter(exact.values))}" if exact else ""
        yield f"{namespace_of(owner)}/{label}"

    return Index(f"{resource.plural} by a label they select", resource, values)


def dependents(resource: Resource, owner: Resource, index: Index) -> Watch:
    """For a Controller of `owner`: the one that controls the object, or all that may adopt it."""

    def keys(view: View, obj: Obj) -> Iterable[Key]:
        reference = controller_of(obj)
        if reference is not None:
            is_ours = reference.get("kind") == owner.kind
            return [Key(namespace_of(obj), str(reference["name"]))] if is_ours else []
        return selecting(view, index, obj)

    return Watch(resource, keys)


def selecting(view: View, index: Index, obj: Obj) -> list[Key]:
    """The owners whose selector selects the object."""
    labels = labels_of(obj)
    by_label = view.add_index(index)
    if not labels or not by_label:
        return []
    namespace = namespace_of(obj)
    values = [f"{namespace}/", *(f"{namespace}/{key}={value}" for key, value in labels.items())]
    found: list[Key] = []
    for value in values:
        if value not in by_label:  # as a rule: pods are looked up at each of their changes
            continue
        for owner in view.find(index, value):
            selector = selector_of(owner)
            if selector is not None and selector.matches(labels):
                found.append(key_of(owner))
    return found


# -- who is selected --------------------------------------------------------------------


def _orphan_values(obj: Obj) -> Iterator[str]:
    metadata: Obj = obj["metadata"]
    labels: dict[str, str] = metadata.get("labels") or {}
    if not labels or controller_of(obj) is not None or metadata.get("deletionTimestamp"):
        return
    status: Obj = obj.get("status") or {}
    if status.get("phase") in ("Succeeded", "Failed"):
        return
    yield f"{namespace_of(obj)}/" + ",".join(f"{k}={v}" for k, v in sorted(labels.items()))


# By namespace and all their labels: of those there are few, however many pods there are.
ORPHANS = {
    resource: Index(f"{resource.plural} without a controller, by labels", resource, _orphan_values)
    for resource in (PODS, REPLICA_SETS, CONTROLLER_REVISIONS)
}


@lru_cache(4096)
def _labels_in(value: str) -> dict[str, str]:
    return dict(label.split("=", 1) for label in value.partition("/")[2].split(","))


def adoptable(view: View, resource: Resource, owner: Obj, selector: LabelSelector) -> list[Obj]:
    """Objects without a controller that the owner selects; none for an owner that is to go."""
    if is_terminating(owner):
        return []
    index, namespace = ORPHANS[resource], f"{namespace_of(owner)}/"
    found: list[Obj] = []
    for value in view.add_index(index):
        if value.startswith(namespace) and selector.matches(_labels_in(value)):
            found += view.find(index, value)
    return found[:ADOPTED_PER_PLAN]


def adopt(resource: Resource, obj: Obj, owner: Obj, finalizer: str = "") -> Patch:
    """Makes `owner` the controller, with its finalizer; refused if the object has changed."""
    write = _with_owners(resource, obj, [*_references(obj), owner_reference(owner)])
    finalizers: list[str] = obj["metadata"].get("finalizers") or []
    if finalizer and finalizer not in finalizers:
        write.patch["metadata"]["finalizers"] = [*finalizers, finalizer]
    return write


def release(resource: Resource, obj: Obj, owner: Obj) -> Patch:
    """Takes `owner` off the object's owners; refused if the object has changed."""
    kept = [each for each in _references(obj) if each.get("uid") != uid_of(owner)]
    return _with_owners(resource, obj, kept)


def _references(obj: Obj) -> list[Obj]:
    return obj["metadata"].get("ownerReferences") or []


def _with_owners(resource: Resource, obj: Obj, references: list[Obj]) -> Patch:
    change: Obj = {"metadata": {"ownerReferences": references or None}}
    version = str(obj["metadata"].get("resourceVersion") or "")
    return Patch(
        resource, namespace_of(obj), name_of(obj), change, resource_version=version, uid=uid_of(obj)
    )


def claim(
    view: View,
    resource: Resource,
    owner: Obj,
    selector: LabelSelector,
    is_member: Callable[[Obj], bool] = lambda obj: True,
    finalizer: str = "",
) -> tuple[list[Obj], list[Patch]]:
    """What the owner controls and selects, what it adopts included, and the writes for that.

    `finalizer`: what it adopts gets.
    """
    mine: list[Obj] = []
    writes: list[Patch] = []
    for obj in view.owned(resource, owner):
        if selector.matches(labels_of(obj)) and is_member(obj):
            mine.append(obj)
        elif not is_terminating(owner):
            writes.append(release(resource, obj, owner))
    for obj in adoptable(view, resource, owner, selector):
        if is_member(obj):
            mine.append(obj)
            writes.append(adopt(resource, obj, owner, finalizer))
    return mine, writes


def unchanged(resource: Resource, owner: Obj) -> Patch:
    """Writes nothing, and refuses its plan if the owner has changed, or is not there any more."""
    version = str(owner["metadata"].get("resourceVersion") or "")
    return Patch(
        resource, namespace_of(owner), name_of(owner), {}, "status", version, uid_of(owner)
    )
