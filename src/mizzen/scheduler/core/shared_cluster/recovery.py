"""A decision cut short: finish it if every write that is left can still be made, else undo it.

Claims are written before the first bind. So nothing has taken effect while no pod is bound, and
the decision is undone and made anew from newer facts; once one is, only binds are missing. Given what a decision meant to write (`Intent`) and what exists now, the answer is a list of writes
each of which rests on the state seen here (uid, resourceVersion); whoever makes them reads again
and asks again after a refusal. Cut short anywhere, the next call goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mizzen.base import names
from mizzen.base.clock import rfc3339
from mizzen.base.objects import (
    Key,
    Obj,
    is_terminating,
    key_of,
    name_of,
    namespace_of,
    uid_of,
    with_condition,
)
from mizzen.base.operations import Bind, Delete, Operation, Patch
from mizzen.base.resources import PODS, RESOURCE_CLAIMS
from mizzen.scheduler.core.shared_cluster.intent import ClaimIntent, Intent, PodIntent

_FINISHED = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class Existing:
    """The decision's pods and claims that are there now, and the nodes that still take pods."""

    pods: Mapping[Key, Obj]
    claims: Mapping[Key, Obj]
    nodes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Recovery:
    """Writes in order; `why` is empty when they finish the decision, else why it is undone."""

    operations: tuple[Operation, ...]
    why: str = ""


def recover(intent: Intent, existing: Existing, now_ns: int) -> Recovery:
    """The operations that bring the decision to one of its two ends.

    Members that cannot be bound any more are left out as long as `needed` others can.
    """
    bound = frozenset(pod.uid for pod in intent.pods if _is_bound(pod, existing))
    lost = _lost(intent, existing, bound)
    left = len(intent.pods) - len(lost)
    if bound and not intent.is_rolling_back and left >= intent.needed:
        return Recovery(tuple(_finish(intent, existing, lost, bound)))
    reasons = "; ".join(sorted(set(lost.values()))) or "it was cut short"
    why = f"{intent.subject}: {left} of {intent.needed} needed could be bound: {reasons}"
    return Recovery(tuple(_undo(intent, existing, why, bound, now_ns)), why)


def stray_reservations(
    pods: Mapping[Key, Obj], claims: Mapping[Key, Obj], intents: Iterable[Intent]
) -> list[Patch]:
    """Takes back allocations reserved for nobody but unbound pods of ours.

    They are the traces of a single pod's decision that ended before its bind. Devices that are
    being prepared (binding conditions) are left alone: their pods are unbound on purpose.
    """
    meant = {claim.key for intent in intents for claim in intent.claims}
    operations: list[Patch] = []
    for key, claim in claims.items():
        status: Obj = claim.get("status") or {}
        consumers: list[Obj] = status.get("reservedFor") or []
        if not status.get("allocation") or not consumers or key in meant:
            continue
        if any(r.get("bindingConditions") for r in _results(status["allocation"])):
            continue
        if all(_is_unbound_and_ours(pods, key.namespace, entry) for entry in consumers):
            operations.append(_claim_patch(claim, [], None))
    return operations


def _is_unbound_and_ours(pods: Mapping[Key, Obj], namespace: str, consumer: Obj) -> bool:
    if consumer.get("resource") != PODS.plural:
        return False
    pod = pods.get(Key(namespace, str(consumer.get("name"))))
    return (
        pod is not None
        and uid_of(pod) == consumer.get("uid")
        and not pod["spec"].get("nodeName")
        and pod["spec"].get("schedulerName") == names.HANDED_OVER_TO
    )


# -- what is lost -----------------------------------------------------------------------


def _lost(intent: Intent, existing: Existing, bound: frozenset[str]) -> dict[str, str]:
    """By uid of the pods that cannot be bound any more: why."""
    lost: dict[str, str] = {}
    for pod in intent.pods:
        problem = _pod_problem(pod, existing)
        if problem:
            lost[pod.uid] = problem
    for claim in intent.claims:
        for uid in claim.consumers:
            problem = "" if uid in bound else _claim_problem(claim, uid, existing)
            if problem:
                lost.setdefault(uid, problem)
    return lost


def _pod_problem(pod: PodIntent, existing: Existing) -> str:
    now = existing.pods.get(pod.key)
    if now is None or uid_of(now) != pod.uid:
        return f'Pod "{pod.key}" is gone'
    node = now["spec"].get("nodeName") or ""
    if node not in ("", pod.node):
        return f'Pod "{pod.key}" was bound to {node} by somebody else'
    if node and _is_finished(now):
        return ""  # it was bound, and has run since
    if is_terminating(now):
        return f'Pod "{pod.key}" is being deleted'
    if not node and pod.node not in existing.nodes:
        return f"Node {pod.node} takes no more pods"
    return ""


