"""Device layouts: what the local pools of many nodes have in common, interned.

A layout lists the devices that nodes of one make offer, in search order. A device is its index in
that list, so that what a node has allocated is one integer. Which devices satisfy a claim is worked
out once for each (claims, devices held) and remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mizzen.base.names import CPU_DRIVER
from mizzen.scheduler.core.claiming.node_allocatable import uses_of
from mizzen.scheduler.core.dra.allocate import Refusal, Shortage, allocate
from mizzen.scheduler.core.dra.features import ALL
from mizzen.scheduler.core.dra.held import Held
from mizzen.scheduler.core.dra.matching import Matching
from mizzen.scheduler.core.dra.model import (
    Allocation,
    AllocationError,
    ClaimRequest,
    Device,
    DeviceClass,
    DeviceId,
    DeviceResult,
    NodeScope,
    Selectors,
    Slice,
)
from mizzen.scheduler.core.dra.pools import NodePool, gather
from mizzen.scheduler.core.misfit import Misfit
from mizzen.scheduler.core.types import NodeView

GangCores = tuple[tuple[int, int], ...]  # (core, devices of the pod's gang on it)
Over = tuple[tuple[int, int], ...]  # (device, how often held beyond the first time)
Consumed = tuple[tuple[str, int], ...]  # (capacity, billionths of its unit)
Shares = tuple[tuple[int, int, Consumed], ...]  # (device, shares of it held, what they consume)
Preference = Callable[[Device], tuple[int, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One slice; one object for all slices that are alike in what is read of their devices."""

    slice: Slice


@dataclass(frozen=True, slots=True)
class PoolPart:
    """A pool of a layout: its slices by name. `problem` says what is missing, if anything is."""

    driver: str
    parts: tuple[Part, ...]
    problem: str = ""


@dataclass(slots=True)
class Terms:
    """The terms that claims are read against; `version` grows when any of it changes."""

    selectors: Selectors
    classes: dict[str, DeviceClass] = field(default_factory=dict[str, DeviceClass])
    version: int = 0
    matching: Matching = field(init=False)

    def __post_init__(self) -> None:
        self.matching = Matching(self.selectors, ALL)


class Layout:
    """Devices by index, in search order: pools by driver and name, slices by name.

    The first node that had the layout lends its names, so that errors can quote a device.
    """

    def __init__(
        self, pools: tuple[PoolPart, ...], names: Sequence[str], node: str, answers_max: int
    ) -> None:
        self.pools = pools
        self.lender = node
        self.devices: list[Device] = []
        self.pool_of: list[int] = []  # by device
        self.index: list[dict[str, int]] = [{} for _ in pools]  # by pool: device name -> index
        self.node_pools = node_pools(pools, names, node)
        ordinals = {(p.driver, n): i for i, (p, n) in enumerate(zip(pools, names, strict=True))}
        for pool in self.node_pools:
            ordinal = ordinals[pool.driver, pool.name]
            for device in pool.devices:
                self.index[ordinal][device.id.device] = len(self.devices)
                self.devices.append(device)
                self.pool_of.append(ordinal)
        self.number_of = {device.id: i for i, device in enumerate(self.devices)}
        cores: dict[tuple[str, str, int], int] = {}
        found = [device.core for device in self.devices]
        self.core_of = [cores.setdefault(c, len(cores)) if c else -1 for c in found]
        self.has_cores = bool(cores)
        self.cpu_of = [d.cpu_milli for d in self.devices]
        self.takes_cpu = any(self.cpu_of)
        self.takes_more = any(d.shape.node_allocatable for d in self.devices)
        self.is_core = [d.id.driver == CPU_DRIVER for d in self.devices]
        self._version = -1
        self._answers_max = answers_max  # beyond, all are forgotten at once
        self._answers: dict[object, tuple[Allocation, ...] | Misfit] = {}

    def indices(self, held: int) -> list[int]:
        """The devices whose bit is set."""
        found: list[int] = []
        while held:
            low = held & -held
            found.append(low.bit_length() - 1)
            held ^= low
        return found

    def named(
        self,
        picks: Iterable[tuple[DeviceResult, int]],
        node: str,
        pools: Sequence[str] | None,
    ) -> tuple[DeviceResult, ...]:
        """The same results on a node whose pools bear these names, or all of them its own."""
        found: list[DeviceResult] = []
        for result, device in picks:
            driver, _, name = result.id
            pool = node if pools is None else pools[self.pool_of[device]]
            found.append(DeviceResult(result.request, DeviceId(driver, pool, name), *result[2:]))
        return tuple(found)

    def uses(self, device: int, consumed: Consumed | None) -> tuple[tuple[str, int], ...]:
        """The node's own resources that the device, or a share of it, takes."""
        return uses_of(self.devices[device].shape, consumed)

    def allocate(
        self,
        claims: tuple[ClaimRequest, ...],
        held: int,
        shares: Shares,
        gang_cores: GangCores,
        node: NodeView,
        terms: Terms,
    ) -> tuple[Allocation, ...] | Misfit:
        """Devices for these claims beside those held, named as on the node that lends its names."""
        if self._version != terms.version or len(self._answers) > self._answers_max:
            self._answers.clear()
            self._version = terms.version
        key = (claims, held, shares, gang_cores)
        found = self._answers.get(key)
        if found is None:
            view = replace(node, name=self.lender)
            found = self._answers[key] = allocate_claims(
                claims,
                view,
                self.node_pools,
                self.held(held, shares),
                self.preference(held, gang_cores) if self.has_cores else None,
                terms,
            )
        return found

    def held(self, held: int, shares: Shares) -> Held:
        """The devices and shares held, in the allocator's form."""
        found = Held()
        for index in self.indices(held):
            found.devices[self.devices[index].id] = 1
        for index, count, consumed in shares:
            found.shares[self.devices[index].id] = count
            found.consumed[self.devices[index].id] = dict(consumed)
        return found

    def preference(self, held: int, gang_cores: GangCores) -> Preference:
        """Cores where the pod's gang, then anybody, has the fewest devices."""
        anybody: dict[int, int] = {}
        for index in self.indices(held):
            core = self.core_of[index]
            anybody[core] = anybody.get(core, 0) + 1
        gang = dict(gang_cores)
        by_name = {d.id.device: self.core_of[i] for i, d in enumerate(self.devices)}

        def crowding(device: Device) -> tuple[int, ...]:
            core = by_name.get(device.id.device, -1) if device.id.driver == CPU_DRIVER else -1
            return (gang.get(core, 0), anybody.get(core, 0)) if core >= 0 else (0, 0)

        return crowding


