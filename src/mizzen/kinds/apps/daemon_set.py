"""DaemonSet: a pod on each node that fits."""

from __future__ import annotations

from mizzen.base.objects import Obj
from mizzen.base.resources import DAEMON_SETS
from mizzen.kinds.apps.daemon_set_rules import (
    begin_daemon_set,
    count_template_generation,
    default_daemon_set,
    keep_template_generation,
    validate_daemon_set,
    validate_daemon_set_status,
)
from mizzen.kinds.apps.workload_rules import CONTAINERS, IMAGES, SELECTOR, count
from mizzen.kinds.columns import AGE, NAME, NONE
from mizzen.kinds.core.pod_warnings import warn_of_template
from mizzen.kinds.kind import Column
from mizzen.kinds.reading import part
from mizzen.kinds.treatment import acted
from mizzen.kinds.upstream import upstream_kind, upstream_type


def _node_selector(daemon: Obj, now_ns: int) -> str:
    labels = part(daemon, "spec.template.spec.nodeSelector")
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items())) or NONE


_SPEC = upstream_type("io.k8s.api.apps.v1.DaemonSetSpec")
# Upstream's validator does not miss it: nothing is selected.
_SELECTOR = _SPEC.fields["selector"](required=False, expected=True)

KIND = upstream_kind(
    DAEMON_SETS,
    "A pod on each node that fits.",
    fields={"spec": _SPEC(fields={**_SPEC.fields, "selector": _SELECTOR}, default={})},
    default=default_daemon_set,
    validate=validate_daemon_set,
    validate_status=validate_daemon_set_status,
    warn=warn_of_template,
    on_create=begin_daemon_set,
    on_update=count_template_generation,
    stamp_status=keep_template_generation,
    columns=(
        NAME,
        Column("Desired", count("status.desiredNumberScheduled"), "integer"),
        Column("Current", count("status.currentNumberScheduled"), "integer"),
        Column("Ready", count("status.numberReady"), "integer"),
        Column("Up-to-date", count("status.updatedNumberScheduled"), "integer"),
        Column("Available", count("status.numberAvailable"), "integer"),
        Column("Node Selector", _node_selector),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ),
)

SERVED_FIELDS = {
    "apps.v1.DaemonSet": acted("controllers", "spec"),
    "apps.v1.DaemonSetSpec": acted(
        "controllers", "minReadySeconds revisionHistoryLimit selector template updateStrategy"
    ),
    "apps.v1.DaemonSetUpdateStrategy": acted("controllers", "rollingUpdate type"),
    "apps.v1.RollingUpdateDaemonSet": acted("controllers", "maxSurge maxUnavailable"),
}
