"""apps/v1 ReplicaSet and v1 ReplicationController: so many pods of one template.

Source: kube-controller-manager `pkg/controller/replicaset` and `replication`. Upstream makes 500 pods
at a time and waits until it sees them; here a hundred, in one plan, and its own writes are seen at
once. After a failure one pod at a time is tried, as upstream begins its slow start.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice

from mizzen.base.objects import (
    Key,
    Obj,
    condition,
    controller_of,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
)
from mizzen.base.operations import Create, Delete, Operation
from mizzen.base.reading import entries, number, part
from mizzen.base.resources import PODS, REPLICA_SETS, Resource
from mizzen.base.selectors import LabelSelector
from mizzen.controllers.core.actions import Action, Controller, EmitEvent, RequeueAfter
from mizzen.controllers.core.adoption import (
    ORPHANS,
    adopt,
    adoptable,
    dependents,
    release,
    selected_by,
    selector_of,
    unchanged,
)
from mizzen.controllers.core.pod_templates import fresh_name, pod_of
from mizzen.controllers.core.replicas import (
    REPLICAS,
    Labels,
    Replica,
    first_to_go,
    next_available_s,
    read_replica,
)
from mizzen.controllers.core.status_writes import condition_of, write_status
from mizzen.controllers.core.view import View

CREATED_PER_PLAN = 100  # others wait while a plan is carried out
DELETED_PER_PLAN = 300
REPLICA_FAILURE = "ReplicaFailure"
FAILED_CREATE, FAILED_DELETE = "FailedCreate", "FailedDelete"
Pods = dict[Key, Replica]


@dataclass(slots=True)
class Claimed:
    """The pods of a set: those that count, those that are on their way out, and what is written
    to make them its own."""

    active: Pods
    terminating: int
    writes: list[Operation]


def reconcile(resource: Resource, view: View, key: Key, now_ns: int) -> list[Action]:
    """The actions that the set named by `key` needs now."""
    owner = view.get(resource, key)
    selector = selector_of(owner) if owner is not None else None
    if owner is None or selector is None:
        return []
    claimed = _claim(view, owner, selector)
    actions: list[Action] = list(claimed.writes)
    if not is_terminating(owner):
        actions += _manage(resource, view, owner, claimed, now_ns)
    status = _status(owner, claimed, now_ns)
    if resource != REPLICA_SETS:
        del status["terminatingReplicas"]
    kept = ("replicas", "terminatingReplicas")
    written = write_status(resource, owner, status, kept=kept)
    if not written and any(not isinstance(each, EmitEvent) for each in actions):
        written = [unchanged(resource, owner)]
    min_ready_s = number(owner, "spec", "minReadySeconds")
    wait_s = next_available_s(claimed.active.values(), min_ready_s, now_ns)
    return [*written, *actions, *([RequeueAfter(wait_s)] if wait_s is not None else [])]


# -- which pods -------------------------------------------------------------------------


def _claim(view: View, owner: Obj, selector: LabelSelector) -> Claimed:
    active: Pods = {}
    terminating = 0
    writes: list[Operation] = []
    # There are few different ones, however many pods there are. Equal ones are mostly the same, and
    # to compare them by what they are is most of what a large set costs.
    selected: dict[int, bool] = {}
    for key, pod in view.digested(REPLICAS, owner).items():
        is_selected = selected.get(id(pod.labels))
        if is_selected is None:
            is_selected = selected[id(pod.labels)] = selector.matches(dict(pod.labels))
        if pod.is_active and is_selected:
            active[key] = pod
        elif pod.is_active and not is_terminating(owner):
            whole = view.get(PODS, key)
            writes += [release(PODS, whole, owner)] if whole is not None else []
        elif is_selected and pod.is_terminating and not pod.is_finished:
            terminating += 1
    for pod in adoptable(view, PODS, owner, selector):
        active[Key(namespace_of(pod), name_of(pod))] = read_replica(pod)
        writes.append(adopt(PODS, pod, owner))
    return Claimed(active, terminating, writes)


# -- more or fewer ----------------------------------------------------------------------


def _manage(
    resource: Resource, view: View, owner: Obj, claimed: Claimed, now_ns: int
) -> list[Action]:
    """Makes or deletes pods; `claimed` becomes what it is once that is done."""
    missing = number(owner, "spec", "replicas") - len(claimed.active)
    if missing > 0:
        failed = has_failed(owner)
        return _create(view, owner, claimed, min(missing, 1 if failed else CREATED_PER_PLAN))
    if missing < 0:
        return _delete(view, owner, claimed, min(-missing, DELETED_PER_PLAN), now_ns)
    return []


def has_failed(owner: Obj) -> bool:
    """True if its last plan was refused."""
    return condition(owner, REPLICA_FAILURE) is not None


def _create(view: View, owner: Obj, claimed: Claimed, count: int) -> list[Action]:
    namespace = namespace_of(owner)
    known = view.digested(REPLICAS, owner)
    # Where it stands: the same attempt gives the same names, the next one others.
    seed = f"{uid_of(owner)}/{len(known)}/{view.revision(PODS)}"
    actions: list[Action] = []
    for ordinal in range(count):

        def is_taken(name: str) -> bool:
            key = Key(namespace, name)
            return key in claimed.active or view.get(PODS, key) is not None

        name = fresh_name(owner, f"{seed}/{ordinal}", is_taken)
        pod = pod_of(part(owner, "spec", "template"), owner, name)
        actions.append(Create(PODS, pod))
        actions.append(EmitEvent(owner, "Normal", "SuccessfulCreate", f"Created pod: {name}"))
        claimed.active[Key(namespace, name)] = read_replica(pod)
    return actions


def _delete(view: View, owner: Obj, claimed: Claimed, count: int, now_ns: int) -> list[Action]:
    on_node: Mapping[str, int] = {}
    if count < len(claimed.active):
        on_node = _on_node(view, owner)
    actions: list[Action] = []
    for key in islice(first_to_go(claimed.active, count, on_node, now_ns), count):
        pod = view.get(PODS, key)
        del claimed.active[key]
        claimed.terminating += 1
        if pod is not None:
            actions.append(Delete(PODS, key.namespace, key.name, uid=uid_of(pod)))
            text = f"Deleted pod: {key.name}"
            actions.append(EmitEvent(owner, "Normal", "SuccessfulDelete", text))
    return actions


def _on_node(view: View, owner: Obj) -> Mapping[str, int]:
    """Active pods by node, of all sets of the set's own controller."""
    reference = controller_of(owner)
    if reference is None:
        return {}
    deployment: Obj = {"metadata": {"uid": str(reference.get("uid"))}}
    found: Counter[str] = Counter()
    for other in view.owned(REPLICA_SETS, deployment):
        pods = view.digested(REPLICAS, other).values()
        found.update(pod.node for pod in pods if pod.is_active)
    return found


