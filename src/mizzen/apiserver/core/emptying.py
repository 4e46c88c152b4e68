"""The status conditions of a namespace that is being deleted.

Source: kubernetes pkg/controller/namespace/deletion/status_condition_utils.go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from mizzen.base.clock import rfc3339
from mizzen.base.objects import Obj, with_condition
from mizzen.base.resources import Resource
from mizzen.kinds.core.namespace import FINALIZER

_DONE = (
    ("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered",
     "All resources successfully discovered"),
    ("NamespaceDeletionGroupVersionParsingFailure", "ParsedGroupVersions",
     "All legacy kube types successfully parsed"),
    ("NamespaceDeletionContentFailure", "ContentDeleted",
     "All content successfully deleted, may be waiting on finalization"),
)  # fmt: skip


@dataclass(slots=True)
class Remaining:
    """Objects that are still there, counted by resource and by what holds them."""

    resources: Counter[str] = field(default_factory=Counter[str])
    finalizers: Counter[str] = field(default_factory=Counter[str])

    def add(self, resource: Resource, finalizers: Iterable[str]) -> None:
        self.resources[f"{resource.plural}.{resource.group}"] += 1
        self.finalizers.update(set(finalizers))

    @property
    def is_nothing(self) -> bool:
        return not self.resources


def with_conditions(namespace: Obj, remaining: Remaining, now_ns: int) -> Obj:
    """The namespace with what remains in its conditions; equal counts give equal conditions."""
    now = rfc3339(now_ns)
    content = _listed(remaining.resources, "has {} resource instances")
    holders = _listed(remaining.finalizers, "in {} resource instances")
    told = [(kind, "False", reason, message) for kind, reason, message in _DONE]
    told.append(
        ("NamespaceContentRemaining", "True", "SomeResourcesRemain",
         f"Some resources are remaining: {content}")
        if content
        else ("NamespaceContentRemaining", "False", "ContentRemoved",
              "All content successfully removed")
    )  # fmt: skip
    told.append(
        ("NamespaceFinalizersRemaining", "True", "SomeFinalizersRemain",
         f"Some content in the namespace has finalizers remaining: {holders}")
        if holders
        else ("NamespaceFinalizersRemaining", "False", "ContentHasNoFinalizers",
              "All content-preserving finalizers finished")
    )  # fmt: skip
    status: Obj = namespace.get("status") or {}
    conditions: list[Obj] = status.get("conditions") or []
    for kind, state, reason, message in told:
        new = {"type": kind, "status": state, "lastTransitionTime": now, "reason": reason,
               "message": message}  # fmt: skip
        conditions = with_condition(conditions, new)
    return {**namespace, "status": {**status, "conditions": conditions}}


def finalized(namespace: Obj) -> Obj:
    """The namespace without the finalizer that waits for its content."""
    spec: Obj = dict(namespace.get("spec") or {})
    spec["finalizers"] = [f for f in spec.get("finalizers") or () if f != FINALIZER]
    return {**namespace, "spec": spec, "metadata": dict(namespace["metadata"])}


def _listed(counts: Counter[str], form: str) -> str:
    return ", ".join(f"{name} {form.format(count)}" for name, count in sorted(counts.items()))
