"""Checks of ObjectMeta that hold for every kind.

Source: apimachinery `api/validation/objectmeta.go`.
"""

from __future__ import annotations

from typing import Any

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.kinds.names import (
    NameRule,
    check_annotations,
    check_labels,
    dns_label,
    invalid_value,
    qualified_name,
)
from mizzen.kinds.reading import entries, get
from mizzen.kinds.report import quoted

IMMUTABLE = "field is immutable"
_FROZEN = ("name", "namespace", "uid", "creationTimestamp")


def check_metadata(new: Obj, old: Obj | None, namespaced: bool, name_rule: NameRule) -> list[Cause]:
    """Causes to refuse the metadata of a create (old None) or an update."""
    metadata = new["metadata"]
    causes: list[Cause] = []
    if old is None:
        causes += _check_name(metadata, namespaced, name_rule)
    else:
        causes += _check_unchanged(metadata, old["metadata"])
    if "labels" in metadata:
        causes += check_labels(metadata["labels"], "metadata.labels")
    if "annotations" in metadata:
        causes += check_annotations(metadata["annotations"], "metadata.annotations")
    if "ownerReferences" in metadata:
        causes += _check_owners(metadata["ownerReferences"])
    for index, finalizer in enumerate(entries(metadata, "finalizers")):
        problem = qualified_name(finalizer)
        if problem:
            causes.append(invalid_value(f"metadata.finalizers[{index}]", finalizer, problem))
    return causes


def _check_name(metadata: Obj, namespaced: bool, name_rule: NameRule) -> list[Cause]:
    causes: list[Cause] = []
    name = metadata.get("name") or ""
    if not name:
        message = "Required value: name or generateName is required"
        causes.append(Cause("metadata.name", message, "FieldValueRequired"))
    elif name_rule(name):
        causes.append(invalid_value("metadata.name", name, name_rule(name)))
    namespace = metadata.get("namespace") or ""
    if namespaced and namespace and dns_label(namespace):
        causes.append(invalid_value("metadata.namespace", namespace, dns_label(namespace)))
    if not namespaced and namespace:
        message = "Forbidden: not allowed on this type"
        causes.append(Cause("metadata.namespace", message, "FieldValueForbidden"))
    return causes


def _check_unchanged(new: Obj, old: Obj) -> list[Cause]:
    causes: list[Cause] = []
    for name in _FROZEN:
        before, after = old.get(name), new.get(name)
        if after is not None and before is not None and before != after:
            message = f"Invalid value: {quoted(after)}: {IMMUTABLE}"
            causes.append(Cause(f"metadata.{name}", message))
    if old.get("deletionTimestamp"):
        added = sorted(set(entries(new, "finalizers")) - set(entries(old, "finalizers")))
        if added:
            message = (
                "Forbidden: no new finalizers can be added if the object is being deleted, "
                f"found new finalizers {added}"
            )
            causes.append(Cause("metadata.finalizers", message, "FieldValueForbidden"))
    return causes


def _check_owners(owners: list[Any]) -> list[Cause]:
    causes: list[Cause] = []
    controllers = 0
    for index, owner in enumerate(owners):
        for name in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(name):
                path = f"metadata.ownerReferences[{index}].{name}"
                causes.append(Cause(path, 'Invalid value: "": must not be empty'))
        controllers += bool(owner.get("controller"))
    if controllers > 1:
        message = "Invalid value: [...]: Only one reference can have Controller set to true"
        causes.append(Cause("metadata.ownerReferences", message))
    return causes


def immutable(new: Obj, old: Obj | None, *paths: str) -> list[Cause]:
    """A cause for every field (dotted path) that an update changes though it may not."""
    if old is None:
        return []
    causes: list[Cause] = []
    for path in paths:
        before, after = get(old, path), get(new, path)
        if before != after:
            causes.append(Cause(path, f"Invalid value: {quoted(after)}: {IMMUTABLE}"))
    return causes
