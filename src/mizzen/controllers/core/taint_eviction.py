"""Ends pods on nodes with a NoExecute taint that they do not tolerate, or not any longer.

Source: kube-controller-manager `pkg/controller/tainteviction`. The API server stamps when a taint
was added (`kinds/core/node.py`), so that the time tolerated also passes while nobody runs.
"""

from __future__ import annotations

from mizzen.base.clock import parse_rfc3339
from mizzen.base.objects import Key, Obj, name_of
from mizzen.base.reading import entries, text
from mizzen.base.resources import NODES, PODS
from mizzen.controllers.core.actions import Action, Controller, RequeueAfter, Watch
from mizzen.controllers.core.device_evictions import NO_EXECUTE, tolerates
from mizzen.controllers.core.pods import ON_NODE, evict_by_taint, is_active
from mizzen.controllers.core.view import View

_NS = 1_000_000_000


def _is_due(view: View, pod: Obj) -> bool:
    """A node that is not known yet brings its pods when it comes."""
    node = view.get(NODES, Key("", text(pod, "spec", "nodeName")))
    return node is not None and bool(no_execute(node))


def reconcile(view: View, key: Key, now_ns: int) -> list[Action]:
    """Ends the pod named by `key` once a taint of its node does not bear with it any more."""
    pod = view.get(PODS, key)
    node_name = text(pod, "spec", "nodeName") if pod is not None else ""
    if pod is None or not node_name or not is_active(pod):
        return []
    node = view.get(NODES, Key("", node_name))
    due = [
        (when_ns, taint)
        for taint in (no_execute(node) if node is not None else ())
        if (when_ns := _due_ns(taint, entries(pod, "spec", "tolerations"))) is not None
    ]
    if not due:
        return []
    when_ns, taint = min(due, key=lambda each: each[0])
    if when_ns > now_ns:
        return [RequeueAfter((when_ns - now_ns) / _NS)]
    return evict_by_taint(pod, "Taint manager", _why(node_name, taint), now_ns)


def no_execute(node: Obj) -> list[Obj]:
    return [t for t in entries(node, "spec", "taints") if t.get("effect") == NO_EXECUTE]


def _due_ns(taint: Obj, tolerations: list[Obj]) -> int | None:
    """The time at which the taint evicts a pod with these tolerations; None: never."""
    fitting = [t for t in tolerations if tolerates(t, taint)]
    if not fitting:
        return 0
    patience_s = [
        max(0, int(t["tolerationSeconds"]))
        for t in fitting
        if t.get("tolerationSeconds") is not None
    ]
    if not patience_s:
        return None
    added = taint.get("timeAdded")
    return (parse_rfc3339(str(added)) if added else 0) + min(patience_s) * _NS


def _why(node: str, taint: Obj) -> str:
    value = f"={taint['value']}" if taint.get("value") else ""
    return f'node "{node}" has the taint {taint.get("key")}{value}:{NO_EXECUTE}'


def _pods_on(view: View, node: Obj) -> list[Key]:
    """The pods on a tainted node; none for other nodes, which are written often (heartbeats)."""
    if not no_execute(node):
        return []
    return view.find_keys(ON_NODE, name_of(node))


CONTROLLER = Controller(
    name="taint-eviction",
    resource=PODS,
    reconcile=reconcile,
    predicate=_is_due,
    watches=(Watch(NODES, _pods_on),),
    indexes=(ON_NODE,),
)
