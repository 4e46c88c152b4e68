"""LimitRange: bounds and defaults of what one pod, container or volume claim takes.

Source: pkg/apis/core/validation ValidateLimitRange, pkg/apis/core/v1/defaults.go; Kubernetes 1.36.
"""

from __future__ import annotations

from typing import Any

from mizzen.base.errors import Cause
from mizzen.base.label_syntax import key_problems
from mizzen.base.objects import Obj
from mizzen.base.quantity import parse
from mizzen.base.resources import LIMIT_RANGES
from mizzen.kinds import causes as words
from mizzen.kinds.columns import NAME, Column, of
from mizzen.kinds.core.resource_names import check_container_resource, check_resource_name
from mizzen.kinds.reading import entries, part
from mizzen.kinds.treatment import acted, holding
from mizzen.kinds.upstream import upstream_kind

_TYPES = ("Pod", "Container", "PersistentVolumeClaim")
_FIELDS = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")


def _default(limit_range: Obj) -> None:
    for item in entries(limit_range, "spec.limits"):
        if item.get("type") != "Container":
            continue
        limits = {**part(item, "max"), **part(item, "default")}
        requests = {**part(item, "min"), **limits, **part(item, "defaultRequest")}
        item |= {k: v for k, v in (("default", limits), ("defaultRequest", requests)) if v}


def _complete(limit_range: Obj) -> None:
    spec = part(limit_range, "spec")
    if not spec.get("limits"):
        spec["limits"] = None  # as Go writes a list of none


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, item in enumerate(entries(new, "spec.limits")):
        path, kind = f"spec.limits[{index}]", item.get("type") or ""
        causes += _check_type(kind, f"{path}.type")
        if kind in seen:
            causes.append(words.duplicate(f"{path}.type", kind))
        seen.add(kind)
        if kind == "Pod":
            causes += [
                words.forbidden(f"{path}.{name}", "may not be specified when `type` is 'Pod'")
                for name in ("default", "defaultRequest")
                if item.get(name)
            ]
        storage = "storage" in part(item, "min") or "storage" in part(item, "max")
        if kind == "PersistentVolumeClaim" and not storage:
            what = "either minimum or maximum storage value is required, but neither was provided"
            causes.append(words.required(f"{path}.limits", what))
        fields = [f for f in _FIELDS if not (kind == "Pod" and f in ("default", "defaultRequest"))]
        check = check_container_resource if kind in ("Pod", "Container") else check_resource_name
        for field in fields:
            for name in part(item, field):
                causes += check(name, f"{path}.{field}[{name}]")
        for name in sorted({name for each in fields for name in part(item, each)}):
            causes += _check_amounts({each: item.get(each) for each in fields}, name, path)
    return causes


def _check_type(kind: str, path: str) -> list[Cause]:
    problems = key_problems(kind)
    if not problems and "/" not in kind and kind not in _TYPES:
        problems = ["must be a standard limit type or fully qualified"]
    return [words.invalid(path, kind, each) for each in problems]


def _check_amounts(item: Obj, name: str, path: str) -> list[Cause]:
    """What contradicts itself among the bounds of one resource."""
    said: dict[str, Any] = {each: part(item, each).get(name) for each in _FIELDS}
    causes: list[Cause] = []
    for field, least, low, most, high, shown in (
        ("min", "min", "min value", "max", "max value", "min"),
        ("defaultRequest", "min", "min value", "defaultRequest", "default request value",
         "defaultRequest"),
        ("defaultRequest", "defaultRequest", "default request value", "max", "max value",
         "defaultRequest"),
        ("defaultRequest", "defaultRequest", "default request value", "default",
         "default limit value", "defaultRequest"),
        ("default", "min", "min value", "default", "default value", "min"),
        ("default", "default", "default value", "max", "max value", "max"),
    ):  # fmt: skip
        small, large = said[least], said[most]
        if small is not None and large is not None and parse(small) > parse(large):
            what = f"{low} {small} is greater than {high} {large}"
            causes.append(words.invalid(f"{path}.{field}[{name}]", said[shown], what))
    ratio = said["maxLimitRequestRatio"]
    if ratio is not None and parse(ratio) < 1:
        at = f"{path}.maxLimitRequestRatio[{name}]"
        causes.append(words.invalid(at, ratio, f"ratio {ratio} is less than 1"))
    return causes


KIND = upstream_kind(
    LIMIT_RANGES,
    "Bounds and defaults of what one pod, container or volume claim takes.",
    default=_default,
    complete=_complete,
    is_named_by_uid=True,
    validate=_validate,
    columns=(NAME, Column("Created At", of("metadata.creationTimestamp"), type="date")),
)

SERVED_FIELDS = {
    "core.v1.LimitRange": holding("spec"),
    "core.v1.LimitRangeSpec": acted("apiserver", "limits"),
    "core.v1.LimitRangeItem": acted(
        "apiserver", "type max min default defaultRequest maxLimitRequestRatio"
    ),
}
