"""The priority levels and flow schemas that every instance has: upstream's, and one for Mizzen's
own components.

Source: apiserver pkg/apis/flowcontrol/bootstrap/default.go and pkg/registry/flowcontrol/ensurer,
Kubernetes 1.36. Mandatory ones are as they must be after each start, suggested ones are brought up
to date unless somebody took that over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mizzen.apiserver.core.flow_status import with_dangling
from mizzen.apiserver.core.stamping import stamp_create
from mizzen.apiserver.core.user import API_SERVER, AUTHENTICATED, MASTERS, NODES, UNAUTHENTICATED
from mizzen.apiserver.flow_control import FLOW_SCHEMAS, GROUP, PRIORITY_LEVELS
from mizzen.apiserver.server import Server
from mizzen.base.clock import rfc3339
from mizzen.base.names import IDENTITY_PREFIX
from mizzen.base.objects import Obj
from mizzen.base.reading import part
from mizzen.store.store import ObjectKey

_AUTOUPDATE = "apf.kubernetes.io/autoupdate-spec"
_MANDATORY = ("exempt", "catch-all")
# name: shares, lendable percent, queues, hand size
_LEVELS: tuple[tuple[str, int, int, int, int], ...] = (
    ("catch-all", 5, 0, 0, 0),
    ("system", 30, 33, 64, 6),
    ("node-high", 40, 25, 64, 6),
    ("leader-election", 10, 0, 16, 4),
    ("workload-high", 40, 50, 128, 6),
    ("workload-low", 100, 90, 128, 6),
    ("global-default", 20, 50, 128, 6),
)
_QUEUE_LENGTH = 50
_ANY = ["*"]
_ALL: Obj = {
    "resourceRules": [{"verbs": _ANY, "apiGroups": _ANY, "resources": _ANY, "clusterScope": True,
                       "namespaces": _ANY}],
    "nonResourceRules": [{"verbs": _ANY, "nonResourceURLs": _ANY}],
}  # fmt: skip
_PROBES: Obj = {
    "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/healthz", "/readyz", "/livez"]}],
}  # fmt: skip
_NODE_OBJECTS = {"verbs": _ANY, "apiGroups": [""], "resources": ["nodes", "nodes/status"],
                 "clusterScope": True, "namespaces": _ANY}  # fmt: skip


def _leases(*verbs: str) -> Obj:
    group = "coordination.k8s.io"
    return {"verbs": list(verbs), "apiGroups": [group], "resources": ["leases"], "namespaces": _ANY}


def _group(*names: str) -> list[Obj]:
    return [{"kind": "Group", "group": {"name": name}} for name in names]


def _user(*names: str) -> list[Obj]:
    return [{"kind": "User", "user": {"name": name}} for name in names]


_KUBE_SYSTEM: Obj = {
    "kind": "ServiceAccount",
    "serviceAccount": {"namespace": "kube-system", "name": "*"},
}
_EVERYBODY = _group(UNAUTHENTICATED, AUTHENTICATED)
_MANAGER, _SCHEDULER = "system:kube-controller-manager", "system:kube-scheduler"
_OURS = [f"{IDENTITY_PREFIX}{name}" for name in ("controllers", "scheduler", "gateway", "node")]
# name, level, precedence, distinguisher, subjects, rules
_SCHEMAS: Sequence[tuple[str, str, int, str, list[Obj], Obj]] = (
    ("exempt", "exempt", 1, "", _group(MASTERS), _ALL),
    ("probes", "exempt", 2, "", _EVERYBODY, _PROBES),
    ("system-leader-election", "leader-election", 100, "ByUser",
     [*_user(_MANAGER, _SCHEDULER), _KUBE_SYSTEM],
     {"resourceRules": [_leases("get", "create", "update")]}),
    ("system-node-high", "node-high", 400, "ByUser", _group(NODES),
     {"resourceRules": [_NODE_OBJECTS, _leases("*")]}),
    ("system-nodes", "system", 500, "ByUser", _group(NODES), _ALL),
    ("mizzen-components", "workload-high", 700, "ByUser", _user(*_OURS), _ALL),
    ("kube-controller-manager", "workload-high", 800, "ByNamespace", _user(_MANAGER), _ALL),
    ("kube-scheduler", "workload-high", 800, "ByNamespace", _user(_SCHEDULER), _ALL),
    ("kube-system-service-accounts", "workload-high", 900, "ByNamespace", [_KUBE_SYSTEM], _ALL),
    ("service-accounts", "workload-low", 9000, "ByUser", _group("system:serviceaccounts"), _ALL),
    ("global-default", "global-default", 9900, "ByUser", _EVERYBODY, _ALL),
    ("catch-all", "catch-all", 10_000, "ByUser", _EVERYBODY, _ALL),
)  # fmt: skip


def default_objects() -> Iterator[tuple[ObjectKey, Obj]]:
    """Each default with its place in the store, in the form of their kinds' v1."""
    exempt: Obj = {"nominalConcurrencyShares": 0, "lendablePercent": 0}
    yield _object(PRIORITY_LEVELS, "exempt", {"type": "Exempt", "exempt": exempt})
    for name, shares, lendable, queues, hand in _LEVELS:
        response: Obj = {"type": "Reject"}
        if queues:
            queuing = {"queues": queues, "handSize": hand, "queueLengthLimit": _QUEUE_LENGTH}
            response = {"type": "Queue", "queuing": queuing}
        limited: Obj = {
            "nominalConcurrencyShares": shares,
            "limitResponse": response,
            "lendablePercent": lendable,
        }
        yield _object(PRIORITY_LEVELS, name, {"type": "Limited", "limited": limited})
    for name, level, precedence, distinguisher, subjects, rules in _SCHEMAS:
        spec: Obj = {
            "priorityLevelConfiguration": {"name": level},
            "matchingPrecedence": precedence,
            "rules": [{"subjects": subjects, **rules}],
        }
        if distinguisher:
            spec["distinguisherMethod"] = {"type": distinguisher}
        yield _object(FLOW_SCHEMAS, name, spec)


