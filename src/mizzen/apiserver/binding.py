"""Gives a pod its node: one write, into a draft."""

from __future__ import annotations

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


def bind(
    draft: Draft,
    served: Served,
    namespace: str,
    name: str,
    node: str,
    *,
    uid: str = "",
    resource_version: str = "",
) -> Obj:
    """Gives a pod its node, once. Source: pkg/registry/core/pod/storage BindingREST."""
    old = draft.read(served, namespace, name)
    if old is None:
        raise refusals.not_found(PODS, name)
    preconditions.check(served.resource, old, uid, resource_version)
    if not node:
        raise BadRequest("Binding.target.name: Required value: the node to bind the pod to")
    taken = old["spec"].get("nodeName")
    if taken:
        reason = f'pod {name} is already assigned to node "{taken}"'
        raise refusals.conflict(PODS, name, reason)
    if old["metadata"].get("deletionTimestamp"):
        raise refusals.conflict(
            PODS, name, f"pod {name} is being deleted, cannot be assigned to a host"
        )
    key = ObjectKey(served.key, namespace, name)
    binding: Obj = {
        "kind": "Binding", "apiVersion": "v1", "metadata": {"name": name, "namespace": namespace},
        "target": {"kind": "Node", "name": node},
    }  # fmt: skip
    binding = admit(draft, draft.admission, served.resource, BINDING, key, binding)
    node = text(part(binding, "target"), "name") or node
    status = dict(old.get("status") or {})
    scheduled = {
        "type": "PodScheduled",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": rfc3339(draft.now_ns),
    }
    status["conditions"] = with_condition(status.get("conditions") or (), scheduled)
    new = {
        **old,
        "metadata": dict(old["metadata"]),
        "spec": {**old["spec"], "nodeName": node},
        "status": status,
    }
    draft.admission.admit(draft, served, BIND, key, new, old)
    draft.put(key, new, "bind")
    return new
