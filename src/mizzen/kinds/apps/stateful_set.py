"""StatefulSet: pods with numbers and claims of their own, in order."""

from __future__ import annotations

from mizzen.base.resources import STATEFUL_SETS
from mizzen.kinds.apps.stateful_set_rules import (
    begin_stateful_set,
    default_stateful_set,
    validate_stateful_set,
    validate_stateful_set_status,
    warn_of_stateful_set,
)
from mizzen.kinds.apps.workload_rules import CONTAINERS, IMAGES, ready_of_wanted
from mizzen.kinds.columns import AGE, NAME
from mizzen.kinds.kind import Column, ScalePaths
from mizzen.kinds.names import dns_label
from mizzen.kinds.subresource import SCALE_SUBRESOURCE, STATUS_SUBRESOURCE
from mizzen.kinds.treatment import accepted, acted
from mizzen.kinds.upstream import upstream_kind

KIND = upstream_kind(
    STATEFUL_SETS,
    "Pods with numbers and claims of their own, in order.",
    name_rule=dns_label,
    default=default_stateful_set,
    on_create=begin_stateful_set,
    validate=validate_stateful_set,
    validate_status=validate_stateful_set_status,
    warn=warn_of_stateful_set,
    subresources=(STATUS_SUBRESOURCE, SCALE_SUBRESOURCE),
    scale=ScalePaths(selector="spec.selector"),
    columns=(
        NAME,
        Column("Ready", ready_of_wanted, description="Number of the pod with ready state"),
        AGE,
        CONTAINERS,
        IMAGES,
    ),
)

SERVED_FIELDS = {
    "apps.v1.StatefulSet": acted("controllers", "spec"),
    "apps.v1.StatefulSetSpec": {
        **acted("controllers", "minReadySeconds ordinals persistentVolumeClaimRetentionPolicy"),
        **acted("controllers", "podManagementPolicy replicas revisionHistoryLimit selector"),
        **acted("controllers", "serviceName template updateStrategy"),
        **accepted(
            "volumeClaimTemplates",
            "claims are made of them, which are not this kind's to read and somebody else's to bind",
        ),
    },
    "apps.v1.StatefulSetOrdinals": acted("controllers", "start"),
    "apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy": acted(
        "controllers", "whenDeleted whenScaled"
    ),
    "apps.v1.StatefulSetUpdateStrategy": acted("controllers", "rollingUpdate type"),
    "apps.v1.RollingUpdateStatefulSetStrategy": acted("controllers", "maxUnavailable partition"),
}
