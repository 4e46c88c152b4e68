"""Gives volume claims and Ingresses that name no class the default one.

Source: plugin/pkg/admission/storage/storageclass/setdefault and network/defaultingressclass,
Kubernetes 1.36: of several the newest, then the first by name.
"""

from __future__ import annotations

from mizzen.apiserver.admission_chain import CREATE, AdmissionRequest, Plugin, Transaction
from mizzen.apiserver.context import Context
from mizzen.base.objects import annotations_of, name_of

CLAIMS, INGRESSES = "persistentvolumeclaims", "ingresses.networking.k8s.io"
_STORAGE = ("storageclasses.storage.k8s.io", (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
))  # fmt: skip
_INGRESS = ("ingressclasses.networking.k8s.io", ("ingressclass.kubernetes.io/is-default-class",))


def _set_storage_class(request: AdmissionRequest) -> None:
    beta = "volume.beta.kubernetes.io/storage-class"
    claim = request.object
    if beta in annotations_of(claim) or claim["spec"].get("storageClassName") is not None:
        return
    chosen = _default(request.draft, *_STORAGE)
    if chosen:
        claim["spec"]["storageClassName"] = chosen


def _set_ingress_class(request: AdmissionRequest) -> None:
    ingress = request.object
    said = "kubernetes.io/ingress.class" in annotations_of(ingress)
    if said or ingress["spec"].get("ingressClassName") is not None:
        return
    chosen = _default(request.draft, *_INGRESS)
    if chosen:
        ingress["spec"]["ingressClassName"] = chosen


def _default(draft: Transaction, resource: str, marks: tuple[str, ...]) -> str:
    """The name of the default class, "" for none."""
    found = [
        each
        for each in draft.list(resource)
        if any(annotations_of(each).get(mark) == "true" for mark in marks)
    ]
    found.sort(key=name_of)
    found.sort(key=lambda each: each["metadata"]["creationTimestamp"], reverse=True)
    return name_of(found[0]) if found else ""


def default_classes(context: Context) -> list[Plugin]:
    create = frozenset((CREATE,))
    return [
        Plugin(create, lambda served: served.key == CLAIMS, mutate=_set_storage_class),
        Plugin(create, lambda served: served.key == INGRESSES, mutate=_set_ingress_class),
    ]


PLUGIN = default_classes
