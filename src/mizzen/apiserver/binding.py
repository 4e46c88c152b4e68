"""Gives a pod its node: one write, into a draft."""

from __future__ import annotations

from dataclasses import replace

from mizzen.apiserver.admission_chain import BIND, BINDING
from mizzen.apiserver.admission_subjects import admit
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.core import preconditions, refusals
from mizzen.apiserver.core.bodies import text
from mizzen.apiserver.draft import Draft
from mizzen.base.clock import rfc3339
from mizzen.base.errors import BadRequest
from mizzen.base.objects import Obj, with_condition
from mizzen.base.reading import part
from mizzen.base.resources import PODS
from mizzen.store.store import ObjectKey

_BINDING_OF_PODS = replace(PODS, plural="pods/binding")


def bind(
    draft: Draft,
    served: Served,
    namespace: str,
    name: str,
    node: str,
    *,
    uid: str = "",
    resource_version: str = "",
    binding: Obj | None = None,
) -> Obj:
    """Gives a pod its node, once, and what else the `binding` says of it.

    Source: pkg/registry/core/pod/storage BindingREST.
    """
    old = draft.read(served, namespace, name)
    if old is None:
        raise refusals.not_found(PODS, name)
    preconditions.check(served.resource, old, uid, resource_version)
    if not node:
        raise BadRequest("Binding.target.name: Required value: the node to bind the pod to")
    problem = _unbindable(old)
    if problem:
        raise refusals.conflict(_BINDING_OF_PODS, name, f"pod {name} {problem}")
    key = ObjectKey(served.key, namespace, name)
    asked = binding or {
        "kind": "Binding", "apiVersion": "v1", "metadata": {"name": name, "namespace": namespace},
        "target": {"kind": "Node", "name": node},
    }  # fmt: skip
    asked = admit(draft, draft.admission, served.resource, BINDING, key, asked)
    node = text(part(asked, "target"), "name") or node
    status = dict(old.get("status") or {})
    status.pop("nominatedNodeName", None)
    scheduled = {
        "type": "PodScheduled",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": rfc3339(draft.now_ns),
    }
    status["conditions"] = with_condition(status.get("conditions") or (), scheduled)
    metadata, said = dict(old["metadata"]), part(asked, "metadata")
    for each in ("labels", "annotations"):
        if said.get(each):
            metadata[each] = {**(metadata.get(each) or {}), **said[each]}
    new = {
        **old,
        "metadata": metadata,
        "spec": {**old["spec"], "nodeName": node},
        "status": status,
    }
    draft.admission.admit(draft, served, BIND, key, new, old)
    draft.put(key, new, "bind")
    return new


def _unbindable(pod: Obj) -> str:
    """Why a pod cannot get a node; "" if it can."""
    taken = pod["spec"].get("nodeName")
    if pod["metadata"].get("deletionTimestamp"):
        return "is being deleted, cannot be assigned to a host"
    if taken:
        return f'is already assigned to node "{taken}"'
    return "has non-empty .spec.schedulingGates" if pod["spec"].get("schedulingGates") else ""
