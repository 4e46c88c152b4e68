"""ModelEndpoint: as many engine replicas as the gateway demands, each with its own devices."""

from __future__ import annotations

from mizzen.base.clock import parse_rfc3339, rfc3339
from mizzen.base.names import DISRUPTION_TARGET, REPLICA_INDEX, STATELESS
from mizzen.base.objects import (
    Key,
    Obj,
    condition,
    has_condition,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
    with_condition,
)
from mizzen.base.operations import Delete, Operation, Patch
from mizzen.base.reading import entries, field, part
from mizzen.base.resources import MODEL_ENDPOINTS, PODS, RESOURCE_CLAIMS
from mizzen.base.termination import read_termination
from mizzen.controllers.core.actions import (
    Action,
    Controller,
    EmitEvent,
    RequeueAfter,
    Watch,
    owners,
)
from mizzen.controllers.core.disruption import declare_disruption
from mizzen.controllers.core.extended_resources import drop_unused_claims
from mizzen.controllers.core.model_endpoint_pods import (
    TEMPLATE_HASH,
    create_replica,
    template_hash,
)
from mizzen.controllers.core.pods import is_active, is_finished, phase_of, terminations_of
from mizzen.controllers.core.view import View

NS = 1_000_000_000
REPLICAS_PER_PLAN = 100
# A replica that failed for good is replaced, but not in a tight loop.
REPLACE_AFTER_S = 10.0
_QUIET = ("Available", "NoReplicas", "Starting", "Unschedulable", "InsufficientDevices")


def reconcile(view: View, key: Key, now_ns: int) -> list[Action]:
    """The actions that the ModelEndpoint named by `key` needs now."""
    endpoint = view.get(MODEL_ENDPOINTS, key)
    if endpoint is None or is_terminating(endpoint):
        return []
    pods = view.owned(PODS, endpoint)
    actions = drop_unused_claims(view, endpoint, pods)
    actions += declare_disruption(pods, STATELESS)
    actions += _replace_finished(pods, now_ns)
    actions += _scale(view, endpoint, pods, now_ns)
    return actions + _write_status(endpoint, pods, now_ns)


def wanted_replicas(endpoint: Obj) -> int:
    """The gateway's demand, or the minimum before there is one, within the spec's bounds."""
    bounds = part(endpoint, "spec", "replicas")
    low = int(bounds.get("min", 1))
    high = max(low, int(bounds.get("max", max(1, low))))
    demand = field(endpoint, "status", "demand", "replicas")
    return min(high, max(low, low if demand is None else int(demand)))


def is_ready(pod: Obj) -> bool:
    return is_active(pod) and has_condition(pod, "Ready")


def _scale(view: View, endpoint: Obj, pods: list[Obj], now_ns: int) -> list[Action]:
    # A replica that failed a moment ago keeps its place, so that it is not replaced at once.
    present = [pod for pod in pods if not is_terminating(pod) and not _is_evicted(pod)]
    wanted = wanted_replicas(endpoint)
    cause = str(field(endpoint, "status", "demand", "cause") or "")
    if len(present) < wanted:
        return _add(view, endpoint, wanted - len(present), cause, now_ns)
    if len(present) > wanted:
        extra = sorted(present, key=lambda pod: (is_ready(pod), -_index(pod)))
        removed = extra[: len(present) - wanted]
        text = f"removing {', '.join(name_of(pod) for pod in removed)}"
        text += f": {cause}" if cause else ""
        return [*_delete(removed), EmitEvent(endpoint, "Normal", "ScaledDown", text)]
    return _replace_outdated(endpoint, present)


