"""ResourceClaims, DeviceClasses and ResourceSlices read into the scheduler's values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mizzen.base.objects import Obj, controller_of, is_terminating, key_of, uid_of
from mizzen.scheduler.core.binding_conditions import read_binding
from mizzen.scheduler.core.dra.claim_spec import read_allocation, read_request
from mizzen.scheduler.core.dra.model import Pool, Slice
from mizzen.scheduler.core.dra.pools import consumption_problem, counter_sets
from mizzen.scheduler.core.dra.slices import Shapes, read_slice
from mizzen.scheduler.core.types import Claim, Consumer
from mizzen.scheduler.core.views import part

# -- claims and classes -----------------------------------------------------------------


def claim_view(claim: Obj) -> Claim:
    status = part(claim, "status")
    owner = controller_of(claim)
    given = part(status, "allocation")
    key, allocation = key_of(claim), read_allocation(given) if given else None
    return Claim(
        key=key,
        uid=uid_of(claim),
        resource_version=claim["metadata"].get("resourceVersion") or "",
        request=read_request(claim["spec"]),
        allocation=allocation,
        reserved_for=tuple(
            Consumer(e["name"], e["uid"], e.get("resource") or "pods", e.get("apiGroup") or "")
            for e in status.get("reservedFor") or ()
        ),
        owner_uid=owner["uid"] if owner else "",
        is_terminating=is_terminating(claim),
        finalizers=tuple(claim["metadata"].get("finalizers") or ()),
        binding=read_binding(key, status, allocation),
    )


# -- slices -> pools ---------------------------------------------------------------------------


def pools(slices: Iterable[Obj]) -> tuple[Pool, ...]:
    """All pools by driver, then name: the newest generation of each, its slices by name.

    A pool is unusable (`problem`) while slices are missing or two devices share a name.
    Source: upstream structured allocator, `gatherPools` (see the scheduling fact sheet).
    """
    shapes = Shapes()
    grouped: dict[tuple[str, str], list[Slice]] = {}
    for item in slices:
        found = read_slice(item, shapes)
        grouped.setdefault((found.driver, found.pool), []).append(found)
    return tuple(_pool(driver, name, grouped[driver, name]) for driver, name in sorted(grouped))


def _pool(driver: str, name: str, slices: Sequence[Slice]) -> Pool:
    newest = max(s.generation for s in slices)
    current = sorted((s for s in slices if s.generation == newest), key=lambda s: s.name)
    devices = tuple(device for item in current for device in item.devices)
    wanted = current[0].slice_count or 1
    problem = ""
    if len(current) < wanted:
        problem = f"{len(current)} of {wanted} slices of generation {newest} are there"
    elif len({device.id for device in devices}) < len(devices):
        problem = f"two devices of generation {newest} have the same name"
    sets = tuple(counter_set for item in current for counter_set in item.counter_sets)
    if not problem:
        counters, problem = counter_sets(sets)
        problem = problem or consumption_problem(counters, devices)
    return Pool(driver, name, newest, devices, problem, sets)
