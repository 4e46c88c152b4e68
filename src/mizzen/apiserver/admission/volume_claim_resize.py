"""Lets a volume claim grow only where it is bound and its class allows it.

Source: plugin/pkg/admission/storage/persistentvolume/resize, Kubernetes 1.36.
"""

from __future__ import annotations

from fractions import Fraction

from mizzen.apiserver.admission_chain import UPDATE, AdmissionRequest, Plugin
from mizzen.apiserver.context import Context
from mizzen.apiserver.core.refusals import forbidden
from mizzen.base.objects import Obj, annotations_of
from mizzen.base.quantity import parse
from mizzen.base.reading import field, text
from mizzen.store.store import ObjectKey

_CLAIMS, _CLASSES = "persistentvolumeclaims", "storageclasses.storage.k8s.io"


def _check(request: AdmissionRequest) -> None:
    old, new = request.old, request.object
    if old is None or _size(new) <= _size(old):
        return
    resource, name = request.served.resource, request.key.name
    if text(old, "status", "phase") != "Bound":
        raise forbidden(resource, name, "Only bound persistent volume claims can be expanded")
    chosen = _class(new)
    found = request.draft.get(ObjectKey(_CLASSES, "", chosen)) if chosen == _class(old) else None
    if not chosen or found is None or not found.get("allowVolumeExpansion"):
        raise forbidden(
            resource, name,
            "only dynamically provisioned pvc can be resized and the storageclass that provisions "
            "the pvc must support resize",
        )  # fmt: skip


def _size(claim: Obj) -> Fraction:
    return parse(field(claim, "spec", "resources", "requests", "storage") or "0")


def _class(claim: Obj) -> str:
    beta = annotations_of(claim).get("volume.beta.kubernetes.io/storage-class")
    return beta if beta is not None else text(claim, "spec", "storageClassName")


def volume_claim_resize(context: Context) -> Plugin:
    return Plugin(frozenset((UPDATE,)), lambda served: served.key == _CLAIMS, admit=_check)


PLUGIN = volume_claim_resize
