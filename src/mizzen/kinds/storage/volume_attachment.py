"""VolumeAttachment: a wish to attach a volume to a node, or to detach it."""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.kinds.causes import forbidden, invalid, required
from mizzen.kinds.columns import AGE, NAME, of
from mizzen.kinds.core.volume_rules import check_inline_volume
from mizzen.kinds.kind import Column
from mizzen.kinds.metadata import immutable
from mizzen.kinds.names import dns_subdomain
from mizzen.kinds.storage.class_rules import check_csi_driver_name
from mizzen.kinds.upstream import resource_named, upstream_kind

_EITHER = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    spec = new["spec"]
    causes = check_csi_driver_name(spec["attacher"], "spec.attacher")
    causes += _check_source(spec["source"])
    if problem := dns_subdomain(spec["nodeName"]):
        causes.append(invalid("spec.nodeName", spec["nodeName"], problem))
    return causes + immutable(new, old, "spec")


def _check_source(source: Obj) -> list[Cause]:
    path = "spec.source"
    name, inline = source.get("persistentVolumeName"), source.get("inlineVolumeSpec")
    if name is None and inline is None:
        return [required(path, _EITHER)]
    if name is not None and inline is not None:
        return [forbidden(path, _EITHER)]
    if inline is not None:
        return check_inline_volume(inline, f"{path}.inlineVolumeSpec")
    path += ".persistentVolumeName"
    causes = [] if name else [required(path, "must specify non empty persistentVolumeName")]
    problem = dns_subdomain(str(name))
    return [*causes, invalid(path, name, problem)] if problem else causes


KIND = upstream_kind(
    resource_named("storage.k8s.io", "volumeattachments"),
    "A wish to attach a volume to a node, or to detach it.",
    is_acted_upon=False,
    validate=_validate,
    columns=(
        NAME,
        Column("Attacher", of("spec.attacher"), format="name"),
        Column("PV", of("spec.source.persistentVolumeName")),
        Column("Node", of("spec.nodeName")),
        Column("Attached", of("status.attached", False), "boolean"),
        AGE,
    ),
)
