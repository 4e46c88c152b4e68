"""ResourceQuota: what a namespace may take in all.

Source: pkg/apis/core/validation ValidateResourceQuota, Kubernetes 1.36.
"""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import RESOURCE_QUOTAS
from mizzen.kinds import causes as words
from mizzen.kinds.columns import AGE, NAME, Column
from mizzen.kinds.core.resource_names import check_amount, check_quota_resource, is_of_quotas
from mizzen.kinds.reading import entries, part
from mizzen.kinds.treatment import acted, holding
from mizzen.kinds.upstream import upstream_kind

_PLAIN_SCOPES = ("Terminating", "NotTerminating", "BestEffort", "NotBestEffort",
                 "CrossNamespacePodAffinity")  # fmt: skip
_SCOPES = (*_PLAIN_SCOPES, "PriorityClass", "VolumeAttributesClass")
_OPPOSED = (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating"))
_PODS = ("pods",)
_COMPUTE = ("cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory",
            "ephemeral-storage", "requests.ephemeral-storage", "limits.ephemeral-storage")  # fmt: skip


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    spec = part(new, "spec")
    causes: list[Cause] = []
    hard = part(spec, "hard")
    for name, amount in sorted(hard.items()):
        causes += check_quota_resource(name, f"spec.hard[{name}]")
        causes += check_amount(name, amount, f"spec.hard[{name}]")
    causes += _check_scopes(spec, hard)
    causes += _check_selector(spec, hard)
    if old is not None and sorted(spec.get("scopes") or ()) != sorted(
        part(old, "spec").get("scopes") or ()
    ):
        causes.append(words.invalid("spec.scopes", spec.get("scopes") or [], "field is immutable"))
    return causes


def _fits(scope: str, name: str) -> bool:
    """True if a resource can be counted within a scope."""
    if scope == "BestEffort":
        return name == "pods"
    if scope == "VolumeAttributesClass":
        return name in ("requests.storage", "persistentvolumeclaims")
    return name in (*_PODS, *_COMPUTE)


def _check_scopes(spec: Obj, hard: Obj) -> list[Cause]:
    scopes: list[str] = spec.get("scopes") or []
    return _check_names(scopes, scopes, hard, "spec.scopes", "spec.scopes")


def _check_names(
    names: list[str], shown: object, hard: Obj, path: str, at_scope: str
) -> list[Cause]:
    causes: list[Cause] = []
    for scope in names:
        if scope not in _SCOPES:
            causes.append(words.invalid(at_scope, shown, "unsupported scope"))
        causes += [
            words.invalid(path, shown, "unsupported scope applied to resource")
            for name in sorted(hard)
            if scope in _SCOPES and is_of_quotas(name) and not _fits(scope, name)
        ]
    if any(set(pair) <= set(names) for pair in _OPPOSED):
        causes.append(words.invalid(path, shown, "conflicting scopes"))
    return causes


def _check_selector(spec: Obj, hard: Obj) -> list[Cause]:
    path = "spec.scopeSelector.matchExpressions"
    causes: list[Cause] = []
    terms = entries(spec, "scopeSelector.matchExpressions")
    for term in terms:
        scope, operator = term["scopeName"], term["operator"]
        values: list[str] = term.get("values") or []
        if scope in _PLAIN_SCOPES and operator != "Exists":
            what = (
                "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, "
                "ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, "
                "ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
            )
            causes.append(words.invalid(f"{path}.operator", operator, what))
        if operator in ("In", "NotIn") and not values:
            what = (
                "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
            )
            causes.append(words.required(f"{path}.values", what))
        elif operator in ("Exists", "DoesNotExist") and values:
            what = (
                "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
            )
            causes.append(words.invalid(f"{path}.values", values, what))
        elif operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
            causes.append(
                words.invalid(f"{path}.operator", operator, "not a valid selector operator")
            )
    names = [str(term["scopeName"]) for term in terms]
    return causes + _check_names(
        names, part(spec, "scopeSelector"), hard, path, f"{path}.scopeName"
    )


def _amounts(quota: Obj, *, limits: bool) -> str:
    """Used of allowed, as `kubectl get quota` shows them."""
    hard, used = part(quota, "status.hard"), part(quota, "status.used")
    return ", ".join(
        f"{name}: {used.get(name, '0')}/{hard[name]}"
        for name in sorted(hard)
        if name.startswith("limits.") == limits
    )


KIND = upstream_kind(
    RESOURCE_QUOTAS,
    "What a namespace may take in all; the API server keeps its status.",
    validate=_validate,
    columns=(
        NAME,
        Column("Request", lambda quota, now: _amounts(quota, limits=False)),
        Column("Limit", lambda quota, now: _amounts(quota, limits=True)),
        AGE,
    ),
)

SERVED_FIELDS = {
    "core.v1.ResourceQuota": holding("spec"),
    "core.v1.ResourceQuotaSpec": acted("apiserver", "hard scopes scopeSelector"),
    "core.v1.ScopeSelector": acted("apiserver", "matchExpressions"),
    "core.v1.ScopedResourceSelectorRequirement": acted("apiserver", "scopeName operator values"),
}
