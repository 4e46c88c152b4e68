"""Matches pods' node selectors, required node affinity and tolerations against nodes.

Source: k8s.io/component-helpers `scheduling/corev1` (nodeaffinity, tolerations), v1.36.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from mizzen.base.objects import Obj, labels_of, name_of
from mizzen.base.reading import entries, field, part
from mizzen.base.selectors import Operator, Requirement
from mizzen.controllers.core.device_evictions import tolerates

_OPERATORS: Mapping[str, Operator] = {
    "In": "in",
    "NotIn": "notin",
    "Exists": "exists",
    "DoesNotExist": "absent",
    "Gt": "gt",
    "Lt": "lt",
}
_Term = tuple[tuple[Requirement, ...], tuple[Requirement, ...]]  # of labels, of fields


def node_filter(spec: Obj) -> Callable[[Obj], bool]:
    """Says of a node whether a pod of this spec may be there by selector and affinity."""
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    selector = part(spec, "nodeSelector").items()
    affinity = field(spec, "affinity", "nodeAffinity", required)
    if not selector and affinity is None:
        return lambda node: True
    terms = [_term(each) for each in entries(affinity or {}, "nodeSelectorTerms")]

    def fits(node: Obj) -> bool:
        labels = labels_of(node)
        if not selector <= labels.items():
            return False
        return affinity is None or any(_meets(term, node, labels) for term in terms)

    return fits


def _term(term: Obj) -> _Term:
    return (
        tuple(_requirement(each) for each in entries(term, "matchExpressions")),
        tuple(_requirement(each) for each in entries(term, "matchFields")),
    )


def _requirement(entry: Obj) -> Requirement:
    operator = _OPERATORS[str(entry.get("operator"))]
    return Requirement(str(entry.get("key")), operator, frozenset[str](entry.get("values") or ()))


def _meets(term: _Term, node: Obj, labels: Mapping[str, str]) -> bool:
    """A term without requirements matches no node."""
    expressions, fields = term
    if not expressions and not fields:
        return False
    name = {"metadata.name": name_of(node)}
    return all(r.matches(labels) for r in expressions) and all(r.matches(name) for r in fields)


def untolerated(taints: Iterable[Obj], tolerations: Sequence[Obj], effects: frozenset[str]) -> bool:
    """True if a taint of these effects is not tolerated."""
    return any(
        taint.get("effect") in effects and not any(tolerates(each, taint) for each in tolerations)
        for taint in taints
    )