def _add(view: View, endpoint: Obj, count: int, cause: str, now_ns: int) -> list[Action]:
    """New replicas at the lowest names that are free, terminating ones being still taken."""
    actions: list[Action] = []
    index, made = 0, 0
    while made < min(count, REPLICAS_PER_PLAN):  # their pods' appearance brings the next turn
        name = Key(namespace_of(endpoint), f"{name_of(endpoint)}-{index}")
        if view.get(PODS, name) is None:
            actions += create_replica(endpoint, index, cause, now_ns)
            made += 1
        index += 1
    text = f"{count} more replica(s)" + (f": {cause}" if cause else "")
    return [*actions, EmitEvent(endpoint, "Normal", "ScaledUp", text)]


def _replace_outdated(endpoint: Obj, pods: list[Obj]) -> list[Action]:
    """Rolls replicas of an earlier spec: those not ready at once, ready ones one by one."""
    wanted = template_hash(endpoint)
    outdated = [pod for pod in pods if labels_of(pod).get(TEMPLATE_HASH) != wanted]
    idle = [pod for pod in outdated if not is_ready(pod)]
    if idle:
        return _delete(idle)
    if outdated and all(is_ready(pod) for pod in pods):
        return _delete(outdated[:1])
    return []


def _replace_finished(pods: list[Obj], now_ns: int) -> list[Action]:
    """Deletes pods that ended (restart policy Always: something outside ended them)."""
    actions: list[Action] = []
    for pod in pods:
        if not is_finished(pod) or is_terminating(pod):
            continue
        left_s = 0.0 if _is_evicted(pod) else REPLACE_AFTER_S - _seconds_since_end(pod, now_ns)
        actions += [RequeueAfter(left_s)] if left_s > 0 else _delete([pod])
    return actions


def _seconds_since_end(pod: Obj, now_ns: int) -> float:
    ends = [str(end["finishedAt"]) for end in terminations_of(pod) if end.get("finishedAt")]
    latest = max(ends, default=str(pod["metadata"].get("creationTimestamp") or ""))
    return (now_ns - parse_rfc3339(latest)) / NS if latest else REPLACE_AFTER_S


def _is_evicted(pod: Obj) -> bool:
    return is_finished(pod) and has_condition(pod, DISRUPTION_TARGET)


def _delete(pods: list[Obj]) -> list[Action]:
    return [
        Delete(PODS, namespace_of(pod), name_of(pod), uid=uid_of(pod))
        for pod in pods[:REPLICAS_PER_PLAN]
    ]


def _index(pod: Obj) -> int:
    text = labels_of(pod).get(REPLICA_INDEX) or ""
    return int(text) if text.isdigit() else 0


# -- status -----------------------------------------------------------------------


def _write_status(endpoint: Obj, pods: list[Obj], now_ns: int) -> list[Action]:
    present = [pod for pod in pods if is_active(pod)]
    ready = sum(is_ready(pod) for pod in present)
    new = _ready_condition(endpoint, pods, ready, now_ns)
    conditions = entries(endpoint, "status", "conditions")
    before = condition(endpoint, "Ready")
    shown = ("status", "reason", "message", "observedGeneration")
    if before is None or any(before.get(name) != new.get(name) for name in shown):
        conditions = with_condition(conditions, new)
    wanted: Obj = {
        "observedGeneration": endpoint["metadata"].get("generation") or 0,
        "replicas": len(present),
        "readyReplicas": ready,
        "conditions": conditions,
    }
    status = part(endpoint, "status")
    if all(status.get(name) == value for name, value in wanted.items()):
        return []
    # Only our own fields, without a resourceVersion: `demand` and `url` are the gateway's, and
    # a new demand must not refuse the replicas that go with this write.
    change: Obj = {"status": wanted}
    namespace, name = namespace_of(endpoint), name_of(endpoint)
    write = Patch(MODEL_ENDPOINTS, namespace, name, change, "status", uid=uid_of(endpoint))
    return [write, *_tell(endpoint, before, new)]


