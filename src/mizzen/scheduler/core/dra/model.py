"""The values of device allocation: devices and their shapes, pools, claims, allocations.

Immutable, parsed once from API objects, shared and compared freely. Names of attributes and
capacities stay as published: unqualified ones belong to the driver's domain.
Source: k8s.io/api/resource/v1, v0.36.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from mizzen.base import names
from mizzen.base.objects import Obj
from mizzen.scheduler.core.dra.quantity import Quantity

AttributeValue = str | int | bool | tuple[str, str]  # a version is ("semver", "1.2.3")


class DeviceId(NamedTuple):
    """The cluster-wide name of a device."""

    driver: str
    pool: str
    device: str

    def __str__(self) -> str:
        return "/".join(self)


# -- nodes and taints ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Taint:
    """A taint of a node or a device; `effect` is NoSchedule, NoExecute, PreferNoSchedule or None."""

    key: str
    value: str
    effect: str


@dataclass(frozen=True, slots=True)
class Toleration:
    """Tolerates taints; an empty key with Exists tolerates all, an empty effect every effect."""

    key: str
    operator: str
    value: str
    effect: str
    seconds: int | None = None


class NodeRequirement(NamedTuple):
    """One matchExpressions or matchFields entry of a node selector term."""

    key: str
    operator: str
    values: tuple[str, ...]
    is_field: bool = False


NodeSelector = tuple[tuple[NodeRequirement, ...], ...]  # terms are ORed, requirements ANDed


@dataclass(frozen=True, slots=True)
class NodeScope:
    """The nodes that reach a device: one by name, those a selector matches, or all.

    `is_local` also when the name was given but is empty, which upstream tells apart.
    """

    node: str = ""
    selector: NodeSelector | None = None
    all_nodes: bool = False
    names_node: bool = False

    @property
    def is_local(self) -> bool:
        return bool(self.node) or self.names_node


# -- devices ----------------------------------------------------------------------------

AttributeKind = Literal[
    "", "int", "bool", "string", "version", "ints", "bools", "strings", "versions"
]


class Attribute(NamedTuple):
    """An attribute with its type, as 1, true and "1" differ; lists are tuples, "" is no value."""

    kind: AttributeKind
    value: int | bool | str | tuple[int, ...] | tuple[bool, ...] | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class ValidRange:
    min: Quantity | None
    max: Quantity | None
    step: Quantity | None


@dataclass(frozen=True, slots=True)
class RequestPolicy:
    """The rounding and the bounds of requests for a consumable capacity; None where unsaid."""

    default: Quantity | None = None
    valid_values: tuple[Quantity, ...] | None = None
    valid_range: ValidRange | None = None


@dataclass(frozen=True, slots=True)
class Capacity:
    value: Quantity
    policy: RequestPolicy | None = None


Counters = tuple[tuple[str, Quantity], ...]


@dataclass(frozen=True, slots=True)
class CounterSet:
    """Counters by name: what a pool has (`sharedCounters`) or a device takes (`consumesCounters`)."""

    name: str
    counters: Counters


@dataclass(frozen=True, slots=True)
class NodeAllocatable:
    """A device's share of a node resource: `capacity_key` of it, or devices, x `multiplier`."""

    resource: str
    capacity_key: str = ""
    multiplier: Quantity | None = None


@dataclass(frozen=True, slots=True)
class DeviceShape:
    """All of a device that decides matching, but its name, its nodes and what only it has.

    Interned: devices of one make share one. `bindings` is None when the field was absent and ()
    when it was empty, which upstream tells apart when it orders pools.
    """

    driver: str
    attributes: tuple[tuple[str, Attribute], ...] = ()
    capacity: tuple[tuple[str, Capacity], ...] = ()
    allows_sharing: bool = False  # allowMultipleAllocations
    consumes: tuple[CounterSet, ...] = ()
    taints: tuple[Taint, ...] = ()
    binds_to_node: bool = False
    bindings: tuple[str, ...] | None = None  # bindingConditions
    binding_failures: tuple[str, ...] = ()
    node_allocatable: tuple[NodeAllocatable, ...] = ()
    cpu_milli: int = 0  # what it takes from the node's shared CPU when allocated
    _hash: int = field(init=False, repr=False, compare=False, default=0)

    def __post_init__(self) -> None:
        parts = (
            self.driver, self.attributes, self.capacity, self.allows_sharing, self.consumes,
            self.taints, self.binds_to_node, self.bindings, self.binding_failures,
            self.node_allocatable, self.cpu_milli,
        )  # fmt: skip
        object.__setattr__(self, "_hash", hash(parts))

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True, slots=True)
class Device:
    """A device as published. `own` are the attributes that only it has (uuid, PCI address, index).

    `core` groups devices that share silicon (halves of one core); placements spread over it.
    """

    id: DeviceId
    shape: DeviceShape
    scope: NodeScope
    own: tuple[tuple[str, Attribute], ...] = ()

    def attribute(self, qualified: str) -> Attribute | None:
        """The attribute of that name, whether it was published with its domain or without."""
        found = self._named(qualified)
        domain, slash, name = qualified.partition("/")
        if found is None and slash and domain == self.id.driver:
            found = self._named(name)
        return found

    def _named(self, name: str) -> Attribute | None:
        for pairs in (self.own, self.shape.attributes):
            for key, value in pairs:
                if key == name:
                    return value
        return None

    @property
    def attributes(self) -> Mapping[str, AttributeValue]:
        """Single values by qualified name."""
        result: dict[str, AttributeValue] = {}
        for name, (kind, value) in self.own + self.shape.attributes:
            if isinstance(value, str | int):
                full = name if "/" in name else f"{self.id.driver}/{name}"
                result[full] = ("semver", str(value)) if kind == "version" else value
        return result

    @property
    def capacity(self) -> Mapping[str, str]:
        """Amounts by qualified name."""
        return {
            name if "/" in name else f"{self.id.driver}/{name}": str(c.value)
            for name, c in self.shape.capacity
        }

    @property
    def taints(self) -> tuple[Taint, ...]:
        return self.shape.taints

    @property
    def cpu_milli(self) -> int:
        return self.shape.cpu_milli

    @property
    def core(self) -> tuple[str, str, int] | None:
        found = self.attribute(f"{names.CPU_DRIVER}/core")
        if found is None or found.kind != "int" or not isinstance(found.value, int):
            return None
        return (self.id.driver, self.id.pool, found.value)