def _object(resource: str, name: str, spec: Obj) -> tuple[ObjectKey, Obj]:
    kind = "FlowSchema" if resource == FLOW_SCHEMAS else "PriorityLevelConfiguration"
    metadata: Obj = {"name": name, "generation": 1, "annotations": {_AUTOUPDATE: "true"}}
    obj: Obj = {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": metadata, "spec": spec}
    return ObjectKey(resource, "", name), {**obj, "status": {}}


async def make_defaults(server: Server) -> None:
    """Creates the defaults that are missing and brings up to date those that nobody changed."""
    draft = server.draft(API_SERVER)
    for key, wanted in default_objects():
        existing = draft.get(key)
        if existing is None:
            stamp_create(wanted["metadata"], draft.now_ns, draft.new_id())
            if key.resource == FLOW_SCHEMAS:
                wanted = with_dangling(wanted, True, rfc3339(draft.now_ns))
            draft.put(key, wanted, "create")
        elif existing["spec"] != wanted["spec"] and _may_update(existing):
            metadata: dict[str, Any] = dict(existing["metadata"])
            metadata["generation"] = int(metadata.get("generation") or 0) + 1
            draft.put(key, {**existing, "metadata": metadata, "spec": wanted["spec"]}, "update")
    done = draft.commit()
    if done is not None:
        await done


def _may_update(existing: Obj) -> bool:
    """Mandatory ones always; others where the annotation says so, or nobody has changed them."""
    metadata = existing["metadata"]
    said = part(metadata, "annotations").get(_AUTOUPDATE)
    if metadata["name"] in _MANDATORY or said == "true":
        return True
    return said is None and metadata.get("generation") == 1