def node_pools(
    pools: tuple[PoolPart, ...], names: Sequence[str], node: str
) -> tuple[NodePool, ...]:
    """The pools as one node sees them, under its own names."""
    found: list[Slice] = []
    broken: list[NodePool] = []
    for pool, name in zip(pools, names, strict=True):
        if pool.problem:
            broken.append(NodePool(pool.driver, name, state="incomplete", problem=pool.problem))
            continue
        for number, part in enumerate(pool.parts):
            found.append(_renamed(part.slice, f"{number:04d}", name, node, len(pool.parts)))
    of_pool: dict[tuple[str, str], list[Slice]] = {}
    for item in found:
        of_pool.setdefault((item.driver, item.pool), []).append(item)
    view = NodeView(node, {}, (), {}, 0)
    return (*gather(found, view, ALL, of_pool.__getitem__), *broken)


def _renamed(item: Slice, slice_name: str, pool: str, node: str, count: int) -> Slice:
    scope = NodeScope(node=node, names_node=True)
    devices = tuple(
        replace(d, id=DeviceId(item.driver, pool, d.id.device), scope=scope) for d in item.devices
    )
    return replace(
        item,
        name=slice_name,
        pool=pool,
        generation=1,
        slice_count=count,
        scope=scope,
        devices=devices,
    )


def allocate_claims(
    claims: Sequence[ClaimRequest],
    node: NodeView,
    pools: Sequence[NodePool],
    held: Held,
    prefer: Preference | None,
    terms: Terms,
) -> tuple[Allocation, ...] | Misfit:
    """The exact allocator's answer for one node, a shortage or an error as a Misfit."""
    misfit = _unknown_class(claims, terms.classes)
    if misfit is not None:
        return misfit
    try:
        found = allocate(
            claims,
            node,
            pools,
            held,
            classes=terms.classes,
            matching=terms.matching,
            order="pack",
            prefer=prefer,
        )
    except AllocationError as error:
        return Misfit("SelectorError", str(error))
    if isinstance(found, Refusal):
        return Misfit(found.word, found.detail)
    if isinstance(found, Shortage):
        return Misfit("InsufficientDevices", found.device_class, shortage=found)
    return found


def _unknown_class(
    claims: Sequence[ClaimRequest], classes: Mapping[str, DeviceClass]
) -> Misfit | None:
    for sub in (s for claim in claims for r in claim.requests for s in r.alternatives):
        if sub.device_class not in classes:
            known = ", ".join(sorted(classes)) or "none"
            return Misfit(
                "UnknownDeviceClass",
                f'DeviceClass "{sub.device_class}" of request {sub.name} does not exist; '
                f"there are: {known}",
            )
    return None


def with_share(shares: Shares, device: int, consumed: Consumed, sign: int) -> Shares:
    """The shares with one more (or, with -1, one fewer) of a device."""
    counts = {index: (count, dict(amounts)) for index, count, amounts in shares}
    count, amounts = counts.get(device, (0, {}))
    for name, amount in consumed:
        amounts[name] = amounts.get(name, 0) + sign * amount
    counts[device] = (count + sign, amounts)
    if not counts[device][0]:
        del counts[device]
    return tuple(
        (index, count, tuple(sorted(amounts.items())))
        for index, (count, amounts) in sorted(counts.items())
    )
