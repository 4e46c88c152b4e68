"""Marks nodes whose agent has fallen silent, so that nothing new is placed on them.

Source: kube-controller-manager `node-lifecycle-controller`; its grace period of 40 s. It never
evicts: on one machine a silent agent is being restarted, and its pods live on meanwhile.
"""

from __future__ import annotations

from mizzen.base.clock import parse_rfc3339, rfc3339
from mizzen.base.objects import Key, Obj, condition, is_terminating, name_of, uid_of, with_condition
from mizzen.base.operations import Patch
from mizzen.base.reading import entries, field
from mizzen.base.resources import LEASES, NODES
from mizzen.controllers.core.actions import Action, Controller, EmitEvent, RequeueAfter, Watch
from mizzen.controllers.core.view import View

LEASE_NAMESPACE = "kube-node-lease"
GRACE_S = 40
UNREACHABLE = "node.kubernetes.io/unreachable"
NS = 1_000_000_000


def reconcile(view: View, key: Key, now_ns: int) -> list[Action]:
    """Compares the node's lease with the clock."""
    node = view.get(NODES, key)
    lease = view.get(LEASES, Key(LEASE_NAMESPACE, key.name))
    renewed = field(lease, "spec", "renewTime") if lease is not None else None
    if node is None or is_terminating(node) or not renewed:
        return []
    left_s = GRACE_S - (now_ns - parse_rfc3339(str(renewed))) / NS
    if left_s > 0:
        return [*_admit(node), RequeueAfter(left_s)]
    return _mark_silent(node, now_ns)


def _admit(node: Obj) -> list[Action]:
    """Takes the taint off again; Ready is the agent's to write."""
    taints = entries(node, "spec", "taints")
    kept = [taint for taint in taints if taint.get("key") != UNREACHABLE]
    if len(kept) == len(taints):
        return []
    return [_patch(node, {"spec": {"taints": kept or None}})]


def _mark_silent(node: Obj, now_ns: int) -> list[Action]:
    actions: list[Action] = []
    ready = condition(node, "Ready")
    if ready is None or ready["status"] != "Unknown":
        text = f"the node agent has not renewed its lease for {GRACE_S} s"
        unknown: Obj = {
            "type": "Ready",
            "status": "Unknown",
            "reason": "NodeStatusUnknown",
            "message": text,
            "lastHeartbeatTime": rfc3339(now_ns),
            "lastTransitionTime": rfc3339(now_ns),
        }
        conditions = with_condition(entries(node, "status", "conditions"), unknown)
        actions += [
            _patch(node, {"status": {"conditions": conditions}}, is_status=True),
            EmitEvent(node, "Warning", "NodeNotReady", text),
        ]
    taints = entries(node, "spec", "taints")
    if all(taint.get("key") != UNREACHABLE for taint in taints):
        taint = {"key": UNREACHABLE, "effect": "NoSchedule", "timeAdded": rfc3339(now_ns)}
        actions.append(_patch(node, {"spec": {"taints": [*taints, taint]}}))
    return actions


def _patch(node: Obj, change: Obj, *, is_status: bool = False) -> Patch:
    # Lists are written whole; a status patch in the same plan would make a second guard stale.
    version = str(node["metadata"].get("resourceVersion") or "") if is_status else ""
    subresource = "status" if is_status else ""
    return Patch(NODES, "", name_of(node), change, subresource, version, uid_of(node))


def _node_of(view: View, lease: Obj) -> list[Key]:
    is_node = lease["metadata"].get("namespace") == LEASE_NAMESPACE
    return [Key("", name_of(lease))] if is_node else []


CONTROLLER = Controller(
    name="node-lifecycle",
    resource=NODES,
    reconcile=reconcile,
    watches=(Watch(LEASES, _node_of),),
)
