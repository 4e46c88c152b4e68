"""Device layouts: what the local pools of many nodes have in common, interned.

A layout lists the devices that nodes of one make offer, in search order. A device is its index in
that list, so that what a node has allocated is one integer. Which devices satisfy a claim is worked
out once for each (claims, devices held) and remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mizzen.base.names import CPU_DRIVER
from mizzen.scheduler.core.devices import Catalogue, Refusal, Shortage, allocate, refusal
from mizzen.scheduler.core.dra.model import (
    Allocation,
    ClaimRequest,
    Device,
    DeviceClass,
    DeviceId,
    NodeScope,
    Pool,
    SelectorError,
    Selectors,
)
from mizzen.scheduler.core.misfit import Misfit
from mizzen.scheduler.core.types import NodeView

ANSWERS_MAX = 200_000  # remembered by one layout before it starts anew
Crowd = tuple[tuple[int, int], ...]  # (core, devices of the pod's gang on it)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The devices of one slice; one object for all slices that are alike in what is read."""

    devices: tuple[Device, ...]


@dataclass(frozen=True, slots=True)
class PoolPart:
    """A pool of a layout: its slices' parts by name. `problem` says why it cannot be used."""

    driver: str
    parts: tuple[Part, ...]
    problem: str = ""


@dataclass(slots=True)
class Terms:
    """What claims are read against; `version` grows when any of it changes."""

    selectors: Selectors
    classes: dict[str, DeviceClass] = field(default_factory=dict[str, DeviceClass])
    problems: tuple[Pool, ...] = ()
    version: int = 0


class Layout:
    """Devices by index, in search order: pools by driver and name, slices by name.

    The first node that had the layout lends its names, so that errors can quote a device.
    """

    def __init__(self, pools: tuple[PoolPart, ...], names: Sequence[str], node: str) -> None:
        self.pools = pools
        self._node = node
        self.devices: list[Device] = []
        self.pool_of: list[int] = []  # by device
        self.index: list[dict[str, int]] = []  # by pool: device name -> index
        self._pools: list[Pool] = []
        scope = NodeScope(node=node)
        for ordinal, (pool, name) in enumerate(zip(pools, names, strict=True)):
            index: dict[str, int] = {}
            devices: list[Device] = []
            for device in (d for part in pool.parts for d in part.devices):
                index[device.id.device] = len(self.devices)
                device = replace(
                    device, id=DeviceId(pool.driver, name, device.id.device), scope=scope
                )
                devices.append(device)
                if not pool.problem:
                    self.devices.append(device)
                    self.pool_of.append(ordinal)
            self.index.append(index if not pool.problem else {})
            self._pools.append(Pool(pool.driver, name, 0, tuple(devices), pool.problem))
        self.number_of = {device.id: i for i, device in enumerate(self.devices)}
        cores: dict[tuple[str, str, int], int] = {}
        found = [device.core for device in self.devices]
        self.core_of = [cores.setdefault(c, len(cores)) if c else -1 for c in found]
        self.has_cores = bool(cores)
        self.cpu_of = [d.cpu_milli for d in self.devices]
        self.takes_cpu = any(self.cpu_of)
        self.core_driver = [d.id.driver == CPU_DRIVER for d in self.devices]
        self._catalogue: Catalogue | None = None
        self._version = -1
        self._answers: dict[object, tuple[Allocation, ...] | Misfit] = {}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(pool.name for pool in self._pools)

    def indices(self, held: int) -> list[int]:
        """The devices whose bit is set."""
        found: list[int] = []
        while held:
            low = held & -held
            found.append(low.bit_length() - 1)
            held ^= low
        return found

    def cpu_claimed(self, held: int, over: tuple[tuple[int, int], ...]) -> int:
        """Milli-CPU that devices held take from the node's shared CPU."""
        if not self.takes_cpu:
            return 0
        once = sum(self.cpu_of[i] for i in self.indices(held))
        return once + sum(self.cpu_of[i] * times for i, times in over)

    def allocate(
        self,
        claims: tuple[ClaimRequest, ...],
        held: int,
        crowd: Crowd,
        node: NodeView,
        terms: Terms,
    ) -> tuple[Allocation, ...] | Misfit:
        """Devices for these claims beside those held, named as on the layout's first node.

        Errors: SelectorError, as a Misfit.
        """
        if self._version != terms.version or len(self._answers) > ANSWERS_MAX:
            self._answers.clear()
            self._catalogue = None
            self._version = terms.version
        key = (claims, held, crowd)
        found = self._answers.get(key)
        if found is None:
            found = self._answers[key] = self._search(claims, held, crowd, node, terms)
        return found

    def _search(
        self,
        claims: tuple[ClaimRequest, ...],
        held: int,
        crowd: Crowd,
        node: NodeView,
        terms: Terms,
    ) -> tuple[Allocation, ...] | Misfit:
        view = replace(node, name=self._node)
        if self._catalogue is None:
            pools = (*(p for p in self._pools if not p.problem), *terms.problems)
            self._catalogue = Catalogue(pools, terms.classes, terms.selectors, {self._node: view})
        taken = {self.devices[i].id for i in self.indices(held)}
        return allocate_claims(
            claims, view, self._catalogue, taken, self._preference(held, crowd), terms.classes
        )

    def _preference(self, held: int, crowd: Crowd) -> Callable[[Device], tuple[int, ...]] | None:
        """Cores where the pod's gang, then anybody, has the fewest devices."""
        if not self.has_cores:
            return None
        anybody: dict[int, int] = {}
        for index in self.indices(held):
            core = self.core_of[index]
            anybody[core] = anybody.get(core, 0) + 1
        gang = dict(crowd)

        def crowding(device: Device) -> tuple[int, ...]:
            core = self.core_of[self.number_of[device.id]]
            return (gang.get(core, 0), anybody.get(core, 0)) if core >= 0 else (0, 0)

        return crowding


def allocate_claims(
    claims: Sequence[ClaimRequest],
    node: NodeView,
    catalogue: Catalogue,
    in_use: set[DeviceId],
    prefer: Callable[[Device], tuple[int, ...]] | None,
    classes: Mapping[str, DeviceClass],
) -> tuple[Allocation, ...] | Misfit:
    """The exact allocator's answer for one node, a shortage or an error as a Misfit."""
    refused = refusal(claims, classes)
    if refused is not None:
        return Misfit(refused.word, refused.detail)
    try:
        found = allocate(claims, node, catalogue, in_use, prefer)
    except SelectorError as error:
        return Misfit("SelectorError", str(error))
    if isinstance(found, Refusal):
        return Misfit(found.word, found.detail)
    if isinstance(found, Shortage):
        return Misfit("InsufficientDevices", found.device_class, shortage=found)
    return found