def report_stuck(endpoint: Obj, reason: str, text: str, now_ns: int) -> list[Operation]:
    """Sets condition Ready to why no replicas are made; the next replica made clears it."""
    if part(endpoint, "status").get("readyReplicas"):
        return []  # it answers; that no more are made is told as an Event
    new: Obj = {
        "type": "Ready",
        "status": "False",
        "reason": reason,
        "message": text,
        "observedGeneration": endpoint["metadata"].get("generation") or 0,
        "lastTransitionTime": rfc3339(now_ns),
    }
    before = condition(endpoint, "Ready")
    if before is not None and all(before.get(k) == new[k] for k in ("reason", "message")):
        return []
    conditions = with_condition(entries(endpoint, "status", "conditions"), new)
    change: Obj = {"status": {"conditions": conditions}}
    namespace, name = namespace_of(endpoint), name_of(endpoint)
    return [Patch(MODEL_ENDPOINTS, namespace, name, change, "status", uid=uid_of(endpoint))]


def _tell(endpoint: Obj, before: Obj | None, new: Obj) -> list[Action]:
    """An Event for each new trouble that only the user can mend."""
    if new["reason"] in _QUIET or (before and before.get("message") == new["message"]):
        return []
    return [EmitEvent(endpoint, "Warning", new["reason"], new["message"])]


def _ready_condition(endpoint: Obj, pods: list[Obj], ready: int, now_ns: int) -> Obj:
    wanted = wanted_replicas(endpoint)
    reason, message = _verdict(pods, ready, wanted)
    return {
        "type": "Ready",
        "status": "True" if reason == "Available" else "False",
        "reason": reason,
        "message": message,
        "observedGeneration": endpoint["metadata"].get("generation") or 0,
        "lastTransitionTime": rfc3339(now_ns),
    }


def _verdict(pods: list[Obj], ready: int, wanted: int) -> tuple[str, str]:
    """Reason and message of the Ready condition: the first thing that is in the way."""
    counted = f"{ready} of {wanted} replicas ready"
    if ready > 0:
        return "Available", counted
    if wanted == 0:
        return "NoReplicas", "scaled to zero; a request starts a replica"
    for pod in pods:
        trouble = _trouble(pod)
        if trouble is not None:
            return trouble
    for pod in pods:
        scheduled = condition(pod, "PodScheduled")
        if is_active(pod) and scheduled is not None and scheduled["status"] == "False":
            reason = str(scheduled.get("reason") or "Unschedulable")
            return reason, f"{counted}: pod {name_of(pod)}: {scheduled.get('message') or ''}"
    return "Starting", counted


def _trouble(pod: Obj) -> tuple[str, str] | None:
    """The reason and message that the engine left when it ended."""
    for ended in terminations_of(pod):
        said = str(ended.get("message") or "").strip()
        lines = said.splitlines() or [
            f"exit code {ended.get('exitCode')} ({ended.get('reason') or 'Error'})"
        ]
        reason, text = read_termination(said) or ("EngineFailed", lines[-1].strip())
        return reason, f"pod {name_of(pod)}: {text}"
    if phase_of(pod) == "Failed":
        said = field(pod, "status", "message") or field(pod, "status", "reason") or "failed"
        return "EngineFailed", f"pod {name_of(pod)}: {said}"
    return _waiting_trouble(pod)


def _waiting_trouble(pod: Obj) -> tuple[str, str] | None:
    """A container that cannot even be started, such as for an unknown image."""
    for container in entries(pod, "status", "containerStatuses"):
        waiting = part(container, "state", "waiting")
        if waiting.get("message") and waiting.get("reason") not in ("ContainerCreating", None):
            return str(waiting["reason"]), f"pod {name_of(pod)}: {waiting['message']}"
    return None


CONTROLLER = Controller(
    name="model-endpoint",
    resource=MODEL_ENDPOINTS,
    reconcile=reconcile,
    watches=(Watch(PODS, owners(MODEL_ENDPOINTS)), Watch(RESOURCE_CLAIMS, owners(MODEL_ENDPOINTS))),
    report_stuck=report_stuck,
)
