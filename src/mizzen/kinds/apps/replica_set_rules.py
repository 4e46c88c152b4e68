"""Defaults and checks of ReplicaSets, and of ReplicationControllers, which are older.

Source: pkg/apis/apps/validation/validation.go, pkg/apis/core/validation/validation.go.
"""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.kinds.apps.workload_rules import (
    check_counts,
    check_fixed_selector,
    check_plain_selector,
    check_status,
    check_template,
    check_workload,
    count,
    default_template,
    required,
)
from mizzen.kinds.columns import AGE, NAME
from mizzen.kinds.kind import Column
from mizzen.kinds.reading import part

_COUNTS = ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")
COUNT_COLUMNS = (
    NAME,
    Column("Desired", count("spec.replicas"), "integer"),
    Column("Current", count("status.replicas"), "integer"),
    Column("Ready", count("status.readyReplicas"), "integer"),
    AGE,
)


def default_replica_set(owner: Obj) -> None:
    """Completes a ReplicaSet in place."""
    part(owner, "spec").setdefault("replicas", 1)
    default_template(owner)


def begin_counts(owner: Obj) -> None:
    """The first status, in place: zero is said."""
    owner["status"] = {"replicas": 0}


def validate_replica_set(new: Obj, old: Obj | None) -> list[Cause]:
    causes = check_counts(new, "spec.replicas", "spec.minReadySeconds")
    causes += check_workload(new, "deployment", "ReplicaSet")
    return causes + check_fixed_selector(new, old)


def validate_replica_set_status(new: Obj, old: Obj | None) -> list[Cause]:
    every = ("replicas", *_COUNTS, "observedGeneration", "terminatingReplicas")
    return check_status(part(new, "status"), every, _COUNTS)


def default_replication_controller(owner: Obj) -> None:
    """Completes a ReplicationController in place: by default its template's labels select.

    Source: pkg/apis/core/v1/defaults.go.
    """
    spec = part(owner, "spec")
    spec.setdefault("replicas", 1)
    labels = part(spec, "template.metadata.labels")
    if labels:
        if not part(spec, "selector"):
            spec["selector"] = dict(labels)
        if not part(owner, "metadata.labels"):
            owner["metadata"]["labels"] = dict(labels)
    default_template(owner)


def validate_replication_controller(new: Obj, old: Obj | None) -> list[Cause]:
    causes = check_counts(new, "spec.replicas", "spec.minReadySeconds")
    if "template" not in part(new, "spec"):
        lacking = [] if part(new, "spec.selector") else [required("spec.selector")]
        return [*causes, *lacking, required("spec.template")]
    return causes + check_plain_selector(new) + check_template(new, "ReplicationController")
