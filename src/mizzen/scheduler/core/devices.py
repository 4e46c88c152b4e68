"""The exact device allocator: which devices satisfy the claims of one pod on one node.

First fit in a fixed order with backtracking, as upstream's structured allocator searches: pools by
driver and name, slices by name, devices as listed; combinations within a request; the
first full solution wins. A caller may reorder candidates (`prefer`): what fits stays the same.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mizzen.base.objects import Obj
from mizzen.scheduler.core.dra.model import (
    Allocation,
    AttributeValue,
    ClaimRequest,
    Device,
    DeviceClass,
    DeviceId,
    DeviceRequest,
    DeviceResult,
    MatchAttribute,
    NodeRequirement,
    NodeSelector,
    Pool,
    Selectors,
    SubRequest,
)
from mizzen.scheduler.core.matching import reaches, untolerated
from mizzen.scheduler.core.types import NodeView, Snapshot

SEARCH_STEPS_MAX = 100_000  # devices tried for one pod on one node; the search is exponential
RESULTS_MAX = 32  # of one claim, resource.k8s.io/v1 AllocationResultsMaxSize

Preference = Callable[[Device], tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Shortage:
    """Too few devices: of `matching` ones for the request, `in_use` are taken."""

    device_class: str
    want: int
    matching: int
    in_use: int
    of_class: int
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The claims cannot be allocated on any node until someone changes them (or gives up)."""

    word: str
    detail: str


class Catalogue:
    """The usable devices of a snapshot, and which match what: evaluated once, remembered.

    Not a value: it memoises. Valid as long as pools, classes and nodes stay the same.
    """

    def __init__(
        self,
        pools: Sequence[Pool],
        classes: Mapping[str, DeviceClass],
        selectors: Selectors,
        nodes: Mapping[str, NodeView],
    ) -> None:
        self.classes = classes
        self._source = (pools, classes, nodes)
        self.unusable = tuple(pool for pool in pools if pool.problem)
        self.by_id: dict[DeviceId, Device] = {}
        self._selectors = selectors
        self._order: dict[DeviceId, int] = {}
        self._local: dict[str, list[Device]] = {}
        self._shared: list[Device] = []
        self._on_node: dict[str, tuple[Device, ...]] = {}
        self._matching: dict[tuple[str, SubRequest], tuple[Device, ...]] = {}
        for device in (d for pool in pools if not pool.problem for d in pool.devices):
            self._order[device.id] = len(self._order)
            self.by_id[device.id] = device
            if device.scope.is_local:
                self._local.setdefault(device.scope.node, []).append(device)
            else:
                self._shared.append(device)

    def describes(self, snapshot: Snapshot) -> bool:
        """Whether what it remembers holds for this snapshot too."""
        pools, classes, nodes = self._source
        return (
            pools is snapshot.pools
            and classes == snapshot.classes
            and len(nodes) == len(snapshot.nodes)
            and all(nodes.get(name) is node for name, node in snapshot.nodes.items())
        )

    def on_node(self, node: NodeView) -> tuple[Device, ...]:
        """Every device the node reaches, in search order."""
        found = self._on_node.get(node.name)
        if found is None:
            shared = [d for d in self._shared if reaches(d.scope, node)]
            devices = self._local.get(node.name, []) + shared
            if shared:
                devices.sort(key=lambda d: self._order[d.id])
            found = self._on_node[node.name] = tuple(devices)
        return found

    def of_class(self, name: str, node: NodeView) -> tuple[Device, ...]:
        """Devices of a class, whatever a claim's own selectors say. Errors: SelectorError."""
        return self.matching(SubRequest("", name, ()), node)

    def matching(self, request: SubRequest, node: NodeView) -> tuple[Device, ...]:
        """Devices on the node that satisfy class and request, in use or not.

        Errors: SelectorError of the first expression that fails, as upstream aborts the attempt.
        """
        known = self._matching.get((node.name, request))
        if known is not None:
            return known
        expressions = self.classes[request.device_class].selectors + request.selectors
        found = tuple(
            device
            for device in self.on_node(node)
            if not device.unsupported
            and all(self._selectors.matches(e or "", device) for e in expressions)
            and untolerated(device.taints, request.tolerations) is None
        )
        self._matching[node.name, request] = found
        return found


def refusal(claims: Iterable[ClaimRequest], classes: Mapping[str, DeviceClass]) -> Refusal | None:
    """Why these claims cannot be allocated anywhere, if the reason lies in themselves."""
    for claim in claims:
        if claim.unsupported:
            return Refusal(
                "UnsupportedClaim",
                f"the claim uses {claim.unsupported}, which this scheduler does not allocate",
            )
        for sub in (s for r in claim.requests for s in r.alternatives):
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
    in_use: Container[DeviceId],
    prefer: Preference | None = None,
) -> tuple[Allocation, ...] | Shortage | Refusal:
    """Devices for all claims together, none twice, one Allocation per claim in order.

    Errors: SelectorError when an expression fails on a device the search looks at.
    Source: oracle tests/oracle/allocation.py.
    """
    search = _Search(claims, node, catalogue, in_use, prefer)
    if search.fill(0):
        return search.allocations()
    if search.steps > SEARCH_STEPS_MAX:
        return Refusal(
            "SearchTooLong",
            f"no devices were found in {SEARCH_STEPS_MAX} steps; ask for fewer or name them closer",
        )
    return _shortage(claims, node, catalogue, in_use)


