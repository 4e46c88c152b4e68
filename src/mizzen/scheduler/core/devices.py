"""The device allocator as placing uses it: all features on, our own order, answers as values.

`Catalogue` holds what claims are matched against and remembers what matched; `allocate` asks
`dra.allocate` about one node.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

from mizzen.scheduler.core.dra.allocate import Refusal, Shortage
from mizzen.scheduler.core.dra.allocate import allocate as search
from mizzen.scheduler.core.dra.features import ALL, Features
from mizzen.scheduler.core.dra.held import Held, Taken, Whole
from mizzen.scheduler.core.dra.matching import Matching
from mizzen.scheduler.core.dra.model import (
    Allocation,
    AllocationError,
    ClaimRequest,
    Device,
    DeviceClass,
    DeviceId,
    Pool,
    SelectorError,
    Selectors,
    SubRequest,
)
from mizzen.scheduler.core.dra.nodes import reaches
from mizzen.scheduler.core.dra.pack import Preference
from mizzen.scheduler.core.dra.pools import NodePool, counter_sets
from mizzen.scheduler.core.types import NodeView, Snapshot

__all__ = ["Catalogue", "Preference", "Refusal", "Shortage", "allocate", "refusal"]


class Catalogue:
    """The devices of a snapshot, and which match what: evaluated once, remembered.

    Not a value: it memoises. Valid as long as pools, classes and nodes stay the same.
    """

    def __init__(
        self,
        pools: Sequence[Pool],
        classes: Mapping[str, DeviceClass],
        selectors: Selectors,
        nodes: Mapping[str, NodeView],
        features: Features = ALL,
    ) -> None:
        self.classes = classes
        self.matcher = Matching(selectors, features)
        self._source = (pools, classes, nodes)
        self.unusable = tuple(pool for pool in pools if pool.problem)
        self.by_id: dict[DeviceId, Device] = {}
        self._local: dict[str, list[Pool]] = {}
        self._shared: list[Pool] = []
        self._pools_on: dict[str, tuple[NodePool, ...]] = {}
        for pool in pools:
            if not pool.problem:
                self.by_id.update((device.id, device) for device in pool.devices)
            nodes_of = {d.scope.node for d in pool.devices}
            if len(nodes_of) == 1 and "" not in nodes_of:
                self._local.setdefault(nodes_of.pop(), []).append(pool)
            else:
                self._shared.append(pool)

    def describes(self, snapshot: Snapshot) -> bool:
        """Whether what it remembers holds for this snapshot too."""
        pools, classes, nodes = self._source
        return (
            pools is snapshot.pools
            and classes == snapshot.classes
            and len(nodes) == len(snapshot.nodes)
            and all(nodes.get(name) is node for name, node in snapshot.nodes.items())
        )

    def pools_on(self, node: NodeView) -> tuple[NodePool, ...]:
        """The pools with devices that the node reaches, in search order."""
        found = self._pools_on.get(node.name)
        if found is None:
            near = [*self._local.get(node.name, ()), *self._shared]
            seen = (_on_node(pool, node) for pool in near)
            found = tuple(
                sorted(
                    (pool for pool in seen if pool is not None),
                    key=lambda pool: (pool.binds, pool.driver, pool.name),
                )
            )
            self._pools_on[node.name] = found
        return found

    def on_node(self, node: NodeView) -> tuple[Device, ...]:
        """Every device the node reaches, in search order."""
        return tuple(device for pool in self.pools_on(node) for device in pool.devices)

    def of_class(self, name: str, node: NodeView) -> tuple[Device, ...]:
        """Devices of a class, whatever a claim's own selectors say. Errors: SelectorError."""
        return self.matching(SubRequest("", name, ()), node)

    def matching(self, request: SubRequest, node: NodeView) -> tuple[Device, ...]:
        """Devices on the node that satisfy class and request, in use or not.

        Errors: SelectorError of the first expression that fails.
        """
        of = self.classes[request.device_class]
        matcher = self.matcher
        return tuple(
            device
            for device in self.on_node(node)
            if matcher.matches(of, request, device) and not matcher.repels(device, request)
        )


def _on_node(pool: Pool, node: NodeView) -> NodePool | None:
    """The pool as the node sees it; None when it reaches none of it."""
    near: list[Device] = []
    elsewhere: list[Device] = []
    for device in pool.devices:
        try:
            (near if reaches(device.scope, node) else elsewhere).append(device)
        except AllocationError:
            elsewhere.append(device)  # a selector that makes no sense selects nothing
    if not near:
        return None
    if pool.problem:
        return NodePool(pool.driver, pool.name, state="incomplete", problem=pool.problem)
    return NodePool(
        pool.driver,
        pool.name,
        devices=tuple(near),
        elsewhere=tuple(elsewhere),
        counters=counter_sets(pool.counter_sets)[0],
        binds=any(device.shape.bindings for device in near),
    )


def refusal(claims: Iterable[ClaimRequest], classes: Mapping[str, DeviceClass]) -> Refusal | None:
    """Why these claims cannot be allocated anywhere, if the reason lies in themselves."""
    for sub in (s for claim in claims for r in claim.requests for s in r.alternatives):
        if sub.device_class not in classes:
            known = ", ".join(sorted(classes)) or "none"
            return Refusal(
                "UnknownDeviceClass",
                f'DeviceClass "{sub.device_class}" of request {sub.name} does not exist; '
                f"there are: {known}",
            )
    return None


def allocate(
    claims: Sequence[ClaimRequest],
    node: NodeView,
    catalogue: Catalogue,
    in_use: Container[DeviceId] | Held,
    prefer: Preference | None = None,
) -> tuple[Allocation, ...] | Shortage | Refusal:
    """Devices for all claims together, one Allocation per claim in order.

    What `in_use` merely lists is taken as a whole; only `Held` tells shares of devices apart.
    Errors: SelectorError when an expression fails on a device the search needs.
    """
    held: Taken = in_use if isinstance(in_use, Held) else Whole(in_use)
    try:
        return search(
            claims,
            node,
            catalogue.pools_on(node),
            held,
            classes=catalogue.classes,
            matching=catalogue.matcher,
            order="pack",
            prefer=prefer,
        )
    except SelectorError:
        raise
    except AllocationError as error:
        return Refusal("ClaimNotAllocatable", str(error))
