"""Takes devices back: a claim whose pods are finished or gone is unreserved and deallocated.

Source: kube-controller-manager `pkg/controller/resourceclaim`. One step earlier than upstream:
reservation, allocation and finalizer go in one plan, since waiting workloads want the device. But
where the claim is to be deleted the finalizer goes last, in a plan of its own: it would be deleted in
the same write, and kube-scheduler, which looks at changed claims alone, would never hear that its
devices are free.
"""

from __future__ import annotations

from collections.abc import Iterator

from mizzen.base.names import CLAIM_FINALIZER
from mizzen.base.objects import Key, Obj, is_terminating, name_of, namespace_of, uid_of
from mizzen.base.operations import Operation, Patch
from mizzen.base.reading import entries, field
from mizzen.base.resources import POD_GROUPS, PODS, RESOURCE_CLAIMS
from mizzen.controllers.core.actions import Action, Controller, RequeueAfter, Watch
from mizzen.controllers.core.device_evictions import claims_of_pod
from mizzen.controllers.core.pod_group_claims import group_claim_names
from mizzen.controllers.core.pods import is_finished
from mizzen.controllers.core.view import View

LAG_S = 1.0


def reconcile(view: View, key: Key, now_ns: int) -> list[Action]:
    """Releases what the claim named by `key` need not hold any more."""
    claim = view.get(RESOURCE_CLAIMS, key)
    if claim is None:
        return []
    reserved = entries(claim, "status", "reservedFor")
    if not field(claim, "status", "allocation"):
        return [*_let_go(claim)] if is_terminating(claim) and not reserved else []
    kept: list[Obj] = []
    actions: list[Action] = []
    for consumer in reserved:
        verdict = _is_done(view, claim, consumer)
        if verdict is None:
            actions.append(RequeueAfter(LAG_S))
        if verdict is not True:
            kept.append(consumer)
    if len(kept) < len(reserved) or (not reserved and is_terminating(claim)):
        actions += _release(claim, kept)
    return actions


def _is_done(view: View, claim: Obj, consumer: Obj) -> bool | None:
    """True if this consumer no longer needs the devices; None while the caches cannot tell."""
    uid = str(consumer.get("uid") or "")
    kind = (consumer.get("apiGroup") or "", consumer.get("resource"))
    if kind == (POD_GROUPS.group, POD_GROUPS.plural):
        group = view.get(POD_GROUPS, Key(namespace_of(claim), str(consumer.get("name"))))
        if group is not None and uid_of(group) == uid:
            return False
        return True if view.is_gone(POD_GROUPS, uid, named_by=claim) else None
    if kind != ("", PODS.plural):
        return False
    pod = view.get(PODS, Key(namespace_of(claim), str(consumer.get("name"))))
    if pod is not None and uid_of(pod) == uid:
        return is_finished(pod)
    return True if view.is_gone(PODS, uid, named_by=claim) else None


def _release(claim: Obj, kept: list[Obj]) -> list[Operation]:
    namespace, name, uid = namespace_of(claim), name_of(claim), uid_of(claim)
    status: Obj = {"reservedFor": kept} if kept else {"reservedFor": None, "allocation": None}
    operations: list[Operation] = [
        Patch(
            RESOURCE_CLAIMS,
            namespace,
            name,
            {"status": status},
            "status",
            resource_version=claim["metadata"].get("resourceVersion") or "",
            uid=uid,
        )
    ]
    if not kept and not is_terminating(claim):
        operations += _let_go(claim)
    return operations


def _let_go(claim: Obj) -> Iterator[Operation]:
    """The claim without the finalizer that its allocation gave it."""
    finalizers: list[str] = claim["metadata"].get("finalizers") or []
    if CLAIM_FINALIZER in finalizers:
        others = [finalizer for finalizer in finalizers if finalizer != CLAIM_FINALIZER]
        change: Obj = {"metadata": {"finalizers": others or None}}
        yield Patch(RESOURCE_CLAIMS, namespace_of(claim), name_of(claim), change, uid=uid_of(claim))


def _claims_of_group(view: View, group: Obj) -> list[Key]:
    return [Key(namespace_of(group), name) for name in sorted(group_claim_names(group).values())]


CONTROLLER = Controller(
    name="claim-release",
    resource=RESOURCE_CLAIMS,
    reconcile=reconcile,
    watches=(Watch(PODS, claims_of_pod), Watch(POD_GROUPS, _claims_of_group)),
)
