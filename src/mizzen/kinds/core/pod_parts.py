"""The parts of a pod that are written by a path of their own: sizes, ephemeral containers.

Source: pkg/registry/core/pod/strategy.go (podResizeStrategy, podEphemeralContainersStrategy),
`ValidatePodResize` and `ValidatePodEphemeralContainersUpdate`, Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj, annotations_of
from mizzen.base.quantity import parse
from mizzen.base.reading import text
from mizzen.kinds.core.pod_rules import quality_of_service, validate_pod_spec
from mizzen.kinds.kind import WritablePart
from mizzen.kinds.names import invalid_value
from mizzen.kinds.reading import entries, part

_MIRROR = "kubernetes.io/config.mirror"
_SIZED = ("containers", "initContainers")
_SIZES = ("resources", "resizePolicy")
_AMOUNTS = ("requests", "limits")
_RESIZABLE = ("cpu", "memory")
_MUTABLE = "only cpu and memory resources are mutable"


# -- resize ------------------------------------------------------------------------------------


def _keep_for_resize(new: Obj, old: Obj) -> None:
    """Of the spec sizes alone are new, unless containers come, go or move, which is refused."""
    wanted, spec = part(new, "spec"), dict(part(old, "spec"))
    for field in _SIZED:
        before, after = entries(spec, field), entries(wanted, field)
        if [each["name"] for each in before] != [each.get("name") for each in after]:
            return
        if before:
            spec[field] = [_resized(*pair) for pair in zip(before, after, strict=True)]
    spec.pop("resources", None)
    if "resources" in wanted:
        spec["resources"] = wanted["resources"]
    new["spec"] = spec


def _resized(before: Obj, after: Obj) -> Obj:
    kept = {name: value for name, value in before.items() if name not in _SIZES}
    return kept | {name: after[name] for name in _SIZES if name in after}


def _check_resize(new: Obj, old: Obj | None) -> list[Cause]:
    assert old is not None, "a part is written of what there is"
    if _MIRROR in annotations_of(old):
        return [_forbidden("", "static pods cannot be resized")]
    if text(old, "spec", "os", "name") == "windows":
        return [_forbidden("", "windows pods cannot be resized")]
    causes = validate_pod_spec(new["spec"], "spec")
    quality = text(old, "status", "qosClass") or quality_of_service(old["spec"])
    if quality_of_service(new["spec"]) != quality:
        said = "Pod QOS Class may not change as a result of resizing"
        causes.append(invalid_value("spec", text(new, "status", "qosClass"), said))
    running = [s for s in entries(old, "status.containerStatuses") if part(s, "state.running")]
    if running and running[0].get("resources") is None:
        causes.append(_forbidden("spec", "Pod running on node without support for resize"))
    if entries(old, "status.nodeAllocatableResourceClaimStatuses"):
        said = "pods with node allocatable resource claims cannot be resized"
        causes.append(_forbidden("spec", said))
    causes += _check_pod_level(part(new, "spec").get("resources"), part(old, "spec"))
    moved = list(_check_order(new["spec"], old["spec"]))
    return causes + (moved or list(_check_sizes(new["spec"], old["spec"])))


def _check_pod_level(new: Obj | None, spec: Obj) -> Iterator[Cause]:
    old: Obj | None = spec.get("resources")
    if old and not new:
        yield _forbidden("spec.resources", "pod-level resources cannot be removed")
        return
    for kind in _AMOUNTS:
        if not part(old or {}, kind).keys() <= part(new or {}, kind).keys():
            said = f"pod-level resource {kind} cannot be removed"
            yield _forbidden(f"spec.resources.{kind}", said)
    if _fixed(new or {}) != _fixed(old or {}):
        yield _forbidden("spec", f"{_MUTABLE} at pod-level")


def _check_order(new: Obj, old: Obj) -> Iterator[Cause]:
    for field in _SIZED:
        before, after = entries(old, field), entries(new, field)
        if len(before) != len(after):
            yield _forbidden(f"spec.{field}", f"{field} may not be added or removed on resize")
            continue
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            if one["name"] != other["name"]:
                said = f"{field} may not be renamed or reordered on resize"
                yield _forbidden(f"spec.{field}[{index}].name", said)


def _check_sizes(new: Obj, old: Obj) -> Iterator[Cause]:
    for field in _SIZED:
        pairs = zip(entries(old, field), entries(new, field), strict=True)
        for index, (before, after) in enumerate(pairs):
            at = f"spec.{field}[{index}]"
            was, now = part(before, "resources"), part(after, "resources")
            for kind in _AMOUNTS:
                if not part(was, kind).keys() <= part(now, kind).keys():
                    said = f"resource {kind} cannot be removed"
                    yield _forbidden(f"{at}.resources.{kind}", said)
            if _fixed(was) != _fixed(now) or before.get("resizePolicy") != after.get(
                "resizePolicy"
            ):
                if field == "containers":
                    yield _forbidden("spec", _MUTABLE)
                else:
                    said = (
                        "only cpu and memory resources for init or sidecar containers are mutable"
                    )
                    yield _forbidden(at, said)
            if field == "initContainers" and was != now and before.get("restartPolicy") != "Always":
                policies = (p.get("restartPolicy") for p in entries(after, "resizePolicy"))
                if "RestartContainer" in policies:
                    said = (
                        "non-sidecar init containers with a resize policy of RestartContainer "
                        "cannot be resized"
                    )
                    yield _forbidden(at, said)


def _fixed(resources: Mapping[str, Any]) -> Obj:
    """Everything of requirements that no resize changes, amounts by their values."""
    found: Obj = {name: value for name, value in resources.items() if name not in _AMOUNTS}
    for kind in _AMOUNTS:
        amounts = part(resources, kind)
        fixed = {name: parse(v) for name, v in amounts.items() if name not in _RESIZABLE}
        if fixed:
            found[kind] = fixed
    return found


# -- ephemeral containers ----------------------------------------------------------------------


def _keep_for_debugging(new: Obj, old: Obj) -> None:
    wanted = part(new, "spec").get("ephemeralContainers")
    new["spec"] = {n: v for n, v in part(old, "spec").items() if n != "ephemeralContainers"}
    if wanted:
        new["spec"]["ephemeralContainers"] = wanted


def _check_debugging(new: Obj, old: Obj | None) -> list[Cause]:
    assert old is not None, "a part is written of what there is"
    if _MIRROR in annotations_of(old):
        return [_forbidden("", "static pods do not support ephemeral containers")]
    causes = validate_pod_spec(new["spec"], "spec")
    found = {each["name"]: each for each in entries(new, "spec.ephemeralContainers")}
    for before in entries(old, "spec.ephemeralContainers"):
        name = before["name"]
        if found.get(name) != before:
            what = "changed" if name in found else "removed"
            said = f'existing ephemeral containers "{name}" may not be {what}\n'
            causes.append(_forbidden("spec.ephemeralContainers", said))
    return causes


def _forbidden(path: str, why: str) -> Cause:
    return Cause(path, f"Forbidden: {why}", "FieldValueForbidden")


PARTS = {
    "resize": WritablePart(_keep_for_resize, _check_resize),
    "ephemeralcontainers": WritablePart(_keep_for_debugging, _check_debugging),
}
