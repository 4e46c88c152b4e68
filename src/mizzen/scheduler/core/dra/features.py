"""Which of the allocation features are on, and which of upstream's three allocators that means.

Upstream picks the most stable allocator that knows all features asked for; they differ in more
than features (see `Features.variant`), and `compat` answers as the one picked would.
Source: k8s.io/dynamic-resource-allocation/structured (allocator.go, internal/types.go), v0.36.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Variant = Literal["stable", "incubating", "experimental"]

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


@dataclass(frozen=True, slots=True)
class Features:
    """What is on beside the general-available (admin access and prioritised lists always are)."""

    taints: bool = False
    partitions: bool = False
    binding: bool = False
    consumable: bool = False
    lists: bool = False

    @property
    def variant(self) -> Variant:
        """The upstream allocator that answers.

        stable: slices in the order given, no shares. incubating: pools and slices by name, pools
        with binding conditions last. experimental: lists compared as sets.
        """
        if self.lists:
            return "experimental"
        return "incubating" if self.consumable or self.binding else "stable"


ALL = Features(taints=True, partitions=True, binding=True, consumable=True, lists=True)


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