def _shortage(
    claims: Sequence[ClaimRequest],
    node: NodeView,
    catalogue: Catalogue,
    in_use: Container[DeviceId],
) -> Shortage | Refusal:
    """The first request that falls short; counts what claims before it would take of the same."""
    wanted: dict[tuple[DeviceId, ...], int] = {}
    for request in (r for claim in claims for r in claim.requests):
        last = request.alternatives[-1]
        matching = catalogue.matching(last, node)
        used = sum(1 for d in matching if d.id in in_use)
        ids = tuple(d.id for d in matching)
        want = max(1, len(matching)) if last.all_devices else last.count
        wanted[ids] = wanted.get(ids, 0) + want
        if len(matching) - used < wanted[ids]:
            of_class = len(catalogue.of_class(last.device_class, node))
            problem = "; ".join(
                f"pool {p.driver}/{p.name} is incomplete: {p.problem}" for p in catalogue.unusable
            )
            return Shortage(last.device_class, wanted[ids], len(matching), used, of_class, problem)
    return Refusal(
        "ConstraintUnsatisfied",
        "enough devices are free, but none together meet the claim's constraints",
    )


@dataclass(slots=True)
class _Search:
    """One backtracking search; its lists are the path from the root."""

    claims: Sequence[ClaimRequest]
    node: NodeView
    catalogue: Catalogue
    in_use: Container[DeviceId]
    prefer: Preference | None
    steps: int = 0
    slots: list[tuple[int, DeviceRequest]] = field(default_factory=list[tuple[int, DeviceRequest]])
    path: list[tuple[int, SubRequest, Device]] = field(
        default_factory=list[tuple[int, SubRequest, Device]]
    )
    taken: set[DeviceId] = field(default_factory=set[DeviceId])

    def __post_init__(self) -> None:
        self.slots = [(i, r) for i, claim in enumerate(self.claims) for r in claim.requests]

    def fill(self, slot: int) -> bool:
        """Satisfies this slot and all after it, or leaves the path as it was."""
        if slot == len(self.slots):
            return True
        claim, request = self.slots[slot]
        for sub in request.alternatives:
            candidates = self.catalogue.matching(sub, self.node)
            if self.prefer is not None:
                candidates = sorted(candidates, key=self.prefer)
            count = len(candidates) if sub.all_devices else sub.count
            if 0 < count <= len(candidates) and self._take(slot, claim, sub, candidates, 0, count):
                return True
        return False

    def _take(
        self, slot: int, claim: int, sub: SubRequest, among: Sequence[Device], at: int, left: int
    ) -> bool:
        if left == 0:
            return self.fill(slot + 1)
        if sum(1 for c, _, _ in self.path if c == claim) >= RESULTS_MAX:
            return False
        for index in range(at, len(among) - left + 1):
            self.steps += 1
            if self.steps > SEARCH_STEPS_MAX:
                return False
            device = among[index]
            if device.id in self.taken or device.id in self.in_use:
                continue
            if not self._agrees(claim, sub, device):
                continue
            self.path.append((claim, sub, device))
            self.taken.add(device.id)
            if self._take(slot, claim, sub, among, index + 1, left - 1):
                return True
            self.taken.discard(device.id)
            self.path.pop()
        return False

    def _agrees(self, claim: int, sub: SubRequest, device: Device) -> bool:
        for constraint in self.claims[claim].constraints:
            if not isinstance(constraint, MatchAttribute) or not _concerns(constraint, sub):
                continue
            value = device.attributes.get(constraint.attribute)
            if value is None:
                return False
            for other_claim, other_sub, other in self.path:
                if other_claim == claim and _concerns(constraint, other_sub):
                    if not _same(other.attributes.get(constraint.attribute), value):
                        return False
                    break
        return True

    def allocations(self) -> tuple[Allocation, ...]:
        return tuple(self._allocation(i, claim) for i, claim in enumerate(self.claims))

    def _allocation(self, index: int, claim: ClaimRequest) -> Allocation:
        mine = [(sub, device) for i, sub, device in self.path if i == index]
        return Allocation(
            results=tuple(DeviceResult(sub.name, device.id) for sub, device in mine),
            selector=_node_selector(self.node, [device for _, device in mine]),
            config=tuple(_configs(claim, [sub for sub, _ in mine], self.catalogue.classes)),
        )


def _concerns(constraint: MatchAttribute, sub: SubRequest) -> bool:
    parent = sub.name.partition("/")[0]
    return not constraint.requests or bool({sub.name, parent} & set(constraint.requests))


def _same(left: AttributeValue | None, right: AttributeValue) -> bool:
    """Equal in type and value; in Python 1 == True."""
    return type(left) is type(right) and left == right


def _node_selector(node: NodeView, devices: Sequence[Device]) -> NodeSelector | None:
    """Upstream's rule: this node if any device is local to it, else all the slices' requirements."""
    if any(device.scope.is_local for device in devices):
        return ((NodeRequirement("metadata.name", "In", (node.name,), is_field=True),),)
    merged: dict[NodeRequirement, None] = {}
    for device in devices:
        for term in (device.scope.selector or ())[:1]:  # the API allows exactly one term
            merged.update(dict.fromkeys(term))
    return (tuple(merged),) if merged else None


def _configs(
    claim: ClaimRequest, subs: Sequence[SubRequest], classes: Mapping[str, DeviceClass]
) -> Iterable[Obj]:
    """Opaque driver configuration that applies: the classes' first, then the claim's own."""
    users: dict[str, list[str]] = {}
    for sub in subs:
        listed = users.setdefault(sub.device_class, [])
        if sub.name not in listed:
            listed.append(sub.name)
    for name, requests in users.items():
        for entry in classes[name].config:
            yield {"source": "FromClass", "requests": requests, **entry}
    chosen = {n for sub in subs for n in (sub.name, sub.name.partition("/")[0])}
    for entry in claim.config:
        if not entry.get("requests") or chosen & set(entry["requests"]):
            yield {"source": "FromClaim", **entry}
