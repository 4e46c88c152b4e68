"""Refuses a pod that named its node itself where the node cannot take it.

Reasons are the kubelet's. Source: k8s.io/kubernetes pkg/kubelet/lifecycle/predicate.go, v1.36.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from mizzen.base.objects import Obj, labels_of, name_of
from mizzen.base.pod_requests import CPU, amounts, requests_of
from mizzen.base.reading import entries, part
from mizzen.base.selectors import Operator, Requirement
from mizzen.node.core.devices import claim_names

_OPERATORS: Mapping[str, Operator] = {
    "In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "absent", "Gt": "gt", "Lt": "lt",
}  # fmt: skip
_NODE_NAME = "metadata.name"


def refusal(pod: Obj, node: Obj, others: Iterable[Obj]) -> tuple[str, str] | None:
    """Reason and message of a pod that cannot run here beside these others, None when it can."""
    spec: Obj = pod["spec"]
    has = amounts(part(node, "status", "allocatable"))
    used = Counter[str]()
    for other in others:
        used.update(_charged(other))
    for name, wanted in sorted(_charged(pod).items()):
        if wanted + used[name] > has.get(name, 0):
            unit = " milli-CPU" if name == CPU else ""
            return f"OutOf{name}", (
                f"node {name_of(node)} does not have enough {name}: the pod asks for {wanted}{unit}, "
                f"{used[name]} of {has.get(name, 0)} are taken; leave spec.nodeName out and it waits"
            )
    if not _accepts(spec, node):
        return "NodeAffinity", (
            f"node {name_of(node)} does not match the pod's nodeSelector or required node affinity; "
            "leave spec.nodeName out to have one chosen that does"
        )
    return None


def _charged(pod: Obj) -> Mapping[str, int]:
    """As the scheduler charges it: CPU of a pod that claims devices is the claim's."""
    wanted = requests_of(pod["spec"])
    return {k: v for k, v in wanted.items() if k != CPU or not claim_names(pod)}


def _accepts(spec: Obj, node: Obj) -> bool:
    labels = labels_of(node)
    if any(labels.get(key) != value for key, value in part(spec, "nodeSelector").items()):
        return False
    required = part(
        spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"
    )
    terms = entries(required, "nodeSelectorTerms")
    return not required or any(_matches(term, labels, name_of(node)) for term in terms)


def _matches(term: Obj, labels: Mapping[str, str], name: str) -> bool:
    """A term without requirements matches nothing."""
    by_label, by_field = entries(term, "matchExpressions"), entries(term, "matchFields")
    fields = {_NODE_NAME: name}
    return bool(by_label or by_field) and (
        all(_requirement(e).matches(labels) for e in by_label)
        and all(_requirement(e).matches(fields) for e in by_field)
    )


def _requirement(expression: Obj) -> Requirement:
    values = frozenset(map(str, expression.get("values") or ()))
    return Requirement(expression["key"], _OPERATORS[expression["operator"]], values)
