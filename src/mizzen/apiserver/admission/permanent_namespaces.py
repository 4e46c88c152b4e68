"""Refuses to delete the namespaces that must always be there."""

from __future__ import annotations

from mizzen.apiserver.admission_chain import DELETE, AdmissionRequest, Plugin
from mizzen.apiserver.context import Context
from mizzen.apiserver.core.refusals import forbidden
from mizzen.base.resources import NAMESPACES

PERMANENT_NAMESPACES = (
    "default", "kube-system", "kube-public", "kube-node-lease", "mizzen-system",
)  # fmt: skip


def _check(request: AdmissionRequest) -> None:
    if request.key.name in PERMANENT_NAMESPACES:
        raise forbidden(NAMESPACES, request.key.name, "this namespace may not be deleted")


def permanent_namespaces(context: Context) -> Plugin:
    return Plugin(frozenset((DELETE,)), lambda s: s.resource == NAMESPACES, admit=_check)


PLUGIN = permanent_namespaces
