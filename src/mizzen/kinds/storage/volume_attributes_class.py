"""VolumeAttributesClass: parameters that a volume's driver may change while it is used."""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.kinds.causes import forbidden, required
from mizzen.kinds.columns import AGE, NAME, of
from mizzen.kinds.kind import Column
from mizzen.kinds.storage.class_rules import check_driver, check_parameters
from mizzen.kinds.upstream import resource_named, upstream_kind


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    causes: list[Cause] = []
    for name in ("driverName", "parameters"):
        if old is not None and (new.get(name) or {}) != (old.get(name) or {}):
            causes.append(forbidden(name, f"updates to {name} are forbidden."))
    causes += check_driver(new, "driverName") + check_parameters(new)
    if not new.get("parameters"):
        causes.append(required("parameters", "must contain at least one key/value pair"))
    return causes


KIND = upstream_kind(
    resource_named("storage.k8s.io", "volumeattributesclasses"),
    "Parameters that a volume's driver may change while it is used.",
    is_acted_upon=False,
    validate=_validate,
    columns=(NAME, Column("DriverName", of("driverName")), AGE),
)