# -- what is told -----------------------------------------------------------------------


def _status(owner: Obj, claimed: Claimed, now_ns: int) -> Obj:
    template = labels_of({"metadata": part(owner, "spec", "template", "metadata")}).items()
    pods = claimed.active.values()
    labels: dict[int, Labels] = {id(pod.labels): pod.labels for pod in pods}
    is_full = {number: template <= dict(each).items() for number, each in labels.items()}
    fully = sum([is_full[id(pod.labels)] for pod in pods])
    min_ready_s = number(owner, "spec", "minReadySeconds")
    ready = [pod for pod in pods if pod.is_ready]
    available = len(ready)
    if min_ready_s > 0:
        available = sum(pod.is_available(min_ready_s, now_ns) for pod in ready)
    conditions = entries(owner, "status", "conditions")
    if len(claimed.active) == number(owner, "spec", "replicas"):
        conditions = [each for each in conditions if each.get("type") != REPLICA_FAILURE]
    return {
        "replicas": len(claimed.active),
        "fullyLabeledReplicas": fully,
        "readyReplicas": len(ready),
        "availableReplicas": available,
        "terminatingReplicas": claimed.terminating,
        "observedGeneration": number(owner, "metadata", "generation"),
        "conditions": conditions,
    }


def report_failure(resource: Resource) -> Callable[[Obj, str, str, int], list[Action]]:
    """For a Controller: a plan that was refused becomes the set's condition, as upstream's."""

    def report(owner: Obj, reason: str, message: str, now_ns: int) -> list[Action]:
        is_short = number(owner, "status", "replicas") <= number(owner, "spec", "replicas")
        why, verb = (FAILED_CREATE, "creating") if is_short else (FAILED_DELETE, "deleting")
        told = EmitEvent(owner, "Warning", why, f"Error {verb}: {message}")
        before = condition(owner, REPLICA_FAILURE)
        if before is not None:
            return [told]
        new = condition_of(REPLICA_FAILURE, "True", why, message, now_ns)
        conditions = [*entries(owner, "status", "conditions"), new]
        return [told, *write_status(resource, owner, {"conditions": conditions})]

    return report


def controller_of_kind(name: str, resource: Resource) -> Controller:
    """The controller of one of the kinds that keep so many pods of one template."""
    by_label = selected_by(resource)
    return Controller(
        name=name,
        resource=resource,
        reconcile=lambda view, key, now_ns: reconcile(resource, view, key, now_ns),
        watches=(dependents(PODS, resource, by_label),),
        indexes=(by_label, ORPHANS[PODS]),
        digests=(REPLICAS,),
        report_stuck=report_failure(resource),
    )


CONTROLLER = controller_of_kind("replicaset", REPLICA_SETS)
