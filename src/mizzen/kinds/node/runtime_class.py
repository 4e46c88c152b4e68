"""RuntimeClass: a name for the way in which pods are run, and what pods that choose it are given."""

from __future__ import annotations

from mizzen.base import quantity
from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import RUNTIME_CLASSES
from mizzen.kinds.columns import AGE, NAME, of
from mizzen.kinds.core.placement_rules import check_tolerations
from mizzen.kinds.core.references import TOLERATION
from mizzen.kinds.kind import Column, Kind
from mizzen.kinds.meta import root
from mizzen.kinds.metadata import immutable
from mizzen.kinds.names import check_labels, dns_label, invalid_value
from mizzen.kinds.reading import entries, part
from mizzen.kinds.schema import QUANTITIES, STR, STRING_MAP, array, package
from mizzen.kinds.treatment import acted

v1 = package("io.k8s.api.node.v1")


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    """Source: k8s.io/kubernetes pkg/apis/node/validation, v1.36."""
    causes = immutable(new, old, "handler")
    handler = new["handler"]
    if problem := dns_label(handler):
        causes.append(invalid_value("handler", handler, problem))
    for name, value in part(new, "overhead.podFixed").items():
        if quantity.to_milli(value) < 0:
            path = f"overhead.podFixed[{name}]"
            causes.append(invalid_value(path, value, "must be greater than or equal to 0"))
    path = "scheduling.tolerations"
    causes += check_labels(part(new, "scheduling.nodeSelector"), "scheduling.nodeSelector")
    return causes + check_tolerations(entries(new, path), path)


KIND = Kind(
    resource=RUNTIME_CLASSES,
    generation=False,
    schema=root(
        RUNTIME_CLASSES,
        "A name for the way in which pods are run.",
        "io.k8s.api.node.v1.RuntimeClass",
        handler=STR("The runtime, as a Node's status.runtimeHandlers calls it.", required=True),
        overhead=v1(
            "Overhead",
            "What the runtime itself needs.",
            podFixed=QUANTITIES("For each pod."),
        )("What the runtime itself needs."),
        scheduling=v1(
            "Scheduling",
            "Where it is.",
            nodeSelector=STRING_MAP("Labels of the nodes that have it."),
            tolerations=array(TOLERATION)("Their taints."),
        )("Where it is."),
    ),
    validate=_validate,
    columns=(NAME, Column("Handler", of("handler")), AGE),
)

SERVED_FIELDS = {
    "node.v1.RuntimeClass": {
        **acted("node", "handler"),
        **acted("apiserver", "overhead scheduling"),
    },
    "node.v1.Overhead": acted("apiserver", "podFixed"),
    "node.v1.Scheduling": acted("apiserver", "nodeSelector tolerations"),
}
