"""The rule that says which part of a shared cluster is Mizzen's: it keeps two allocators apart.

A node is handed over by the label `mizzen.dev/scheduler=mizzen` and the taint of the same key and
value, effect NoSchedule, which keeps the pods of other schedulers away. With it go the devices
that only handed-over nodes reach. All else is another scheduler's, and not even looked at. A node
that is handed over in part (an `Overlap`) is nobody's: nothing is placed there until it is mended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mizzen.base.names import HANDED_OVER, HANDED_OVER_TO
from mizzen.base.objects import Key, Obj, key_of, labels_of, name_of, namespace_of
from mizzen.scheduler.core.dra.model import NodeScope
from mizzen.scheduler.core.dra.wire import part
from mizzen.scheduler.core.matching import reaches
from mizzen.scheduler.core.types import NodeView
from mizzen.scheduler.core.views import node_selector

_FINISHED = ("Succeeded", "Failed")
NAMED_MAX = 3  # examples in one message


@dataclass(frozen=True, slots=True)
class Overlap:
    """Something that two schedulers could hand out, and what to do about it."""

    about: Obj
    what: str
    remedy: str

    def __str__(self) -> str:
        return f'{self.about["kind"]} "{key_of(self.about)}" {self.what}; {self.remedy}'


class Handover:
    """Knowledge of nodes and of pods that hold devices on them; claims are looked up."""

    def __init__(self, claims: Mapping[Key, Obj]) -> None:
        self._claims = claims
        self._nodes: dict[str, Obj] = {}
        self._foreign: dict[str, dict[Key, None]] = {}  # by node: pods of others that hold devices
        self._on: dict[Key, str] = {}  # of those pods: their node

    # -- what is known ------------------------------------------------------------------

    def learn_node(self, node: Obj) -> None:
        self._nodes[name_of(node)] = node

    def forget_node(self, name: str) -> None:
        self._nodes.pop(name, None)

    def learn_pod(self, pod: Obj) -> tuple[str, ...]:
        """The nodes on which this changes who holds devices."""
        key = key_of(pod)
        node = pod["spec"].get("nodeName") or ""
        was = self._on.get(key, "")
        now = node if self._holds_for_others(pod) else ""
        if was == now:
            return ()
        self.forget_pod(key)
        if now:
            self._on[key] = now
            self._foreign.setdefault(now, {})[key] = None
        return tuple(name for name in (was, now) if name)

    def forget_pod(self, key: Key) -> tuple[str, ...]:
        """As `learn_pod`, for a pod that is gone."""
        node = self._on.pop(key, "")
        if node:
            del self._foreign[node][key]
        return (node,) if node else ()

    def _holds_for_others(self, pod: Obj) -> bool:
        """Bound by another scheduler, alive, with a claim that is more than an administrator's."""
        spec, status = part(pod, "spec"), part(pod, "status")
        if not spec.get("nodeName") or spec.get("schedulerName") == HANDED_OVER_TO:
            return False
        if status.get("phase") in _FINISHED:
            return False
        names = [entry.get("resourceClaimName") for entry in spec.get("resourceClaims") or ()]
        made: list[Obj] = status.get("resourceClaimStatuses") or []
        names += [entry.get("resourceClaimName") for entry in made]
        names.append(part(status, "extendedResourceClaimStatus").get("resourceClaimName"))
        namespace = namespace_of(pod)
        return any(self._is_exclusive(Key(namespace, name)) for name in names if name)

    def _is_exclusive(self, claim: Key) -> bool:
        """Unless it is known to have nothing but admin access: its cache may lag behind."""
        known = self._claims.get(claim)
        results = allocated(known) if known else []
        return not results or any(not result.get("adminAccess") for result in results)

    # -- what follows ----------------------------------------------------------------------

    def node_problem(self, name: str) -> Overlap | None:
        """The reason why a node with the label cannot be used; None for all others too."""
        node = self._nodes.get(name)
        if node is None or not is_handed_over(node):
            return None
        if not any(_is_ours(taint) for taint in part(node, "spec").get("taints") or ()):
            return Overlap(
                node,
                "is labelled for Mizzen but lacks its taint, so other schedulers use it as well",
                f"run: kubectl taint node {name} {HANDED_OVER}={HANDED_OVER_TO}:NoSchedule",
            )
        holders = self._foreign.get(name)
        if holders:
            return Overlap(
                node,
                f"is handed over, but pods of other schedulers hold devices there: "
                f"{_some(holders)}",
                "let them end, delete them, or take the label off the node",
            )
        return None

    def is_ours(self, name: str) -> bool:
        """True if pods may be placed on it, and its devices allocated."""
        node = self._nodes.get(name)
        return node is not None and is_handed_over(node) and self.node_problem(name) is None

    def shows_pod(self, pod: Obj) -> bool:
        """True if it waits for us, or takes room on a node of ours."""
        spec: Obj = pod["spec"]
        node = spec.get("nodeName")
        return self.is_ours(node) if node else spec.get("schedulerName") == HANDED_OVER_TO

    def shows_slice(self, item: Obj) -> bool:
        """True if all nodes that reach its devices are ours."""
        spec: Obj = item["spec"]
        if spec.get("nodeName"):
            return self.is_ours(spec["nodeName"])
        ours, others = self._reach(item)
        return bool(ours) and not others

    def slice_problem(self, item: Obj) -> Overlap | None:
        """A pool that reaches nodes of ours and of others. It is left to them; labelled as ours it
        is an overlap."""
        if item["spec"].get("nodeName") or not is_handed_over(item):
            return None
        ours, others = self._reach(item)
        if not others:
            return None
        return Overlap(
            item,
            f"is labelled for Mizzen, but its devices are reached by nodes that are not handed "
            f"over: {_some(others)} (and by {len(ours)} that are)",
            "hand those nodes over too, narrow the slice's nodeSelector, or take its label off",
        )

    def overlaps(self, slices: Iterable[Obj]) -> list[Overlap]:
        """All there are, nodes first."""
        problems = [self.node_problem(name) for name in sorted(self._nodes)]
        problems += [self.slice_problem(item) for item in slices]
        return [problem for problem in problems if problem is not None]

    def _reach(self, item: Obj) -> tuple[list[str], list[str]]:
        """The nodes that reach any of its devices: ours, and others'."""
        scopes = list(_scopes(item["spec"]))
        ours: list[str] = []
        others: list[str] = []
        for name, node in self._nodes.items():
            view = NodeView(name, labels_of(node), (), {}, 0)
            if any(reaches(scope, view) for scope in scopes):
                (ours if self.is_ours(name) else others).append(name)
        return ours, others


