"""Decisions about pods whose devices are being made ready: hold them, give up, try again.

A pod that waits keeps its claims, and its place on its node by nomination. Where a driver fails or
takes too long the claims are given back, and the pod is placed anew after a moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mizzen.base import names
from mizzen.base.objects import Key, Obj
from mizzen.base.operations import Operation
from mizzen.scheduler.core import render
from mizzen.scheduler.core.claiming.binding_conditions import (
    FAILED,
    PENDING,
    Failed,
    Verdict,
    Waiting,
    judge,
    judge_new,
    retry_at_ns,
    worst,
)
from mizzen.scheduler.core.cluster.state import Cluster
from mizzen.scheduler.core.types import (
    Claim,
    Decision,
    Note,
    Placement,
    PodSpecView,
)

_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing is placed for these pods now; what to write, and when to look again."""

    decision: Decision | None
    again_s: float


def setback(
    cluster: Cluster, subject: str, pods: Sequence[PodSpecView], now_ns: int
) -> Pause | None:
    """Gives back what drivers could not make ready; pauses pods that this happened to lately."""
    claims = _claims_of(cluster, pods)
    for claim in claims:
        verdict = judge(claim.binding, now_ns) if claim.binding is not None else None
        if isinstance(verdict, Failed):
            used = {
                entry.claim for pod in cluster.pods.values() if pod.holds for entry in pod.claims
            }
            idle = [claim for claim in claims if claim.key not in used]
            return _give_back(subject, pods, idle, verdict, now_ns)
    retry_ns = max((retry_at_ns(pod.conditions) for pod in pods), default=0)
    return Pause(None, (retry_ns - now_ns) / _NS) if retry_ns > now_ns else None


def hold(
    cluster: Cluster, subject: str, placements: Sequence[Placement], now_ns: int
) -> Pause | None:
    """Keeps the places of pods whose devices are not ready; None when all may be bound."""
    verdict = worst(_verdicts(cluster, placements, now_ns))
    if verdict is None:
        return None
    assert isinstance(verdict, Waiting), "failures are settled before pods are placed"
    operations = list(render.claim_operations(cluster, placements, now_ns))
    notes: list[Note] = []
    for placement in placements:
        pod = placement.pod
        text = (
            f'Pod "{pod.key}" has its place on node {placement.node}; {verdict.what} not ready yet'
        )
        if pod.nominated_node == placement.node and pod.scheduled_message == text:
            continue
        operations.append(
            render.pending_operation(pod, text, now_ns, nominated=placement.node, reason=PENDING)
        )
        notes.append(Note(pod.about, "Normal", PENDING, text))
    again_s = max(0.0, (verdict.until_ns - now_ns) / _NS) + 1.0
    if not operations:
        return Pause(None, again_s)
    return Pause(Decision(subject, tuple(operations), tuple(notes)), again_s)


def _verdicts(cluster: Cluster, placements: Iterable[Placement], now_ns: int) -> Iterable[Verdict]:
    for placement in placements:
        made = dict(placement.allocations)
        for entry in placement.pod.claims:
            known = cluster.claims.get(entry.claim) if entry.claim else None
            if known is None:
                continue
            claim = known.claim
            if claim.key in made:
                yield judge_new(claim.key, made[claim.key], now_ns)
            elif claim.binding is not None:
                yield judge(claim.binding, now_ns)


def _claims_of(cluster: Cluster, pods: Iterable[PodSpecView]) -> list[Claim]:
    keys: dict[Key, None] = {}
    for pod in pods:
        keys |= dict.fromkeys(c.claim for c in pod.claims if c.claim is not None)
    return [cluster.claims[key].claim for key in keys if key in cluster.claims]


def _give_back(
    subject: str,
    pods: Sequence[PodSpecView],
    claims: Iterable[Claim],
    failed: Failed,
    now_ns: int,
) -> Pause:
    """All that these pods await goes back together: the next place may be another node.

    `claims` are those of the pods that no bound pod uses.
    """
    mine = {pod.uid for pod in pods}
    mine |= {c.shared_by.uid for pod in pods for c in pod.claims if c.shared_by is not None}
    operations: list[Operation] = []
    for claim in claims:
        if claim.binding is not None and {c.uid for c in claim.reserved_for} <= mine:
            operations += _deallocate(claim)
    notes: list[Note] = []
    for pod in pods:
        text = f'Pod "{pod.key}" is placed anew: {failed.why}'
        operations.append(render.pending_operation(pod, text, now_ns, nominated="", reason=FAILED))
        notes.append(Note(pod.about, "Warning", "FailedScheduling", text))
    return Pause(Decision(subject, tuple(operations), tuple(notes)), 0.0)


def _deallocate(claim: Claim) -> list[Operation]:
    status: Obj = {"allocation": None, "reservedFor": None, "devices": None}
    others = [name for name in claim.finalizers if name != names.CLAIM_FINALIZER]
    finalizers: Obj = {"metadata": {"finalizers": others or None}}
    return [
        render.claim_patch(claim, {"status": status}, "status", claim.resource_version),
        render.claim_patch(claim, finalizers),
    ]
