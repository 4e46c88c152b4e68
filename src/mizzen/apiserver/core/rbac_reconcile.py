"""Brings stored default roles and bindings up to date, and leaves alone what people added.

Source: pkg/registry/rbac/reconciliation, component-helpers auth/rbac/reconciliation,
Kubernetes 1.36.
"""

from __future__ import annotations

from mizzen.apiserver.core.policy_rules import compacted, rules_of, uncovered
from mizzen.apiserver.core.role_aggregation import is_aggregated
from mizzen.base.objects import Obj
from mizzen.base.reading import entries, part

AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"


def is_protected(existing: Obj) -> bool:
    """True if somebody has said that the object stays as it is."""
    return part(existing, "metadata", "annotations").get(AUTOUPDATE) == "false"


def reconciled_role(existing: Obj, wanted: Obj) -> Obj | None:
    """The existing role with the rules and labels that it lacks, None if it lacks none."""
    if is_protected(existing):
        return None
    new = _with_metadata(existing, wanted)
    if is_aggregated(wanted):
        selectors = entries(existing, "aggregationRule", "clusterRoleSelectors")
        lacking = [s for s in entries(wanted, "aggregationRule", "clusterRoleSelectors")
                   if s not in selectors]  # fmt: skip
        if lacking:
            new["aggregationRule"] = {"clusterRoleSelectors": selectors + lacking}
    elif existing.get("rules") != wanted.get("rules"):  # the usual case costs no more
        lacking = uncovered(rules_of(existing), rules_of(wanted))
        if lacking:
            added = [rule.to_object() for rule in compacted(lacking)]
            new["rules"] = [*(existing.get("rules") or ()), *added]
    return None if new == existing else new


def reconciled_binding(existing: Obj, wanted: Obj) -> Obj | None:
    """The existing binding with the subjects and labels that it lacks, None if it lacks none.

    One of another role must be made anew: `is_of_another_role`.
    """
    if is_protected(existing):
        return None
    new = _with_metadata(existing, wanted)
    subjects = entries(existing, "subjects")
    lacking = [each for each in entries(wanted, "subjects") if each not in subjects]
    if lacking:
        new["subjects"] = [*subjects, *lacking]
    return None if new == existing else new


def is_of_another_role(existing: Obj, wanted: Obj) -> bool:
    return existing["roleRef"] != wanted["roleRef"] and not is_protected(existing)


def _with_metadata(existing: Obj, wanted: Obj) -> Obj:
    """A copy with the labels and annotations that it lacks; what it has wins."""
    metadata = dict(existing["metadata"])
    for name in ("labels", "annotations"):
        lacked = wanted["metadata"].get(name)
        if lacked:
            metadata[name] = {**lacked, **(metadata.get(name) or {})}
    return {**existing, "metadata": metadata}
