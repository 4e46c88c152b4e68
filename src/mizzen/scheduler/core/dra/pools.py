"""The pools a node reaches, in upstream's search order, with what makes one unusable.

Per driver and pool only the newest generation counts, and only when all its slices are known.
Slices with shared counters concern every node. Source: k8s.io/dynamic-resource-allocation/
structured/internal pools_*.go, v0.36.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mizzen.scheduler.core.dra.features import Features
from mizzen.scheduler.core.dra.model import AllocationError, CounterSet, Device, Slice
from mizzen.scheduler.core.dra.nodes import Node, reaches

PoolKey = tuple[str, str]  # driver, pool
CounterSets = Mapping[str, Mapping[str, int]]  # set -> counter -> billionths


@dataclass(frozen=True, slots=True)
class NodePool:
    """A pool as one node sees it. `devices` come in search order; none when there is a problem.

    `elsewhere` are the pool's devices in slices that this node does not reach: they take counters.
    """

    driver: str
    name: str
    devices: tuple[Device, ...] = ()
    per_device: frozenset[str] = frozenset()  # devices whose own scope is still to be checked
    elsewhere: tuple[Device, ...] = ()
    counters: CounterSets | None = None
    state: Literal["usable", "incomplete", "invalid"] = "usable"
    problem: str = ""
    binds: bool = False  # some device waits for binding conditions

    @property
    def is_usable(self) -> bool:
        return self.state == "usable"

    def __str__(self) -> str:
        return f"{self.driver}/{self.name}"


def gather(
    near: Iterable[Slice],
    node: Node,
    features: Features,
    all_of: Callable[[PoolKey], Sequence[Slice]],
) -> tuple[NodePool, ...]:
    """Pools made of the slices `near` the node (local, shared, or not known to be elsewhere).

    `all_of` gives every slice of a pool. Errors: AllocationError for an invalid node selector.
    """
    grouped: dict[PoolKey, list[Slice]] = {}
    for item in near:
        if not _is_relevant(item, node, features):
            continue
        known = grouped.setdefault((item.driver, item.pool), [])
        if known and item.generation < known[0].generation:
            continue
        if known and item.generation > known[0].generation:
            known.clear()
        known.append(item)
    pools: list[NodePool] = []
    for key in sorted(grouped):
        found = _pool(key, grouped[key], features, all_of)
        if found is not None:
            pools.append(found)
    if features.variant != "stable":
        pools.sort(key=lambda pool: pool.binds)
    return tuple(pools)


def _is_relevant(item: Slice, node: Node, features: Features) -> bool:
    if not features.partitions and (item.per_device is not None or item.counter_sets):
        return False
    if item.counter_sets:
        return True
    scope = item.scope
    try:
        if scope.node or scope.all_nodes or scope.selector is not None:
            return reaches(scope, node)
        return bool(item.per_device) and any(reaches(d.scope, node) for d in item.devices)
    except AllocationError as error:
        raise AllocationError(f"ResourceSlice {item.name}: {error}") from error


def _pool(
    key: PoolKey,
    near: list[Slice],
    features: Features,
    all_of: Callable[[PoolKey], Sequence[Slice]],
) -> NodePool | None:
    """None when slices of a newer generation exist, all of them elsewhere."""
    first = near[0]
    if len(near) == first.slice_count:
        return _build(key, near, features, [])
    every = all_of(key)
    if any(item.generation > first.generation for item in every):
        return None
    current = [item for item in every if item.generation == first.generation]
    if len(current) != first.slice_count:
        problem = f"{len(current)} of {first.slice_count} slices of generation {first.generation}"
        return NodePool(*key, state="incomplete", problem=f"{problem} are there")
    names = {item.name for item in near}
    elsewhere = [item for item in current if item.name not in names]
    return _build(key, near, features, elsewhere if len(near) < len(current) else [])


def _build(key: PoolKey, near: list[Slice], features: Features, elsewhere: list[Slice]) -> NodePool:
    if features.variant != "stable":
        near = sorted(near, key=lambda item: item.name)
    sharing = [item for item in near if features.partitions and item.counter_sets]
    publishing = [item for item in near if not (features.partitions and item.counter_sets)]
    devices = tuple(device for item in publishing for device in item.devices)
    problem = _name_problem(devices)
    counters: CounterSets | None = None
    if not problem and features.partitions:
        counters, problem = counter_sets(c for item in sharing for c in item.counter_sets)
        problem = problem or consumption_problem(
            counters, (d for item in (*near, *elsewhere) for d in item.devices)
        )
    if problem:
        return NodePool(*key, state="invalid", problem=problem)
    return NodePool(
        *key,
        devices=devices,
        per_device=frozenset(d.id.device for s in publishing if s.per_device for d in s.devices),
        elsewhere=tuple(device for item in elsewhere for device in item.devices),
        counters=counters,
        binds=any(device.shape.bindings is not None for device in devices),
    )


def _name_problem(devices: Iterable[Device]) -> str:
    names: set[str] = set()
    for device in devices:
        if device.id.device in names:
            return f"duplicate device name {device.id.device}"
        names.add(device.id.device)
    return ""


def counter_sets(sets: Iterable[CounterSet]) -> tuple[CounterSets, str]:
    """A pool's counters by set and name, and what is wrong with them or ""."""
    found: dict[str, Mapping[str, int]] = {}
    for counter_set in sets:
        if counter_set.name in found:
            return found, f"duplicate counter set name {counter_set.name}"
        found[counter_set.name] = {name: amount.nano for name, amount in counter_set.counters}
    return found, ""


def consumption_problem(counters: CounterSets, devices: Iterable[Device]) -> str:
    """The counter a device consumes that its pool lacks, or ""."""
    for use in (u for device in devices for u in device.shape.consumes):
        known = counters.get(use.name)
        if known is None:
            return f"counter set {use.name} not found"
        for name, _ in use.counters:
            if name not in known:
                return f"counter {name} not found in counter set {use.name}"
    return ""


# -- an index of slices ---------------------------------------------------------------------


class SliceIndex:
    """All slices, found by node or pool, in the order given."""

    def __init__(self, slices: Sequence[Slice]) -> None:
        self._local: dict[str, list[Slice]] = {}
        self._shared: list[Slice] = []
        self._of_pool: dict[PoolKey, list[Slice]] = {}
        self._order = {id(item): index for index, item in enumerate(slices)}
        for item in slices:
            self._of_pool.setdefault((item.driver, item.pool), []).append(item)
            if item.scope.node and not item.counter_sets:
                self._local.setdefault(item.scope.node, []).append(item)
            else:
                self._shared.append(item)

    def near(self, node: str, features: Features) -> list[Slice]:
        """Those that may concern the node: its own, then all that are not local to one."""
        found = [*self._local.get(node, ()), *self._shared]
        if features.variant == "stable":
            found.sort(key=lambda item: self._order[id(item)])
        return found

    def of_pool(self, key: PoolKey) -> Sequence[Slice]:
        return self._of_pool.get(key, ())

    def keys(self) -> Iterable[PoolKey]:
        return self._of_pool
