"""PriorityClass: a name for a pod's importance."""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import PRIORITY_CLASSES
from mizzen.kinds.columns import AGE, NAME, of
from mizzen.kinds.kind import Column, Kind
from mizzen.kinds.meta import root
from mizzen.kinds.metadata import immutable
from mizzen.kinds.schema import BOOL, INT32, STR, choice
from mizzen.kinds.treatment import SHOWN, accepted, acted

USER_VALUE_MAX = 1_000_000_000  # above: system classes
_SYSTEM = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    if old is not None:
        return immutable(new, old, "value", "preemptionPolicy")
    name = new["metadata"].get("name") or ""
    if name.startswith("system-") and _SYSTEM.get(name) != new["value"]:
        message = (
            "Forbidden: priority class names with 'system-' prefix are reserved for system use only"
        )
        return [Cause("metadata.name", message, "FieldValueForbidden")]
    if new["value"] > USER_VALUE_MAX and name not in _SYSTEM:
        message = f"Forbidden: maximum allowed value of a user defined priority is {USER_VALUE_MAX}"
        return [Cause("value", message, "FieldValueForbidden")]
    return []


KIND = Kind(
    resource=PRIORITY_CLASSES,
    short_names=("pc",),
    schema=root(
        PRIORITY_CLASSES,
        "A name for a pod's importance.",
        "io.k8s.api.scheduling.v1.PriorityClass",
        value=INT32("The priority; higher is more important.", default=0),
        globalDefault=BOOL("Whether pods without a class get this one."),
        description=STR("What it is for."),
        preemptionPolicy=choice("PreemptLowerPriority", "Never", default="PreemptLowerPriority")(
            "Whether its pods may push others out."
        ),
    ),
    validate=_validate,
    columns=(
        NAME,
        Column("Value", of("value"), type="integer"),
        Column("Global-Default", of("globalDefault", False), type="boolean"),
        AGE,
        Column("PreemptionPolicy", of("preemptionPolicy")),
    ),
)

SERVED_FIELDS = {
    "scheduling.v1.PriorityClass": {
        **acted("apiserver", "value globalDefault preemptionPolicy"),
        **accepted("description", SHOWN),
    },
}
