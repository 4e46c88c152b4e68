"""ControllerRevisions: the templates that a StatefulSet or DaemonSet had.

Source: kube-controller-manager `pkg/controller/history`, and `getPatch` of both controllers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from mizzen.base.objects import (
    Key,
    Obj,
    annotations_of,
    name_of,
    namespace_of,
    owner_reference,
    uid_of,
)
from mizzen.base.operations import Create, Delete, Operation, Patch
from mizzen.base.reading import number, part, text
from mizzen.base.resources import CONTROLLER_REVISIONS
from mizzen.controllers.core.pod_templates import hash_of
from mizzen.controllers.core.view import View

REVISION_LABEL = "controller-revision-hash"  # of pods: the revision that they were made of
HASH_LABEL = "controller.kubernetes.io/hash"
_PREFIX_CHARS_MAX = 223
_DIRECTIVE = "$patch"


class History(NamedTuple):
    """The revisions, oldest first; the one of the template as it is; and what is written."""

    revisions: list[Obj]
    update: Obj
    collisions: int
    writes: list[Operation]


def data_of(owner: Obj) -> Obj:
    """A strategic merge patch that brings the template back; kubectl applies it to undo.

    Clients compare it, byte for byte, with what Go makes of the template: keys are in order, and
    containers have their resources, if none.
    """
    template = {**part(owner, "spec", "template"), _DIRECTIVE: "replace"}
    return as_go_writes({"spec": {"template": template}})


def as_go_writes(data: Obj) -> Obj:
    """The data of a revision in that form, of one that was written before likewise."""
    made: Obj = _in_order(data)
    spec = part(made, "spec", "template", "spec")
    for name in ("containers", "initContainers"):
        if spec.get(name):
            spec[name] = [_in_order({"resources": {}, **each}) for each in spec[name]]
    return made


def _in_order(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _in_order(child) for name, child in sorted(cast("Obj", value).items())}
    if isinstance(value, list):
        return [_in_order(child) for child in cast("list[Any]", value)]
    return value


def template_of(revision: Obj) -> Obj:
    """The template that a revision keeps."""
    template = part(revision, "data", "spec", "template")
    return {name: value for name, value in template.items() if name != _DIRECTIVE}


def in_order(revisions: Sequence[Obj]) -> list[Obj]:
    return sorted(
        revisions,
        key=lambda r: (number(r, "revision"), text(r, "metadata", "creationTimestamp"), name_of(r)),
    )


def find_update(
    view: View, owner: Obj, found: Sequence[Obj], *, label: str, annotated: bool = True
) -> History:
    """The history with a revision for the template as it is, which is its newest.

    A template that was there before gets its revision back, with a new number. `label` is the label
    by which the revision carries its hash.
    """
    revisions, data = in_order(found), data_of(owner)
    collisions = number(owner, "status", "collisionCount")
    newest = number(revisions[-1], "revision") if revisions else 0
    equal = [each for each in revisions if as_go_writes(each.get("data") or {}) == data]
    if equal and equal[-1] is revisions[-1]:
        return History(revisions, equal[-1], collisions, [])
    if equal:
        again: Obj = {**equal[-1], "revision": newest + 1}
        version = str(again["metadata"].get("resourceVersion") or "")
        name, namespace = name_of(again), namespace_of(again)
        change: Obj = {"revision": newest + 1}
        patch = Patch(CONTROLLER_REVISIONS, namespace, name, change, "", version, uid_of(again))
        return History(revisions, again, collisions, [patch])
    while True:
        made = _make(owner, data, newest + 1, collisions, label)
        there = view.get(CONTROLLER_REVISIONS, Key(namespace_of(owner), name_of(made)))
        if there is None:
            break
        collisions += 1
    if annotated and annotations_of(owner):
        made["metadata"]["annotations"] = dict(annotations_of(owner))
    return History(revisions, made, collisions, [Create(CONTROLLER_REVISIONS, made)])


def _make(owner: Obj, data: Obj, revision: int, collisions: int, label: str) -> Obj:
    word = hash_of(data, collisions)
    labels = part(owner, "spec", "template", "metadata", "labels")
    return {
        "metadata": {
            "name": f"{name_of(owner)[:_PREFIX_CHARS_MAX]}-{word}",
            "namespace": namespace_of(owner),
            "labels": {**labels, label: word},
            "ownerReferences": [owner_reference(owner)],
        },
        "data": data,
        "revision": revision,
    }


def drop_revision(revision: Obj) -> Delete:
    namespace, name = namespace_of(revision), name_of(revision)
    return Delete(CONTROLLER_REVISIONS, namespace, name, uid=uid_of(revision))
