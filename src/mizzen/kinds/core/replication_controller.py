"""ReplicationController: what ReplicaSets are, by plain labels; older than they."""

from __future__ import annotations

from mizzen.base.resources import REPLICATION_CONTROLLERS
from mizzen.kinds.apps.replica_set_rules import (
    COUNT_COLUMNS,
    begin_counts,
    default_replication_controller,
    validate_replica_set_status,
    validate_replication_controller,
)
from mizzen.kinds.apps.workload_rules import CONTAINERS, IMAGES, SELECTOR, warn_of_name
from mizzen.kinds.kind import ScalePaths
from mizzen.kinds.subresource import SCALE_SUBRESOURCE, STATUS_SUBRESOURCE
from mizzen.kinds.treatment import acted
from mizzen.kinds.upstream import upstream_kind

KIND = upstream_kind(
    REPLICATION_CONTROLLERS,
    "So many pods of one template, by plain labels.",
    default=default_replication_controller,
    on_create=begin_counts,
    validate=validate_replication_controller,
    validate_status=validate_replica_set_status,
    warn=warn_of_name,
    subresources=(STATUS_SUBRESOURCE, SCALE_SUBRESOURCE),
    scale=ScalePaths(selector="spec.selector"),
    selectable_fields=("status.replicas",),
    columns=(*COUNT_COLUMNS, CONTAINERS, IMAGES, SELECTOR),
)

SERVED_FIELDS = {
    "core.v1.ReplicationController": acted("controllers", "spec"),
    "core.v1.ReplicationControllerSpec": acted(
        "controllers", "minReadySeconds replicas selector template"
    ),
}