def _claim_problem(claim: ClaimIntent, uid: str, existing: Existing) -> str:
    now = existing.claims.get(claim.key)
    if now is None or not _is_meant(claim, now) or is_terminating(now):
        return f'ResourceClaim "{claim.key}" is gone'
    status: Obj = now.get("status") or {}
    allocation = status.get("allocation")
    if not allocation or (
        claim.allocation is not None and _devices(allocation) != _devices(claim.allocation)
    ):
        return f'ResourceClaim "{claim.key}" is not allocated as decided'
    if uid not in {entry.get("uid") for entry in status.get("reservedFor") or ()}:
        return f'ResourceClaim "{claim.key}" is not reserved as decided'
    return ""


def _devices(allocation: Obj) -> set[tuple[object, ...]]:
    return {
        (r.get("request"), r["driver"], r["pool"], r["device"], r.get("shareID"))
        for r in _results(allocation)
    }


def _results(allocation: Obj) -> list[Obj]:
    devices: Obj = allocation.get("devices") or {}
    return devices.get("results") or []


# -- forward ------------------------------------------------------------------------------


def _finish(
    intent: Intent, existing: Existing, lost: Mapping[str, str], bound: frozenset[str]
) -> Iterable[Operation]:
    """Claims of lost members are taken back; then the binds that are missing."""
    for claim in intent.claims:
        yield from _release(claim, existing, (set(claim.consumers) & set(lost)) - bound)
    for pod in intent.pods:
        if pod.uid not in lost and pod.uid not in bound:
            yield Bind(pod.key.namespace, pod.key.name, pod.node, uid=pod.uid)


# -- back -----------------------------------------------------------------------------------


def _undo(
    intent: Intent, existing: Existing, why: str, bound: frozenset[str], now_ns: int
) -> Iterable[Operation]:
    """Bound members are deleted, so that their controller makes new ones; claims of unbound
    members are released. Those of a deleted member are released once it is gone, as always."""
    for pod in intent.pods:
        if pod.uid in bound:
            yield from _evict(existing.pods[pod.key], why, now_ns)
    for claim in intent.claims:
        yield from _release(claim, existing, set(claim.consumers) - bound)


def _evict(pod: Obj, why: str, now_ns: int) -> Iterable[Operation]:
    if is_terminating(pod) or _is_finished(pod):
        return
    key = key_of(pod)
    target = {
        "type": names.DISRUPTION_TARGET,
        "status": "True",
        "reason": "GangIncomplete",
        "message": why,
        "lastTransitionTime": rfc3339(now_ns),
    }
    status: Obj = pod.get("status") or {}
    conditions = with_condition(status.get("conditions") or (), target)
    change: Obj = {"status": {"conditions": conditions}}
    yield Patch(PODS, key.namespace, key.name, change, subresource="status", uid=uid_of(pod))
    yield Delete(PODS, key.namespace, key.name, uid=uid_of(pod))


def _release(claim: ClaimIntent, existing: Existing, uids: set[str]) -> Iterable[Operation]:
    """Takes these consumers off, and the allocation with the last one, if we made it."""
    now = existing.claims.get(claim.key)
    if now is None or not _is_meant(claim, now):
        return
    status: Obj = now.get("status") or {}
    consumers: list[Obj] = status.get("reservedFor") or []
    kept = [entry for entry in consumers if entry.get("uid") not in uids]
    if len(kept) == len(consumers):
        return
    allocation = status.get("allocation")
    made_by_us = (
        claim.allocation is not None
        and allocation is not None
        and _devices(allocation) == _devices(claim.allocation)
    )
    yield _claim_patch(now, kept, None if made_by_us and not kept else allocation)


def _is_meant(claim: ClaimIntent, now: Obj) -> bool:
    """A claim that the decision itself makes had no uid when it was decided."""
    return claim.uid in ("", uid_of(now))


def _is_bound(pod: PodIntent, existing: Existing) -> bool:
    now = existing.pods.get(pod.key)
    return now is not None and uid_of(now) == pod.uid and now["spec"].get("nodeName") == pod.node


def _is_finished(pod: Obj) -> bool:
    status: Obj = pod.get("status") or {}
    return status.get("phase") in _FINISHED


def _claim_patch(claim: Obj, reserved: list[Obj], allocation: Obj | None) -> Patch:
    status: Obj = {"reservedFor": reserved or None, "allocation": allocation}
    return Patch(
        RESOURCE_CLAIMS,
        namespace_of(claim),
        name_of(claim),
        {"status": status},
        subresource="status",
        resource_version=claim["metadata"].get("resourceVersion") or "",
        uid=uid_of(claim),
    )
