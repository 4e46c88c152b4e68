"""ReplicaSet: so many pods of one template."""

from __future__ import annotations

from mizzen.base.resources import REPLICA_SETS
from mizzen.kinds.apps.replica_set_rules import (
    COUNT_COLUMNS,
    begin_counts,
    default_replica_set,
    validate_replica_set,
    validate_replica_set_status,
)
from mizzen.kinds.apps.workload_rules import CONTAINERS, IMAGES, SELECTOR, warn_of_name
from mizzen.kinds.kind import ScalePaths
from mizzen.kinds.subresource import SCALE_SUBRESOURCE, STATUS_SUBRESOURCE
from mizzen.kinds.treatment import acted
from mizzen.kinds.upstream import upstream_kind

KIND = upstream_kind(
    REPLICA_SETS,
    "So many pods of one template.",
    default=default_replica_set,
    on_create=begin_counts,
    validate=validate_replica_set,
    validate_status=validate_replica_set_status,
    warn=warn_of_name,
    subresources=(STATUS_SUBRESOURCE, SCALE_SUBRESOURCE),
    scale=ScalePaths(selector="spec.selector"),
    columns=(*COUNT_COLUMNS, CONTAINERS, IMAGES, SELECTOR),
)

SERVED_FIELDS = {
    "apps.v1.ReplicaSet": acted("controllers", "spec"),
    "apps.v1.ReplicaSetSpec": acted("controllers", "minReadySeconds replicas selector template"),
}
