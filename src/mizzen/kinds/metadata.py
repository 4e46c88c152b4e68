"""Checks of ObjectMeta that hold for every kind.

Source: apimachinery `api/validation/objectmeta.go`.
"""

from __future__ import annotations

from typing import Any

from mizzen.base.errors import Cause
from mizzen.base.go_text import marshalled
from mizzen.base.label_syntax import key_problems
from mizzen.base.objects import Obj
from mizzen.kinds.names import (
    NameRule,
    check_annotations,
    check_labels,
    dns_label,
    invalid_value,
)
from mizzen.kinds.reading import entries, get
from mizzen.kinds.report import quoted

IMMUTABLE = "field is immutable"
_STANDARD_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")
_FROZEN = ("name", "namespace", "uid", "creationTimestamp")
_DELETERS_OWN = ("deletionTimestamp", "deletionGracePeriodSeconds")


def check_metadata(
    new: Obj, old: Obj | None, namespaced: bool, name_rule: NameRule, *, is_custom: bool = False
) -> list[Cause]:
    """Causes to refuse the metadata of a create (old None) or an update.

    `is_custom`: finalizers without a domain may be any, not the standard ones alone.
    """
    metadata = new["metadata"]
    causes: list[Cause] = []
    if old is None:
        causes += _check_name(metadata, namespaced, name_rule)
        if (generation := metadata.get("generation") or 0) < 0:
            message = f"Invalid value: {generation}: must be greater than or equal to 0"
            causes.append(Cause("metadata.generation", message))
    else:
        causes += _check_unchanged(metadata, old["metadata"])
    if "labels" in metadata:
        causes += check_labels(metadata["labels"], "metadata.labels")
    if "annotations" in metadata:
        causes += check_annotations(metadata["annotations"], "metadata.annotations")
    if "ownerReferences" in metadata:
        causes += _check_owners(metadata["ownerReferences"])
    finalizers = entries(metadata, "finalizers")
    if finalizers:
        causes += _check_finalizers(finalizers)
        if not is_custom:
            causes += _check_standard(finalizers)
    return causes


def _check_finalizers(finalizers: list[Any]) -> list[Cause]:
    path = "metadata.finalizers"
    causes = [
        invalid_value(path, each, problem) for each in finalizers for problem in key_problems(each)
    ]
    if "orphan" in finalizers and "foregroundDeletion" in finalizers:
        message = "finalizer orphan and foregroundDeletion cannot be both set"
        causes.append(Cause(path, f"Invalid value: {marshalled(finalizers)}: {message}"))
    return causes


def _check_standard(finalizers: list[Any]) -> list[Cause]:
    """Source: kubernetes `pkg/apis/core/validation`, validateKubeFinalizerName."""
    message = "name is neither a standard finalizer name nor is it fully qualified"
    return [
        invalid_value(f"metadata.finalizers[{index}]", each, message)
        for index, each in enumerate(finalizers)
        if "/" not in each and each not in _STANDARD_FINALIZERS
    ]


def _check_name(metadata: Obj, namespaced: bool, name_rule: NameRule) -> list[Cause]:
    causes: list[Cause] = []
    prefix, name = metadata.get("generateName") or "", metadata.get("name") or ""
    if prefix and (problem := name_rule(_as_name(prefix))):
        causes.append(invalid_value("metadata.generateName", prefix, problem))
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


def _as_name(prefix: str) -> str:
    """A dash at a prefix's end will have something behind it."""
    return f"{prefix[:-2]}a" if len(prefix) > 1 and prefix.endswith("-") else prefix


def _check_unchanged(new: Obj, old: Obj) -> list[Cause]:
    causes: list[Cause] = []
    for name in _FROZEN:
        before, after = old.get(name), new.get(name)
        if after is not None and before is not None and before != after:
            message = f"Invalid value: {quoted(after)}: {IMMUTABLE}"
            causes.append(Cause(f"metadata.{name}", message))
    for name in _DELETERS_OWN:
        after = new.get(name)
        if after is not None and after != old.get(name):
            causes.append(Cause(f"metadata.{name}", f"Invalid value: {quoted(after)}: {IMMUTABLE}"))
    if old.get("deletionTimestamp"):
        added = sorted(set(entries(new, "finalizers")) - set(entries(old, "finalizers")))
        if added:
            message = (
                "Forbidden: no new finalizers can be added if the object is being deleted, "
                f"found new finalizers []string{{{', '.join(map(quoted, added))}}}"
            )
            causes.append(Cause("metadata.finalizers", message, "FieldValueForbidden"))
    return causes


def _check_owners(owners: list[Any]) -> list[Cause]:
    path, causes = "metadata.ownerReferences", list[Cause]()
    first = ""
    for owner in owners:
        version = str(owner.get("apiVersion") or "")
        if not version.rpartition("/")[2]:
            causes.append(invalid_value(f"{path}.apiVersion", version, "version must not be empty"))
        for name in ("kind", "name", "uid"):
            if not owner.get(name):
                causes.append(invalid_value(f"{path}.{name}", "", "must not be empty"))
        if (version, owner.get("kind")) == ("v1", "Event"):
            message = "/v1, Kind=Event is disallowed from being an owner"
            causes.append(Cause(path, f"Invalid value: {marshalled(owner)}: {message}"))
        if owner.get("controller"):
            called = f"{owner.get('kind') or ''}/{owner.get('name') or ''}"
            if first:
                message = (
                    'Only one reference can have Controller set to true. Found "true" in '
                    f"references for {first} and {called}"
                )
                causes.append(Cause(path, f"Invalid value: {marshalled(owners)}: {message}"))
            first = first or called
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
