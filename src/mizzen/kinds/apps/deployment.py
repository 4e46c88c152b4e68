"""Deployment: pods of a template, which is rolled out anew when it changes."""

from __future__ import annotations

from mizzen.base.objects import Obj
from mizzen.base.resources import DEPLOYMENTS
from mizzen.kinds.apps.deployment_rules import (
    annotations_changed,
    begin_deployment,
    default_deployment,
    validate_deployment,
    validate_deployment_status,
)
from mizzen.kinds.apps.workload_rules import (
    CONTAINERS,
    IMAGES,
    SELECTOR,
    count,
    ready_of_wanted,
    warn_of_name,
)
from mizzen.kinds.columns import AGE, NAME
from mizzen.kinds.kind import Column, ScalePaths
from mizzen.kinds.subresource import SCALE_SUBRESOURCE, STATUS_SUBRESOURCE
from mizzen.kinds.treatment import acted
from mizzen.kinds.upstream import upstream_kind


def _keep_labels(new: Obj, old: Obj, now: str) -> None:
    """Source: pkg/registry/apps/deployment deploymentStatusStrategy."""
    new["metadata"].pop("labels", None)
    if "labels" in old["metadata"]:
        new["metadata"]["labels"] = old["metadata"]["labels"]


KIND = upstream_kind(
    DEPLOYMENTS,
    "Pods of a template, rolled out anew when it changes.",
    default=default_deployment,
    on_create=begin_deployment,
    validate=validate_deployment,
    validate_status=validate_deployment_status,
    stamp_status=_keep_labels,
    warn=warn_of_name,
    counts_too=annotations_changed,
    subresources=(STATUS_SUBRESOURCE, SCALE_SUBRESOURCE),
    scale=ScalePaths(selector="spec.selector"),
    columns=(
        NAME,
        Column("Ready", ready_of_wanted, description="Number of the pod with ready state"),
        Column("Up-to-date", count("status.updatedReplicas")),
        Column("Available", count("status.availableReplicas")),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ),
)

SERVED_FIELDS = {
    "apps.v1.Deployment": acted("controllers", "spec"),
    "apps.v1.DeploymentSpec": acted(
        "controllers",
        "minReadySeconds paused progressDeadlineSeconds replicas revisionHistoryLimit selector "
        "strategy template",
    ),
    "apps.v1.DeploymentStrategy": acted("controllers", "rollingUpdate type"),
    "apps.v1.RollingUpdateDeployment": acted("controllers", "maxSurge maxUnavailable"),
}
