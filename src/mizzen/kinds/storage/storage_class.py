"""StorageClass: a way in which volumes are made for claims."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.kinds.causes import duplicate, required, unsupported
from mizzen.kinds.columns import AGE, NAME, of
from mizzen.kinds.kind import Column
from mizzen.kinds.metadata import immutable
from mizzen.kinds.reading import entries, part
from mizzen.kinds.storage.class_rules import check_driver, check_parameters
from mizzen.kinds.upstream import resource_named, upstream_kind
from mizzen.kinds.values import mark_of

_DEFAULT_CLASS = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)
_FIXED = ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode")
_RECLAIM = ("Delete", "Retain")
_BINDING = ("Immediate", "WaitForFirstConsumer")


def _default(storage_class: Obj) -> None:
    storage_class.setdefault("reclaimPolicy", "Delete")
    storage_class.setdefault("volumeBindingMode", "Immediate")


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    if old is not None:
        return immutable(new, old, *_FIXED)
    causes = check_driver(new, "provisioner") + check_parameters(new)
    policy = new.get("reclaimPolicy")
    if policy and policy not in _RECLAIM:
        causes.append(unsupported("reclaimPolicy", policy, _RECLAIM))
    mode = new.get("volumeBindingMode")
    if mode not in _BINDING:
        causes.append(unsupported("volumeBindingMode", mode, _BINDING))
    return causes + _check_topologies(entries(new, "allowedTopologies"))


def _check_topologies(terms: list[Any]) -> list[Cause]:
    """Source: pkg/apis/core/validation `ValidateTopologySelectorTerm`."""
    causes: list[Cause] = []
    seen: set[Hashable] = set()
    for index, term in enumerate(terms):
        path = f"allowedTopologies[{index}].matchLabelExpressions"
        keys: set[str] = set()
        for at, expression in enumerate(entries(term, "matchLabelExpressions")):
            values = entries(expression, "values")
            if not values:
                causes.append(required(f"{path}[{at}].values"))
            for place, value in enumerate(values):
                if value in values[:place]:
                    causes.append(duplicate(f"{path}[{at}].values[{place}]", value))
            if expression["key"] in keys:
                causes.append(duplicate(f"{path}[{at}].key", expression["key"]))
            keys.add(expression["key"])
        mark = mark_of(term)
        if mark in seen:
            causes.append(duplicate(path, ""))
        seen.add(mark)
    return causes


def _name(storage_class: Obj, now_ns: int) -> str:
    annotations = part(storage_class["metadata"], "annotations")
    name = storage_class["metadata"].get("name") or ""
    is_default = any(annotations.get(key) == "true" for key in _DEFAULT_CLASS)
    return f"{name} (default)" if is_default else name


KIND = upstream_kind(
    resource_named("storage.k8s.io", "storageclasses"),
    "A way in which volumes are made for claims.",
    is_acted_upon=False,
    default=_default,
    validate=_validate,
    columns=(
        Column("Name", _name, format="name", description=NAME.description),
        Column("Provisioner", of("provisioner")),
        Column("ReclaimPolicy", of("reclaimPolicy", "Delete")),
        Column("VolumeBindingMode", of("volumeBindingMode", "Immediate")),
        Column("AllowVolumeExpansion", of("allowVolumeExpansion", False)),
        AGE,
    ),
)
