"""Defaults and checks of StatefulSets.

Source: pkg/apis/apps/v1/defaults.go, validation.go; pkg/registry/apps/statefulset/strategy.go.
"""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.kinds.apps.workload_rules import (
    check_at_most_all,
    check_collisions,
    check_counts,
    check_share,
    check_status,
    check_workload,
    default_template,
    forbidden,
    invalid,
    is_zero,
    unsupported,
)
from mizzen.kinds.core.pod_warnings import warn_of_template
from mizzen.kinds.names import dns_label
from mizzen.kinds.reading import entries, get, part

ROLLING, ON_DELETE = "RollingUpdate", "OnDelete"
ORDERED, PARALLEL = "OrderedReady", "Parallel"
RETAIN, DELETE = "Retain", "Delete"
_POLICY = "persistentVolumeClaimRetentionPolicy"
MUTABLE = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    _POLICY,
    "minReadySeconds",
)
_FIXED = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
    "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and "
    "'minReadySeconds' are forbidden"
)


def default_stateful_set(owner: Obj) -> None:
    """Completes a StatefulSet in place."""
    spec = part(owner, "spec")
    spec.setdefault("podManagementPolicy", ORDERED)
    strategy: Obj = spec.setdefault("updateStrategy", {})
    if not strategy.get("type"):
        strategy["type"] = ROLLING
        strategy.setdefault("rollingUpdate", {})
    if strategy["type"] == ROLLING and "rollingUpdate" in strategy:
        strategy["rollingUpdate"].setdefault("partition", 0)
    policy: Obj = spec.setdefault(_POLICY, {})
    for moment in ("whenDeleted", "whenScaled"):
        policy[moment] = policy.get(moment) or RETAIN
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    for claim in entries(spec, "volumeClaimTemplates"):
        claim.setdefault("apiVersion", "v1")
        claim.setdefault("kind", "PersistentVolumeClaim")
        part(claim, "spec").setdefault("volumeMode", "Filesystem")
        claim["status"] = {"phase": "Pending"}
    default_template(owner)


def begin_stateful_set(owner: Obj) -> None:
    """The first status, in place: zero is said."""
    owner["status"] = {"replicas": 0, "availableReplicas": 0}


def validate_stateful_set(new: Obj, old: Obj | None) -> list[Cause]:
    spec = part(new, "spec")
    causes: list[Cause] = []
    if spec.get("podManagementPolicy") not in (ORDERED, PARALLEL):
        text = f"must be '{ORDERED}' or '{PARALLEL}'"
        policy = spec.get("podManagementPolicy")
        causes.append(invalid("spec.podManagementPolicy", policy, text))
    causes += _check_strategy(spec)
    for moment in ("whenDeleted", "whenScaled"):
        found = part(spec, _POLICY).get(moment)
        if found not in (None, RETAIN, DELETE):
            causes.append(unsupported(f"spec.{_POLICY}.{moment}", found, RETAIN, DELETE))
    causes += check_counts(new, "spec.replicas", "spec.minReadySeconds", "spec.ordinals.start")
    name = str(spec.get("serviceName") or "")
    problem = dns_label(name) if name and old is None else ""
    if problem:
        causes.append(invalid("spec.serviceName", name, problem))
    causes += check_workload(_as_pods_are(new), "statefulset", "StatefulSet", "")
    return causes + (_check_update(new, old) if old is not None else [])


def _check_strategy(spec: Obj) -> list[Cause]:
    strategy, path = part(spec, "updateStrategy"), "spec.updateStrategy"
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if kind == ON_DELETE:
        text = f"only allowed for updateStrategy '{ROLLING}'"
        return [] if rolling is None else [invalid(f"{path}.rollingUpdate", rolling, text)]
    if kind != ROLLING:
        return [invalid(path, strategy, f"must be '{ROLLING}' or '{ON_DELETE}'")]
    if rolling is None:
        return []
    causes = check_counts({"spec": spec}, f"{path}.rollingUpdate.partition")
    most = rolling.get("maxUnavailable")
    if most is not None:
        at = f"{path}.rollingUpdate.maxUnavailable"
        causes += check_share(most, at)
        if is_zero(most):
            causes.append(invalid(at, most, "cannot be 0"))
        causes += check_at_most_all(most, at)
    return causes


def _as_pods_are(owner: Obj) -> Obj:
    """The set with the template that its pods will have: with its claims, without host names."""
    spec = part(owner, "spec")
    template = part(spec, "template")
    pod = {k: v for k, v in part(template, "spec").items() if k not in ("hostname", "subdomain")}
    claims = entries(spec, "volumeClaimTemplates")
    names: list[str] = [get(claim, "metadata.name") or "" for claim in claims]
    if names:
        added = [{"name": n, "persistentVolumeClaim": {"claimName": n}} for n in names]
        pod["volumes"] = added + [v for v in entries(pod, "volumes") if v.get("name") not in names]
    return {**owner, "spec": {**spec, "template": {**template, "spec": pod}}}


def _check_update(new: Obj, old: Obj) -> list[Cause]:
    def fixed(owner: Obj) -> Obj:
        return {k: v for k, v in part(owner, "spec").items() if k not in MUTABLE}

    return [] if fixed(new) == fixed(old) else [forbidden("spec", _FIXED)]


def validate_stateful_set_status(new: Obj, old: Obj | None) -> list[Cause]:
    counts = ("readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas")
    every = ("replicas", *counts, "observedGeneration", "collisionCount")
    return check_status(part(new, "status"), every, counts) + check_collisions(new, old)


def warn_of_stateful_set(owner: Obj) -> list[str]:
    found = warn_of_template(owner)
    if int(get(owner, "spec.revisionHistoryLimit") or 0) < 0:
        found.append(
            "spec.revisionHistoryLimit: a negative value retains all historical revisions; "
            "a value >= 0 is recommended"
        )
    return found