def is_handed_over(obj: Obj) -> bool:
    """True if its label says so."""
    return labels_of(obj).get(HANDED_OVER) == HANDED_OVER_TO


def without_taint(node: Obj) -> Obj:
    """The node as our scheduler sees it: it tolerates the taint that keeps others away."""
    spec: Obj = part(node, "spec")
    kept = [taint for taint in spec.get("taints") or () if not _is_ours(taint)]
    return {**node, "spec": {**spec, "taints": kept}}


def allocated(claim: Obj) -> list[Obj]:
    """The device results of its allocation."""
    return part(part(part(claim, "status"), "allocation"), "devices").get("results") or []


def _is_ours(taint: Obj) -> bool:
    return (
        taint.get("key") == HANDED_OVER
        and taint.get("value") == HANDED_OVER_TO
        and taint.get("effect") == "NoSchedule"
    )


def _scopes(spec: Mapping[str, Any]) -> Iterable[NodeScope]:
    if spec.get("perDeviceNodeSelection"):
        for device in spec.get("devices") or ():
            yield _scope(device)
    else:
        yield _scope(spec)


def _scope(holder: Mapping[str, Any]) -> NodeScope:
    selector = holder.get("nodeSelector")
    return NodeScope(
        node=holder.get("nodeName") or "",
        selector=node_selector(selector) if selector else None,
        all_nodes=bool(holder.get("allNodes")),
    )


def _some(names: Iterable[object]) -> str:
    listed = sorted(str(name) for name in names)
    rest = len(listed) - NAMED_MAX
    return ", ".join(listed[:NAMED_MAX]) + (f" and {rest} more" if rest > 0 else "")
