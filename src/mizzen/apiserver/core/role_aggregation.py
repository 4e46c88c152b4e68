"""ClusterRoles that are made of the rules of others, by labels.

Source: pkg/controller/clusterroleaggregation, Kubernetes 1.36. There a controller follows; here
the rules are right in the very transaction that changes a part of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mizzen.base.objects import Obj
from mizzen.base.reading import entries, part
from mizzen.base.selectors import from_object

_ROUNDS_MAX = 16  # roles that aggregate aggregated ones; upstream's own are three deep


def is_aggregated(role: Obj) -> bool:
    return bool(entries(role, "aggregationRule", "clusterRoleSelectors"))


def aggregated_rules(role: Obj, roles: Iterable[Obj]) -> list[Obj]:
    """The rules of an aggregated role, out of `roles` in order of their names."""
    found: list[Obj] = []
    candidates = list(roles)
    for selector in entries(role, "aggregationRule", "clusterRoleSelectors"):
        matching = from_object(selector)
        for other in candidates:
            metadata = other["metadata"]
            if metadata["name"] == role["metadata"]["name"] or matching is None:
                continue
            if matching.matches(part(metadata, "labels")):
                found += [rule for rule in other.get("rules") or () if rule not in found]
    return found


def settle(roles: Mapping[str, Obj]) -> dict[str, Obj]:
    """New forms of the aggregated roles whose rules are not what their parts say; by name."""
    current = {name: roles[name] for name in sorted(roles)}
    changed: dict[str, Obj] = {}
    for _ in range(_ROUNDS_MAX):
        is_settled = True
        for name, role in current.items():
            if not is_aggregated(role):
                continue
            rules = aggregated_rules(role, current.values())
            if rules != (role.get("rules") or []):
                new = {**role, "metadata": dict(role["metadata"]), "rules": rules}
                current[name] = changed[name] = new
                is_settled = False
        if is_settled:
            break
    return changed
