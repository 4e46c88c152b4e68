"""PersistentVolume: storage that outlives the pods that use it."""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.kinds.causes import forbidden
from mizzen.kinds.columns import AGE, NAME, of
from mizzen.kinds.core.volume_rules import (
    check_fixed_mode,
    check_volume,
    class_of,
    shown_modes,
    sources_of,
)
from mizzen.kinds.internal_forms import difference, is_same
from mizzen.kinds.kind import Column
from mizzen.kinds.reading import entries, get, part
from mizzen.kinds.upstream import resource_named, upstream_kind

_SINCE = "lastPhaseTransitionTime"
_SOURCE = "core.PersistentVolumeSource"


def _on_create(volume: Obj) -> None:
    volume["status"] = {"phase": "Pending"}


def _default(volume: Obj) -> None:
    volume["spec"].setdefault("persistentVolumeReclaimPolicy", "Retain")
    volume["spec"].setdefault("volumeMode", "Filesystem")
    status: Obj = volume.setdefault("status", {})
    status["phase"] = status.get("phase") or "Pending"


def _stamp(new: Obj, old: Obj | None, now: str) -> None:
    if old is None:
        new["status"][_SINCE] = now


def _stamp_status(new: Obj, old: Obj, now: str) -> None:
    """When the phase changed, unless who writes it says so himself."""
    status, before = new["status"], part(old, "status")
    since, earlier = status.get(_SINCE), before.get(_SINCE)
    if status["phase"] != before.get("phase"):
        if since is None or since == earlier:
            status[_SINCE] = now
    elif since is None and earlier is not None:
        status[_SINCE] = earlier


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    """Source: pkg/apis/core/validation `ValidatePersistentVolumeUpdate`."""
    causes = check_volume(new["spec"], "spec")
    if old is None:
        return causes
    before, after = _fixed(old, old), _fixed(new, old)
    if not is_same(_SOURCE, before, after):
        changes = difference(_SOURCE, before, after)
        problem = f"spec.persistentvolumesource is immutable after creation\n{changes}"
        causes.append(forbidden("spec.persistentvolumesource", problem))
    return causes + check_fixed_mode(new, old)


def _fixed(volume: Obj, old: Obj) -> Obj:
    """The source, without the one secret that may be said later."""
    sources = sources_of(volume["spec"])
    secret = "controllerExpandSecretRef"
    if "csi" in sources and secret not in part(old, "spec.csi"):
        csi = {name: value for name, value in sources["csi"].items() if name != secret}
        sources = {**sources, "csi": csi}
    return sources


def _phase(volume: Obj, now_ns: int) -> str:
    if volume["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return get(volume, "status.phase") or ""


def _claim(volume: Obj, now_ns: int) -> str:
    claim = part(volume, "spec.claimRef")
    return f"{claim.get('namespace') or ''}/{claim.get('name') or ''}" if claim else ""


KIND = upstream_kind(
    resource_named("", "persistentvolumes"),
    "Storage that outlives the pods that use it.",
    is_acted_upon=False,
    default=_default,
    on_create=_on_create,
    stamp=_stamp,
    stamp_status=_stamp_status,
    validate=_validate,
    columns=(
        NAME,
        Column("Capacity", of("spec.capacity.storage", "0")),
        Column("Access Modes", lambda v, now: shown_modes(entries(v, "spec.accessModes"))),
        Column("Reclaim Policy", of("spec.persistentVolumeReclaimPolicy")),
        Column("Status", _phase),
        Column("Claim", _claim),
        Column("StorageClass", lambda v, now: class_of(v)),
        Column("VolumeAttributesClass", of("spec.volumeAttributesClassName", "<unset>")),
        Column("Reason", of("status.reason")),
        AGE,
        Column("VolumeMode", of("spec.volumeMode", "<unset>"), priority=1),
    ),
)
