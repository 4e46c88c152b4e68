"""The amounts that allocated devices take of their node's own resources: CPU, memory, huge pages.

A device says so in `nodeAllocatableResourceMappings`: a fixed amount for each device, or an amount
for each unit of a capacity that a share of it consumes. It is charged to the node beside what the
pods ask for themselves.
Source: KEP-5517, DRANodeAllocatableResources; scheduler plugin dynamicresources
nodeallocatabledynamicresources.go, 1.36. Unlike there, a device that nobody shares consumes its
whole capacity; upstream fails to schedule its pods.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mizzen.scheduler.core.dra.model import DeviceShape

CPU = "cpu"
_NANO = 10**9
_MILLI = 1000


def uses_of(
    shape: DeviceShape, consumed: Iterable[tuple[str, int]] | None = None
) -> tuple[tuple[str, int], ...]:
    """The amounts that one device of this shape, or one share of it, takes: (resource, amount).

    `consumed` is a share's capacity in billionths; None for a device that is held alone.
    Units: milli-CPU, else whole units (bytes, pages), rounded up.
    """
    if not shape.node_allocatable:
        return ()
    base: Mapping[str, int] = (
        {name: capacity.value.nano for name, capacity in shape.capacity}
        if consumed is None
        else dict(consumed)
    )
    found: list[tuple[str, int]] = []
    for mapping in shape.node_allocatable:
        times = _NANO if mapping.multiplier is None else mapping.multiplier.nano
        if mapping.capacity_key and mapping.capacity_key not in base:
            continue  # of no concern to this share
        amount = base[mapping.capacity_key] if mapping.capacity_key else _NANO
        unit = _MILLI if mapping.resource == CPU else 1
        found.append((mapping.resource, -(-amount * times * unit // (_NANO * _NANO))))
    return tuple(found)
