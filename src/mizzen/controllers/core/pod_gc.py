"""Deletes orphaned pods: on vanished nodes, never started, or too many finished.

Source: kube-controller-manager `pkg/controller/podgc`.
"""

from __future__ import annotations

from collections.abc import Iterator

from mizzen.base.objects import Key, Obj, is_terminating, name_of, namespace_of, uid_of
from mizzen.base.operations import Delete
from mizzen.base.resources import NODES, PODS
from mizzen.controllers.core.actions import Action, Controller, EmitEvent, RequeueAfter, Watch
from mizzen.controllers.core.pods import ON_NODE, is_finished
from mizzen.controllers.core.view import Index, View

FINISHED_MAX = 1000  # upstream's 12500 is for clusters; one machine needs fewer to look back on
NODE_LAG_S = 5.0
REMOVED_PER_PLAN = 500
NEXT_PLAN_S = 0.1


def _finished(pod: Obj) -> Iterator[str]:
    if is_finished(pod) and not is_terminating(pod):
        yield ""


FINISHED = Index("finished pods", PODS, _finished)


def _is_due(view: View, pod: Obj) -> bool:
    node = str(pod["spec"].get("nodeName") or "")
    if not node:
        return is_terminating(pod)
    return is_finished(pod) or view.get(NODES, Key("", node)) is None


def reconcile(view: View, key: Key, now_ns: int) -> list[Action]:
    """Removes the pod named by `key` if nothing else ever will."""
    pod = view.get(PODS, key)
    if pod is None:
        return []
    node = str(pod["spec"].get("nodeName") or "")
    if not node:
        return [_remove(pod)] if is_terminating(pod) else []
    if view.get(NODES, Key("", node)) is None:
        if not view.is_gone(NODES, "", named_by=pod):
            return [RequeueAfter(NODE_LAG_S)]
        text = f'its node "{node}" no longer exists'
        return [_remove(pod), EmitEvent(pod, "Warning", "NodeGone", text)]
    return _trim_finished(view, pod)


def _trim_finished(view: View, pod: Obj) -> list[Action]:
    """Beyond the bound, the oldest finished pods go."""
    if not is_finished(pod) or view.count(FINISHED, "") <= FINISHED_MAX:
        return []
    finished = view.find(FINISHED, "")
    finished.sort(key=lambda other: str(other["metadata"].get("creationTimestamp") or ""))
    extra = finished[: len(finished) - FINISHED_MAX]
    more = [RequeueAfter(NEXT_PLAN_S)] if len(extra) > REMOVED_PER_PLAN else []
    return [*(_remove(other) for other in extra[:REMOVED_PER_PLAN]), *more]


def _remove(pod: Obj) -> Delete:
    return Delete(PODS, namespace_of(pod), name_of(pod), grace_period_s=0, uid=uid_of(pod))


def _pods_on(view: View, node: Obj) -> list[Key]:
    name = name_of(node)
    if view.get(NODES, Key("", name)) is not None:
        return []
    return view.find_keys(ON_NODE, name)


CONTROLLER = Controller(
    name="pod-gc",
    resource=PODS,
    reconcile=reconcile,
    predicate=_is_due,
    watches=(Watch(NODES, _pods_on),),
    indexes=(ON_NODE, FINISHED),
)
