"""CSIStorageCapacity: how much a storage driver has left for a class in a part of the cluster."""

from __future__ import annotations

from mizzen.base import quantity
from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.kinds.causes import invalid
from mizzen.kinds.columns import NAME, of
from mizzen.kinds.core.placement_rules import check_label_selector
from mizzen.kinds.kind import Column
from mizzen.kinds.metadata import immutable
from mizzen.kinds.names import dns_subdomain
from mizzen.kinds.reading import part
from mizzen.kinds.upstream import resource_named, upstream_kind


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    if old is not None:
        return immutable(new, old, "nodeTopology", "storageClassName")
    causes = check_label_selector(part(new, "nodeTopology"), "nodeTopology")
    name = new["storageClassName"]
    if problem := dns_subdomain(name):
        causes.append(invalid("storageClassName", name, problem))
    capacity = new.get("capacity")
    if capacity is not None and quantity.to_milli(capacity) < 0:
        causes.append(invalid("capacity", capacity, "must be greater than or equal to 0"))
    return causes


KIND = upstream_kind(
    resource_named("storage.k8s.io", "csistoragecapacities"),
    "How much a storage driver has left for a class in a part of the cluster.",
    is_acted_upon=False,
    validate=_validate,
    columns=(
        NAME,
        Column("StorageClassName", of("storageClassName")),
        Column("Capacity", of("capacity", "<unset>")),
    ),
)
