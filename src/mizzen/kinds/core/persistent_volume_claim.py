"""PersistentVolumeClaim: a wish for storage, which a volume is bound to."""

from __future__ import annotations

from typing import Any

from mizzen.base import quantity
from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import PERSISTENT_VOLUME_CLAIMS
from mizzen.kinds.causes import forbidden, invalid, required
from mizzen.kinds.columns import AGE, NAME, of
from mizzen.kinds.core.placement_rules import check_label_selector
from mizzen.kinds.core.volume_rules import (
    check_access_modes,
    check_class,
    check_fixed_mode,
    check_mode,
    check_positive,
    class_of,
    shown_modes,
)
from mizzen.kinds.internal_forms import difference, is_same
from mizzen.kinds.kind import Column
from mizzen.kinds.reading import entries, get, part
from mizzen.kinds.upstream import upstream_kind

_IMMUTABLE = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for "
    "bound claims"
)


_SPEC = "core.PersistentVolumeClaimSpec"


def _on_create(claim: Obj) -> None:
    claim["status"] = {"phase": "Pending"}


def _default(claim: Obj) -> None:
    """Source: pkg/apis/core/v1/defaults.go; pkg/registry/core/persistentvolumeclaim
    `NormalizeDataSources`: either way of saying the source says both."""
    spec = claim["spec"]
    spec.setdefault("volumeMode", "Filesystem")
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    if source and not reference:
        spec["dataSourceRef"] = dict(source)
    elif reference and not source and not reference.get("namespace"):
        spec["dataSource"] = {k: v for k, v in reference.items() if k != "namespace"}


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    spec = new["spec"]
    causes = check_access_modes(spec, "spec", "at least 1 access mode is required")
    causes += check_label_selector(part(spec, "selector"), "spec.selector")
    storage = _requested(new)
    if storage is None:
        causes.append(required("spec.resources[storage]"))
    else:
        causes += check_positive(storage, "spec.resources[storage]")
    causes += check_class(spec, "spec", "storageClassName") + check_mode(spec, "spec")
    causes += _check_sources(spec)
    causes += check_class(spec, "spec", "volumeAttributesClassName")
    return causes if old is None else causes + _check_update(new, old)


def _requested(claim: Obj) -> Any:
    return part(claim, "spec.resources.requests").get("storage")


def _check_sources(spec: Obj) -> list[Cause]:
    causes: list[Cause] = []
    for field in ("dataSource", "dataSourceRef"):
        source = spec.get(field)
        if source is None:
            continue
        for name in ("name", "kind"):
            if not source.get(name):
                causes.append(required(f"spec.{field}.{name}"))
        if not source.get("apiGroup") and source.get("kind") not in ("", "PersistentVolumeClaim"):
            problem = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
            causes.append(invalid(f"spec.{field}", source.get("kind"), problem))
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    if source is not None and reference is not None:
        if reference.get("namespace"):
            problem = "may not be specified when dataSourceRef.namespace is specified"
            causes.append(invalid("spec", "spec.dataSource", problem))
        elif source != reference:
            causes.append(invalid("spec", "spec.dataSource", "must match dataSourceRef"))
    return causes


def _check_update(new: Obj, old: Obj) -> list[Cause]:
    """Source: pkg/apis/core/validation `ValidatePersistentVolumeClaimUpdate`."""
    causes: list[Cause] = []
    before, after = _fixed(new, old)
    if not is_same(_SPEC, before, after):
        causes.append(forbidden("spec", f"{_IMMUTABLE}\n{difference(_SPEC, before, after)}"))
    size, wanted = _requested(old) or "0", _requested(new) or "0"
    granted = get(old, "status.capacity.storage") or "0"
    shrinks = quantity.to_milli(wanted) < quantity.to_milli(size)
    if shrinks and quantity.to_milli(wanted) <= quantity.to_milli(granted):
        problem = "field can not be less than status.capacity"
        causes.append(forbidden("spec.resources.requests.storage", problem))
    return causes + check_fixed_mode(new, old)


def _fixed(new: Obj, old: Obj) -> tuple[Obj, Obj]:
    """Both specs with what may change as it is in the other one."""
    before, after = dict(old["spec"]), dict(new["spec"])
    if not before.get("volumeName") and "volumeName" in after:
        before["volumeName"] = after["volumeName"]
    if before.get("storageClassName") is None:
        after.pop("storageClassName", None)
    if get(old, "status.phase") == "Bound":
        after["volumeAttributesClassName"] = before.get("volumeAttributesClassName")
        if requests := part(after, "resources.requests"):
            requests = {**requests, "storage": _requested(old)}
            after["resources"] = {**part(after, "resources"), "requests": requests}
    return before, after


def _phase(claim: Obj, now_ns: int) -> str:
    if claim["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return get(claim, "status.phase") or ""


def _capacity(claim: Obj, now_ns: int) -> str:
    bound = get(claim, "spec.volumeName")
    return str(get(claim, "status.capacity.storage") or "0") if bound else ""


def _modes(claim: Obj, now_ns: int) -> str:
    bound = get(claim, "spec.volumeName")
    return shown_modes(entries(claim, "status.accessModes")) if bound else ""


KIND = upstream_kind(
    PERSISTENT_VOLUME_CLAIMS,
    "A wish for storage, which a volume is bound to.",
    is_acted_upon=False,
    default=_default,
    on_create=_on_create,
    validate=_validate,
    columns=(
        NAME,
        Column("Status", _phase),
        Column("Volume", of("spec.volumeName")),
        Column("Capacity", _capacity),
        Column("Access Modes", _modes),
        Column("StorageClass", lambda c, now: class_of(c)),
        Column("VolumeAttributesClass", of("spec.volumeAttributesClassName", "<unset>")),
        AGE,
        Column("VolumeMode", of("spec.volumeMode", "<unset>"), priority=1),
    ),
)
