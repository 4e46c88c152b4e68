"""Role and ClusterRole: what may be done.

Source: pkg/apis/rbac/validation, Kubernetes 1.36.
"""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import CLUSTER_ROLES, ROLES
from mizzen.kinds import causes
from mizzen.kinds.columns import NAME, of
from mizzen.kinds.core.placement_rules import check_label_selector
from mizzen.kinds.kind import Column
from mizzen.kinds.reading import entries, part
from mizzen.kinds.treatment import acted
from mizzen.kinds.upstream import upstream_kind

_NO_SELECTOR = "at least one clusterRoleSelector required if aggregationRule is non-nil"


def check_rule(rule: Obj, path: str, *, namespaced: bool) -> list[Cause]:
    """Every cause to refuse a rule."""
    found: list[Cause] = []
    if not rule.get("verbs"):
        found.append(causes.required(f"{path}.verbs", "verbs must contain at least one value"))
    urls = rule.get("nonResourceURLs")
    if urls:
        where = f"{path}.nonResourceURLs"
        if namespaced:
            words = "namespaced rules cannot apply to non-resource URLs"
            found.append(causes.invalid(where, urls, words))
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            words = "rules cannot apply to both regular resources and non-resource URLs"
            found.append(causes.invalid(where, urls, words))
        return found
    if not rule.get("apiGroups"):
        words = "resource rules must supply at least one api group"
        found.append(causes.required(f"{path}.apiGroups", words))
    if not rule.get("resources"):
        words = "resource rules must supply at least one resource"
        found.append(causes.required(f"{path}.resources", words))
    return found


def _validate_role(new: Obj, old: Obj | None) -> list[Cause]:
    return _check_rules(new, namespaced=True)


def _validate_cluster_role(new: Obj, old: Obj | None) -> list[Cause]:
    found = _check_rules(new, namespaced=False)
    if new.get("aggregationRule") is not None:
        path = "aggregationRule.clusterRoleSelectors"
        selectors = entries(part(new, "aggregationRule"), "clusterRoleSelectors")
        if not selectors:
            found.append(causes.required(path, _NO_SELECTOR))
        for index, selector in enumerate(selectors):
            found += check_label_selector(selector, f"{path}[{index}]")
    return found


def _check_rules(role: Obj, *, namespaced: bool) -> list[Cause]:
    return [
        cause
        for index, rule in enumerate(entries(role, "rules"))
        for cause in check_rule(rule, f"rules[{index}]", namespaced=namespaced)
    ]


_COLUMNS = (NAME, Column("Created At", of("metadata.creationTimestamp"), type="date"))


def _no_rules(role: Obj) -> None:
    role.setdefault("rules", None)  # as upstream's type, which writes what it does not hold


KINDS = (
    upstream_kind(
        ROLES, "What may be done in a namespace.",
        validate=_validate_role, default=_no_rules, columns=_COLUMNS,
    ),
    upstream_kind(
        CLUSTER_ROLES, "What may be done, wherever it is bound.",
        validate=_validate_cluster_role, default=_no_rules, columns=_COLUMNS,
    ),
)  # fmt: skip

SERVED_FIELDS = {
    "rbac.v1.Role": acted("apiserver", "rules"),
    "rbac.v1.ClusterRole": acted("apiserver", "rules aggregationRule"),
    "rbac.v1.AggregationRule": acted("apiserver", "clusterRoleSelectors"),
    "rbac.v1.PolicyRule": acted(
        "apiserver", "verbs apiGroups resources resourceNames nonResourceURLs"
    ),
}
