"""Defaults and checks of DaemonSets.

Source: pkg/apis/apps/v1/defaults.go, validation.go; pkg/registry/apps/daemonset/strategy.go.
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
    check_workload,
    default_template,
    invalid,
    is_zero,
    required,
    unsupported,
)
from mizzen.kinds.reading import part

ROLLING, ON_DELETE = "RollingUpdate", "OnDelete"
# How often the template has changed, as clients of old API versions still read it.
TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
_COUNTS = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")


def default_daemon_set(daemon: Obj) -> None:
    """Completes a DaemonSet in place."""
    spec = part(daemon, "spec")
    strategy: Obj = spec.setdefault("updateStrategy", {})
    strategy["type"] = strategy.get("type") or ROLLING
    if strategy["type"] == ROLLING:
        rolling: Obj = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)
    spec.setdefault("revisionHistoryLimit", 10)
    if TEMPLATE_GENERATION not in part(daemon, "metadata.annotations"):
        _annotate(daemon, 0)
    default_template(daemon)


def begin_daemon_set(daemon: Obj) -> None:
    """Gives a new DaemonSet its template's first generation, and a status that says zero; in place."""
    _annotate(daemon, max(1, template_generation(daemon)))
    daemon["status"] = dict.fromkeys(_COUNTS, 0)


def count_template_generation(new: Obj, old: Obj) -> None:
    """Counts a change of the template; nobody else writes the annotation. In place."""
    default_daemon_set(new)  # or what a manifest leaves out would count as a change
    is_changed = part(new, "spec").get("template") != part(old, "spec").get("template")
    _annotate(new, template_generation(old) + is_changed)


def keep_template_generation(new: Obj, old: Obj, now: str) -> None:
    """What counts the template is no part of the status. In place."""
    _annotate(new, template_generation(old))


def template_generation(daemon: Obj) -> int:
    """How often the template has been another; 0 where nobody wrote it."""
    written = part(daemon, "metadata.annotations").get(TEMPLATE_GENERATION) or ""
    is_number = written.isascii() and written.isdigit() and len(written) <= 18
    return int(written) if is_number else 0


def _annotate(daemon: Obj, generation: int) -> None:
    annotations = part(daemon, "metadata.annotations")
    daemon["metadata"]["annotations"] = {**annotations, TEMPLATE_GENERATION: str(generation)}


def validate_daemon_set(new: Obj, old: Obj | None) -> list[Cause]:
    causes = check_fixed_selector(new, old)
    causes += check_workload(new, "daemonset", "DaemonSet", None)
    causes += check_counts(new, "spec.minReadySeconds")
    causes += _check_strategy(part(new, "spec.updateStrategy"))
    return causes + check_counts(new, "spec.revisionHistoryLimit")


def _check_strategy(strategy: Obj) -> list[Cause]:
    path = "spec.updateStrategy"
    if strategy.get("type") == ON_DELETE:
        return []
    if strategy.get("type") != ROLLING:
        return [unsupported(path, strategy.get("type"), ROLLING, ON_DELETE)]
    path = f"{path}.rollingUpdate"
    causes: list[Cause] = []
    rolling = part(strategy, "rollingUpdate")
    for name in ("maxUnavailable", "maxSurge"):
        causes += check_share(rolling.get(name), f"{path}.{name}")
        causes += check_at_most_all(rolling.get(name), f"{path}.{name}")
    unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    if not is_zero(unavailable) and not is_zero(surge):
        text = "may not be set when maxUnavailable is non-zero"
        causes.append(invalid(f"{path}.maxSurge", surge, text))
    if is_zero(unavailable) and is_zero(surge):
        causes.append(required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0"))
    return causes


def validate_daemon_set_status(new: Obj, old: Obj | None) -> list[Cause]:
    fields = (
        *_COUNTS,
        "observedGeneration",
        "updatedNumberScheduled",
        "numberAvailable",
        "numberUnavailable",
        "collisionCount",
    )
    causes = check_counts(new, *(f"status.{field}" for field in fields))
    return causes + check_collisions(new, old)
