"""Defaults and checks of Deployments.

Source: pkg/apis/apps/v1/defaults.go, validation.go; pkg/registry/apps/deployment/strategy.go.
"""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.kinds.apps.workload_rules import (
    check_at_most_all,
    check_collisions,
    check_counts,
    check_fixed_selector,
    check_share,
    check_status,
    check_workload,
    default_template,
    forbidden,
    invalid,
    is_zero,
    unsupported,
)
from mizzen.kinds.reading import get, part

ROLLING, RECREATE = "RollingUpdate", "Recreate"


def default_deployment(deployment: Obj) -> None:
    """Completes a Deployment in place."""
    spec = part(deployment, "spec")
    spec.setdefault("replicas", 1)
    strategy: Obj = spec.setdefault("strategy", {})
    strategy["type"] = strategy.get("type") or ROLLING
    if strategy["type"] == ROLLING:
        rolling: Obj = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    default_template(deployment)


def begin_deployment(deployment: Obj) -> None:
    """The first status, in place."""
    deployment["status"] = {}


def validate_deployment(new: Obj, old: Obj | None) -> list[Cause]:
    causes = check_counts(new, "spec.replicas")
    causes += check_workload(new, "deployment", "ReplicaSet")
    spec = part(new, "spec")
    strategy, path = part(spec, "strategy"), "spec.strategy"
    rolling = part(strategy, "rollingUpdate")
    if strategy.get("type") == RECREATE:
        if "rollingUpdate" in strategy:
            text = f"may not be specified when strategy `type` is '{RECREATE}'"
            causes.append(forbidden(f"{path}.rollingUpdate", text))
    elif strategy.get("type") != ROLLING:
        causes.append(unsupported(path, strategy.get("type"), RECREATE, ROLLING))
    else:
        path = f"{path}.rollingUpdate"
        unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
        causes += check_share(unavailable, f"{path}.maxUnavailable")
        causes += check_share(surge, f"{path}.maxSurge")
        if is_zero(unavailable) and is_zero(surge):
            text = "may not be 0 when `maxSurge` is 0"
            causes.append(invalid(f"{path}.maxUnavailable", unavailable, text))
        causes += check_at_most_all(unavailable, f"{path}.maxUnavailable")
    causes += check_counts(
        new,
        "spec.minReadySeconds",
        "spec.revisionHistoryLimit",
        "spec.progressDeadlineSeconds",
    )
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None and deadline <= int(spec.get("minReadySeconds") or 0):
        text = "must be greater than minReadySeconds"
        causes.append(invalid("spec.progressDeadlineSeconds", deadline, text))
    return causes + check_fixed_selector(new, old)


def validate_deployment_status(new: Obj, old: Obj | None) -> list[Cause]:
    status = part(new, "status")
    counts = ("updatedReplicas", "readyReplicas", "availableReplicas")
    every = ("observedGeneration", "replicas", "unavailableReplicas", "terminatingReplicas")
    causes = check_status(status, (*counts, *every, "collisionCount"), counts)
    return causes + check_collisions(new, old)


def annotations_changed(new: Obj, old: Obj) -> bool:
    """True for a change that the ReplicaSets have to get, too."""
    return get(new, "metadata.annotations") != get(old, "metadata.annotations")
