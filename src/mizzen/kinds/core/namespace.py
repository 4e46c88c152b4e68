"""Namespace: a scope for names."""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import NAMESPACES
from mizzen.kinds.columns import AGE, NAME, of
from mizzen.kinds.kind import Column, Kind, WritablePart
from mizzen.kinds.meta import CONDITIONS, root
from mizzen.kinds.names import dns_label, qualified_name
from mizzen.kinds.reading import entries
from mizzen.kinds.schema import STRINGS, choice, package
from mizzen.kinds.subresource import STATUS_SUBRESOURCE, Subresource
from mizzen.kinds.treatment import acted

v1 = package("io.k8s.api.core.v1")
NAME_LABEL = "kubernetes.io/metadata.name"
FINALIZER = "kubernetes"
_STANDARD = (FINALIZER, "foregroundDeletion", "orphan")


def _on_create(new: Obj) -> None:
    new["status"] = {"phase": "Active"}


def _complete(new: Obj) -> None:
    finalizers = new.setdefault("spec", {}).setdefault("finalizers", [])
    if FINALIZER not in finalizers:
        finalizers.append(FINALIZER)


def _on_update(new: Obj, old: Obj) -> None:
    """Finalizers are taken off by /finalize, or once it is empty. Source:
    pkg/registry/core/namespace."""
    new.pop("spec", None)
    if "spec" in old:
        new["spec"] = old["spec"]


def _keep_for_finalizing(new: Obj, old: Obj) -> None:
    new.pop("status", None)
    if "status" in old:
        new["status"] = old["status"]


def _default(obj: Obj) -> None:
    if obj["metadata"].get("name"):
        obj["metadata"].setdefault("labels", {})[NAME_LABEL] = obj["metadata"]["name"]


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    return _check_finalizers(new, old) if old is None else []


def _check_finalizers(new: Obj, old: Obj | None) -> list[Cause]:
    """Source: ValidateNamespace, ValidateNamespaceFinalizeUpdate."""
    causes: list[Cause] = []
    for index, name in enumerate(entries(new, "spec.finalizers")):
        problem = qualified_name(name)
        if not problem and "/" not in name and name not in _STANDARD:
            problem = "name is neither a standard finalizer name nor is it fully qualified"
        if problem:
            message = f'Invalid value: "{name}": {problem}'
            causes.append(Cause(f"spec.finalizers[{index}]", message))
    return causes


KIND = Kind(
    resource=NAMESPACES,
    short_names=("ns",),
    generation=False,
    verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
    name_rule=dns_label,
    schema=root(
        NAMESPACES,
        "A scope for names.",
        "io.k8s.api.core.v1.Namespace",
        spec=v1(
            "NamespaceSpec",
            "What the namespace should be.",
            finalizers=STRINGS("Who must have finished before the namespace is removed."),
        ),
        status=v1(
            "NamespaceStatus",
            "What the namespace is.",
            phase=choice("Active", "Terminating")("Terminating while its objects are deleted."),
            conditions=CONDITIONS("Aspects of its deletion."),
        ),
    ),
    default=_default,
    validate=_validate,
    on_create=_on_create,
    complete=_complete,
    on_update=_on_update,
    parts={"finalize": WritablePart(_keep_for_finalizing, _check_finalizers, is_update=False)},
    subresources=(Subresource("finalize", ("update",)), STATUS_SUBRESOURCE),
    selectable_fields=("status.phase",),
    columns=(NAME, Column("Status", of("status.phase")), AGE),
)

SERVED_FIELDS = {
    "core.v1.Namespace": acted("apiserver", "spec"),
    "core.v1.NamespaceSpec": acted("apiserver", "finalizers"),
}  # fmt: skip
