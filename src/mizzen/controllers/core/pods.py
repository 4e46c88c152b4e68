"""Questions that several controllers ask about pods."""

from __future__ import annotations

from collections.abc import Iterator

from mizzen.base.clock import rfc3339
from mizzen.base.names import DISRUPTION_TARGET
from mizzen.base.objects import (
    Obj,
    has_condition,
    is_terminating,
    name_of,
    namespace_of,
    uid_of,
    with_condition,
)
from mizzen.base.operations import Delete, Patch
from mizzen.base.reading import entries, text
from mizzen.base.resources import PODS
from mizzen.controllers.core.actions import Action, EmitEvent
from mizzen.controllers.core.view import Index


def status_of(obj: Obj) -> Obj:
    return obj.get("status") or {}


def phase_of(pod: Obj) -> str:
    return str(status_of(pod).get("phase") or "Pending")


def is_finished(pod: Obj) -> bool:
    return phase_of(pod) in ("Succeeded", "Failed")


def is_active(pod: Obj) -> bool:
    """True if the pod runs or may yet run and is not being deleted."""
    return not is_finished(pod) and not is_terminating(pod)


def _node_of(pod: Obj) -> Iterator[str]:
    if name := text(pod, "spec", "nodeName"):
        yield name


def group_name(pod: Obj) -> str:
    """The PodGroup that a pod names, "" for none."""
    return text(pod, "spec", "schedulingGroup", "podGroupName")


def _group_of(pod: Obj) -> Iterator[str]:
    if name := group_name(pod):
        yield in_group(namespace_of(pod), name)


def in_group(namespace: str, name: str) -> str:
    """The word of `IN_GROUP` for the pods of a PodGroup."""
    return f"{namespace}/{name}"


ON_NODE = Index("pods by node", PODS, _node_of)
IN_GROUP = Index("pods by PodGroup", PODS, _group_of)


def has_failed(pod: Obj) -> bool:
    """Failed by its own fault: an evicted pod comes back instead."""
    is_evicted = is_terminating(pod) or has_condition(pod, DISRUPTION_TARGET)
    return phase_of(pod) == "Failed" and not is_evicted


def terminations_of(pod: Obj) -> Iterator[Obj]:
    """The failed terminations of containers, the present state before the last one."""
    for container in status_of(pod).get("containerStatuses") or ():
        for field in ("state", "lastState"):
            state: Obj = container.get(field) or {}
            ended: Obj = state.get("terminated") or {}
            if ended and ended.get("exitCode") != 0:
                yield ended


def failure_message(pod: Obj) -> str:
    """The reason why a pod failed: the agent's, else its containers' termination messages."""
    status = status_of(pod)
    said = str(status.get("message") or status.get("reason") or "")
    if status.get("message"):  # it names the culprit, not a peer that was killed along with it
        return f"pod {name_of(pod)} failed: {said}".rstrip()
    for ended in terminations_of(pod):
        what = str(ended.get("message") or said or ended.get("reason") or "")
        return f"pod {name_of(pod)} failed with exit code {ended.get('exitCode')}: {what}".rstrip(
            ": \n"
        )
    return f"pod {name_of(pod)} failed: {said or 'no reason given'}"


def evict_by_taint(pod: Obj, manager: str, why: str, now_ns: int) -> list[Action]:
    """Marks the pod as disrupted, deletes it and tells of it, all together.

    `manager` ("Taint manager" | "Device Taint manager") is in the condition's and Event's reasons.
    """
    namespace, name, uid = namespace_of(pod), name_of(pod), uid_of(pod)
    word = manager.title().replace(" ", "")
    target: Obj = {
        "type": DISRUPTION_TARGET,
        "status": "True",
        "reason": f"DeletionBy{word}",
        "message": f"{manager}: deleting due to NoExecute taint: {why}",
        "lastTransitionTime": rfc3339(now_ns),
    }
    status: Obj = {"conditions": with_condition(entries(pod, "status", "conditions"), target)}
    return [
        Patch(PODS, namespace, name, {"status": status}, "status", uid=uid),
        Delete(PODS, namespace, name, uid=uid),
        EmitEvent(pod, "Normal", f"{word}Eviction", f"Marking for deletion: {why}"),
    ]
