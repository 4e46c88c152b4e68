"""Rules of PersistentVolumes and of claims to them.

Source: pkg/apis/core/validation `ValidatePersistentVolumeSpec`, v1.36.
"""

from __future__ import annotations

from collections.abc import Iterator

from mizzen.base import quantity
from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.kinds.causes import forbidden, invalid, required, unsupported
from mizzen.kinds.core.placement_rules import check_node_selector
from mizzen.kinds.metadata import IMMUTABLE
from mizzen.kinds.names import dns_subdomain
from mizzen.kinds.reading import entries, get, part

CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
_ALONE = "ReadWriteOncePod"
_SHORT = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", _ALONE: "RWOP"}
_ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", _ALONE)
_RECLAIM = ("Delete", "Recycle", "Retain")
_MODES = ("Block", "Filesystem")
# Fields of a PersistentVolumeSpec that are no source of the volume.
_BESIDE = frozenset(
    [
        "accessModes",
        "capacity",
        "claimRef",
        "mountOptions",
        "nodeAffinity",
        "persistentVolumeReclaimPolicy",
        "storageClassName",
        "volumeAttributesClassName",
        "volumeMode",
    ]
)
_INLINE = "may not be specified in the context of inline volumes"


def sources_of(spec: Obj) -> Obj:
    """The volume itself: the one field that names its type, and its content."""
    return {name: value for name, value in spec.items() if name not in _BESIDE}


def check_access_modes(spec: Obj, path: str, lacking: str = "") -> list[Cause]:
    modes, path = entries(spec, "accessModes"), f"{path}.accessModes"
    causes = [] if modes else [required(path, lacking)]
    causes += [unsupported(path, mode, _ACCESS_MODES) for mode in modes if mode not in _SHORT]
    if _ALONE in modes and any(mode in _SHORT and mode != _ALONE for mode in modes):
        causes.append(forbidden(path, "may not use ReadWriteOncePod with other access modes"))
    return causes


def check_class(spec: Obj, path: str, field: str) -> list[Cause]:
    name = spec.get(field)
    problem = dns_subdomain(name) if name else ""
    return [invalid(f"{path}.{field}", name, problem)] if problem else []


def check_mode(spec: Obj, path: str) -> list[Cause]:
    mode = spec.get("volumeMode")
    if mode is None or mode in _MODES:
        return []
    return [unsupported(f"{path}.volumeMode", mode, _MODES)]


def check_fixed_mode(new: Obj, old: Obj) -> list[Cause]:
    """Causes for a volumeMode that changes, at the path that upstream names."""
    before, after = get(old, "spec.volumeMode"), get(new, "spec.volumeMode")
    return [] if before == after else [invalid("volumeMode", after, IMMUTABLE)]


def check_volume(spec: Obj, path: str) -> list[Cause]:
    """Causes for a PersistentVolumeSpec."""
    causes = check_access_modes(spec, path)
    capacity = part(spec, "capacity")
    if not capacity:
        causes.append(required(f"{path}.capacity"))
    if capacity.keys() != {"storage"}:
        causes.append(unsupported(f"{path}.capacity", spec.get("capacity"), ["storage"]))
    for name, value in capacity.items():
        causes += check_positive(value, f"{path}.capacity[{name}]")
    policy = spec.get("persistentVolumeReclaimPolicy")
    if policy and policy not in _RECLAIM:
        causes.append(unsupported(f"{path}.persistentVolumeReclaimPolicy", policy, _RECLAIM))
    if "nodeAffinity" in spec:
        causes += _check_affinity(spec, path)
    causes += _check_source(spec, path)
    is_root = "hostPath" in spec and not (get(spec, "hostPath.path") or "").rstrip("/")
    if policy == "Recycle" and is_root:
        problem = "may not be 'recycle' for a hostPath mount of '/'"
        causes.append(forbidden(f"{path}.persistentVolumeReclaimPolicy", problem))
    causes += check_class(spec, path, "storageClassName") + check_mode(spec, path)
    name = spec.get("volumeAttributesClassName")
    if name is not None:
        if not name:
            problem = "an empty string is disallowed"
            causes.append(required(f"{path}.volumeAttributesClassName", problem))
        causes += check_class(spec, path, "volumeAttributesClassName")
        if "csi" not in spec:
            problem = "has to be specified when using volumeAttributesClassName"
            causes.append(required(f"{path}.csi", problem))
    return causes


def check_positive(value: str, path: str) -> list[Cause]:
    if quantity.to_milli(value) > 0:
        return []
    return [invalid(path, value, "must be greater than zero")]


def _check_affinity(spec: Obj, path: str) -> list[Cause]:
    path = f"{path}.nodeAffinity"
    wanted = get(spec, "nodeAffinity.required")
    if wanted is None:
        return [required(f"{path}.required", "must specify required node constraints")]
    return check_node_selector(wanted, f"{path}.required")


def _check_source(spec: Obj, path: str) -> Iterator[Cause]:
    sources = sources_of(spec)
    if not sources:
        yield required(path, "must specify a volume type")
    for name in list(sources)[1:]:
        yield forbidden(f"{path}.{name}", "may not specify more than 1 volume type")
    if "hostPath" in sources:
        place = get(sources, "hostPath.path")
        if not place:
            yield required(f"{path}.hostPath.path")
        elif ".." in place.split("/"):
            yield invalid(f"{path}.hostPath.path", place, "must not contain '..'")
    if next(iter(sources), "") == "local":
        if not get(sources, "local.path"):
            yield required(f"{path}.local.path")
        if "nodeAffinity" not in spec:
            yield required(f"{path}.nodeAffinity", "Local volume requires node affinity")
    if "nfs" in sources:
        nfs = sources["nfs"]
        for name in ("server", "path"):
            if not nfs.get(name):
                yield required(f"{path}.nfs.{name}")
        if nfs.get("path") and not nfs["path"].startswith("/"):
            yield invalid(f"{path}.nfs.path", nfs["path"], "must be an absolute path")
    if "csi" in sources:
        for name in ("driver", "volumeHandle"):
            if not get(sources, f"csi.{name}"):
                yield required(f"{path}.csi.{name}")


def check_inline_volume(spec: Obj, path: str) -> list[Cause]:
    """Causes for the volume that a VolumeAttachment says itself, which is of a CSI driver."""
    causes = [
        forbidden(f"{path}.{name}", _INLINE)
        for name in ("claimRef", "capacity", "nodeAffinity", "storageClassName")
        if spec.get(name)
    ]
    if "csi" not in spec:
        problem = "has to be specified in the context of inline volumes"
        causes.append(required(f"{path}.csi", problem))
    return causes + check_access_modes(spec, path) + list(_check_source(spec, path))


def shown_modes(modes: list[str]) -> str:
    """Access modes as kubectl shows them: RWO,ROX."""
    return ",".join(short for mode, short in _SHORT.items() if mode in modes)


def class_of(obj: Obj) -> str:
    """The name of the StorageClass; the old annotation wins."""
    annotations = part(obj["metadata"], "annotations")
    return annotations.get(CLASS_ANNOTATION) or get(obj, "spec.storageClassName") or ""
