"""Charges quotas for objects and refuses what exceeds them.

Source: k8s.io/apiserver/pkg/admission/plugin/resourcequota/controller.go, v0.36.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mizzen.apiserver.core.quota_usage import (
    PODS,
    VOLUME_CLAIMS,
    Usage,
    added,
    container_usage,
    deadline_of,
)
from mizzen.base.objects import Obj, name_of
from mizzen.base.quantity import parse
from mizzen.base.reading import entries, field, part, text
from mizzen.kinds.core.pod_rules import quality_of_service
from mizzen.kinds.quantities import plus

# With a quota on one of these, each container must say what it takes.
_MUST_BE_SAID = frozenset(
    ("cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory")
)
_AFFINITY = ("podAffinity", "podAntiAffinity")


def hard_of(quota: Obj) -> Mapping[str, str]:
    return part(quota, "spec", "hard")


def matches(quota: Obj, resource: str, obj: Obj) -> bool:
    """True if the object is in every scope of the quota; other kinds than pods and volume claims
    are in none."""
    spec = part(quota, "spec")
    scopes: list[Obj] = [{"scopeName": s, "operator": "Exists"} for s in spec.get("scopes") or ()]
    scopes += entries(spec, "scopeSelector", "matchExpressions")
    return all(_in_scope(scope, resource, obj) for scope in scopes)


def _in_scope(scope: Obj, resource: str, obj: Obj) -> bool:
    name = scope["scopeName"]
    if resource == VOLUME_CLAIMS:
        chosen = text(obj, "spec", "volumeAttributesClassName")
        return name == "VolumeAttributesClass" and _selects(scope, chosen)
    if resource != PODS:
        return False
    match name:
        case "Terminating" | "NotTerminating":
            return deadline_of(obj) == (name == "Terminating")
        case "BestEffort" | "NotBestEffort":
            is_best_effort = quality_of_service(obj["spec"]) == "BestEffort"
            return is_best_effort == (name == "BestEffort")
        case "PriorityClass":
            return _selects(scope, text(obj, "spec", "priorityClassName"))
        case "CrossNamespacePodAffinity":
            return _reaches_out(obj)
        case _:
            return False


def _selects(scope: Obj, value: str) -> bool:
    values: list[str] = scope.get("values") or []
    match scope.get("operator"):
        case "Exists":
            return bool(value)
        case "DoesNotExist":
            return not value
        case "In":
            return value in values if value else False
        case _:
            return value not in values


def _reaches_out(pod: Obj) -> bool:
    """True if a term of its affinities is about other namespaces."""
    for kind in _AFFINITY:
        rules = part(pod, "spec", "affinity", kind)
        terms = entries(rules, "requiredDuringSchedulingIgnoredDuringExecution")
        weighted = entries(rules, "preferredDuringSchedulingIgnoredDuringExecution")
        for term in (*terms, *(part(each, "podAffinityTerm") for each in weighted)):
            if term.get("namespaces") or term.get("namespaceSelector") is not None:
                return True
    return False


def unsaid(quota: Obj, pod: Obj) -> str:
    """What containers of a pod must say because of the quota, "" where they do."""
    required = _MUST_BE_SAID.intersection(hard_of(quota))
    if not required or part(pod, "spec", "resources"):
        return ""
    missing: dict[str, set[str]] = {}
    for each in ("containers", "initContainers"):
        for container in entries(pod, "spec", each):
            for name in required - container_usage(part(container, "resources")).keys():
                missing.setdefault(name, set()).add(str(container["name"]))
    if not missing:
        return ""
    listed = "; ".join(f"{name} for: {','.join(sorted(missing[name]))}" for name in sorted(missing))
    return f"failed quota: {name_of(quota)}: must specify {listed}"


def exceeded(quota: Obj, used: Mapping[str, str], change: Mapping[str, str]) -> str:
    """The sentence that refuses a change beyond the hard limits; "" where it fits."""
    hard = hard_of(quota)
    over = sorted(
        name
        for name, amount in change.items()
        if name in hard
        and parse(amount) > 0
        and parse(used.get(name, "0")) + parse(amount) > parse(hard[name])
    )
    if not over:
        return ""
    asked, taken, limited = (
        ",".join(f"{name}={amounts.get(name, '0')}" for name in over)
        for amounts in (change, used, hard)
    )
    name = name_of(quota)
    return f"exceeded quota: {name}, requested: {asked}, used: {taken}, limited: {limited}"


def charged(quota: Obj, used: Mapping[str, str], change: Mapping[str, str]) -> Obj | None:
    """The quota with the change in its status; None where nothing of it is limited."""
    known = hard_of(quota)
    relevant = {name: amount for name, amount in change.items() if name in known}
    if not relevant:
        return None
    now = dict(used)
    for name, amount in relevant.items():
        total = plus(now.get(name, "0"), amount)
        now[name] = total if parse(total) >= 0 else "0"
    return with_status(quota, now)


def with_status(quota: Obj, used: Usage) -> Obj:
    status = {**part(quota, "status"), "hard": dict(hard_of(quota)), "used": used}
    return {**quota, "metadata": dict(quota["metadata"]), "status": status}


def is_counted(quota: Obj) -> bool:
    """True if its status tells the usage of all that it limits."""
    hard = hard_of(quota)
    return (
        field(quota, "status", "hard") == hard
        and part(quota, "status", "used").keys() == hard.keys()
    )


def total(hard: Iterable[str], usages: Iterable[Usage]) -> Usage:
    """The usage of many objects, of these names alone."""
    names = set(hard)
    sum_ = dict.fromkeys(sorted(names), "0")
    for usage in usages:
        sum_ = added(sum_, {name: amount for name, amount in usage.items() if name in names})
    return sum_
