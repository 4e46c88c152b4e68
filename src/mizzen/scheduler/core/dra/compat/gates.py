"""Upstream's feature gates read into `Features`."""

from __future__ import annotations

from collections.abc import Iterable

from mizzen.scheduler.core.dra.features import Features

# Gates of Kubernetes 1.36 that touch dynamic resource allocation but not the allocator.
_WITHOUT_EFFECT = frozenset(
    [
        "DynamicResourceAllocation",
        "DRAAdminAccess",
        "DRAPrioritizedList",
        "DRADeviceTaintRules",
        "DRAExtendedResource",
        "DRANodeAllocatableResources",
        "DRAResourceClaimGranularStatusAuthorization",
        "DRAResourcePoolStatus",
        "DRASchedulerFilterTimeout",
        "DRAWorkloadResourceClaims",
    ]
)
_TAINTS, _PARTITIONS = "DRADeviceTaints", "DRAPartitionableDevices"
_CONSUMABLE, _LISTS = "DRAConsumableCapacity", "DRAListTypeAttributes"
_BINDING = frozenset({"DRADeviceBindingConditions", "DRAResourceClaimDeviceStatus"})
GATES = _WITHOUT_EFFECT | _BINDING | {_TAINTS, _PARTITIONS, _CONSUMABLE, _LISTS}


def from_gates(gates: Iterable[str]) -> Features:
    """From upstream's gate names, single or joined by "+". Errors: ValueError for an unknown one."""
    on = {name.strip() for gate in gates for name in gate.split("+") if name.strip()}
    unknown = sorted(on - GATES)
    if unknown:
        known = ", ".join(sorted(GATES))
        raise ValueError(f"feature {unknown[0]!r} is unknown; there are: {known}")
    return Features(
        taints=_TAINTS in on,
        partitions=_PARTITIONS in on,
        binding=on >= _BINDING,
        consumable=_CONSUMABLE in on,
        lists=_LISTS in on,
    )
