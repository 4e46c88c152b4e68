"""Keeps kubelets (`system:node:NAME` in `system:nodes`) to the objects of their own node."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mizzen.apiserver.admission_chain import (
    CREATE,
    DELETE,
    UPDATE,
    UPDATE_STATUS,
    AdmissionRequest,
    Plugin,
)
from mizzen.apiserver.context import Context
from mizzen.apiserver.core import node_restriction as rules
from mizzen.apiserver.core import refusals
from mizzen.apiserver.core.node_access import node_of
from mizzen.store.store import ObjectKey

_NODES, _PODS, _CLAIMS = "nodes", "pods", "persistentvolumeclaims"
_LEASES, _CSI_NODES = "leases.coordination.k8s.io", "csinodes.storage.k8s.io"
_SLICES = "resourceslices.resource.k8s.io"


def _pod(node: str, request: AdmissionRequest) -> str:
    if request.operation == CREATE:
        own = request.draft.get(ObjectKey(_NODES, "", node))
        return rules.pod_create(node, request.object, own)
    if request.operation == DELETE:
        return rules.pod_delete(node, request.object)
    if request.operation == UPDATE_STATUS:
        assert request.old is not None, "an update has an object before"
        return rules.pod_status(node, request.object, request.old)
    words = "can only create and delete mirror pods"
    return f'unexpected operation "UPDATE", node "{node}" {words}'


def _node(node: str, request: AdmissionRequest) -> str:
    return rules.node_write(node, request.object, request.old)


def _slice(node: str, request: AdmissionRequest) -> str:
    if request.operation not in (CREATE, DELETE):
        return ""
    return rules.slice_write(node, request.object, request.operation)


def _claim(node: str, request: AdmissionRequest) -> str:
    if request.operation != UPDATE_STATUS or request.old is None:
        return "may only update PVC status"
    return rules.claim_status(node, request.object, request.old)


_CHECKS: Mapping[str, Callable[[str, AdmissionRequest], str]] = {
    _PODS: _pod,
    _NODES: _node,
    _LEASES: lambda node, request: rules.lease_write(node, request.object),
    _CSI_NODES: lambda node, request: rules.csi_node_write(node, request.object),
    _SLICES: _slice,
    _CLAIMS: _claim,
}


def _check(request: AdmissionRequest) -> None:
    """Errors: Forbidden."""
    node = node_of(request.draft.user)
    if node is None:
        return
    name = request.key.name
    if node:
        problem = _CHECKS[request.served.key](node, request)
    else:
        problem = f'could not determine node from user "{request.draft.user.name}"'
    if problem:
        raise refusals.forbidden(request.served.resource, name, problem)


def node_restriction(context: Context) -> Plugin:
    operations = frozenset((CREATE, UPDATE, UPDATE_STATUS, DELETE))
    return Plugin(operations, lambda served: served.key in _CHECKS, admit=_check, by_template=True)


PLUGIN = node_restriction