@dataclass(frozen=True, slots=True)
class Slice:
    """A ResourceSlice. Its devices carry its scope, or their own when `per_device`.

    `per_device` is None when the field was absent, which upstream tells apart from false.
    """

    name: str
    driver: str
    pool: str
    generation: int
    slice_count: int
    scope: NodeScope
    per_device: bool | None
    counter_sets: tuple[CounterSet, ...]
    devices: tuple[Device, ...]


class AllocationError(Exception):
    """Upstream would fail the whole scheduling attempt: a bad claim, class, slice or selector."""


class SelectorError(AllocationError):
    """A CEL expression that does not compile, fails on a device, or yields no bool."""


class SelectorsBusy(Exception):
    """Selectors have cost as much as they may in one turn: whoever asks has to ask again later."""


class Selectors(Protocol):
    """Evaluates CEL device selectors; implemented by `mizzen.cel`."""

    def matches(self, expression: str, device: Device) -> bool:
        """True if the device satisfies it. Errors: SelectorError, SelectorsBusy."""
        ...

    def reads(self, expression: str) -> frozenset[str] | None:
        """Qualified names of the attributes and capacities that decide the answer; None: all.

        Errors: SelectorsBusy.
        """
        ...


# -- claims -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SubRequest:
    """Devices of one class: `count` of them, or all that match when `all_devices`.

    `strange_mode` is an allocationMode that is neither ExactCount nor All. `capacity` is None when
    the field was absent; selectors that are not CEL are None; `admin` is None when unsaid.
    """

    name: str  # as it stands in the result: "request" or "request/sub"
    device_class: str
    selectors: tuple[str | None, ...]
    count: int = 1
    all_devices: bool = False
    tolerations: tuple[Toleration, ...] = ()
    capacity: tuple[tuple[str, Quantity], ...] | None = None
    admin: bool | None = None
    strange_mode: str | None = None


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """One request of a claim; several alternatives when `is_list` (firstAvailable), in order."""

    name: str
    alternatives: tuple[SubRequest, ...]
    is_list: bool = False


@dataclass(frozen=True, slots=True)
class MatchAttribute:
    """All devices of these requests (all, when empty) must agree on the attribute."""

    attribute: str
    requests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DistinctAttribute:
    """All devices of these requests (all, when empty) must differ in the attribute."""

    attribute: str
    requests: tuple[str, ...] = ()


Constraint = MatchAttribute | DistinctAttribute | None  # None: a kind that nobody knows


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """A claim's requests and the constraints on their devices."""

    requests: tuple[DeviceRequest, ...]
    constraints: tuple[Constraint, ...] = ()
    config: tuple[Obj, ...] = field(default=(), hash=False)
    _hash: int = field(init=False, repr=False, compare=False, default=0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.requests, self.constraints)))

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True, slots=True)
class DeviceClass:
    name: str
    selectors: tuple[str | None, ...]
    config: tuple[Obj, ...] = field(default=(), hash=False)
    extended_resource: str = ""


# -- answers ----------------------------------------------------------------------------


class DeviceResult(NamedTuple):
    """One line of `status.allocation.devices.results`.

    `shared` marks a share of a device (it gets a shareID when written, unless `share` has one).
    A named tuple, because one is made for every device of every decision.
    """

    request: str
    id: DeviceId
    admin: bool = False
    tolerations: tuple[Toleration, ...] = ()
    bindings: tuple[str, ...] = ()
    binding_failures: tuple[str, ...] = ()
    shared: bool = False
    share: str = ""
    consumed: Counters = ()


@dataclass(frozen=True, slots=True)
class Allocation:
    """The devices of a claim; `selector` says which nodes reach them all (None: every node)."""

    results: tuple[DeviceResult, ...]
    selector: NodeSelector | None
    config: tuple[Obj, ...] = field(default=(), hash=False)
