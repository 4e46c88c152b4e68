"""What the scheduler thinks in: devices, claims, pods, gangs, nodes, plans, reasons.

All are immutable values, parsed once from API objects (`views.py`, `pools.py`), so that a
snapshot can be shared, replayed and compared. Units: milli-CPU, bytes, whole pods; integers only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

from mizzen.base.objects import Key, Obj
from mizzen.base.operations import Operation
from mizzen.scheduler.core.conventions.gang import Gang

CPU = "cpu"
MEMORY = "memory"
PODS = "pods"

AttributeValue = str | int | bool | tuple[str, str]  # a version is ("semver", "1.2.3")


# -- devices ---------------------------------------------------------------------------


class DeviceId(NamedTuple):
    """The cluster-wide name of a device."""

    driver: str
    pool: str
    device: str

    def __str__(self) -> str:
        return "/".join(self)


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


@dataclass(frozen=True, slots=True)
class NodeRequirement:
    """One matchExpressions or matchFields entry of a node selector term."""

    key: str
    operator: str
    values: tuple[str, ...]
    is_field: bool = False


NodeSelector = tuple[tuple[NodeRequirement, ...], ...]  # terms are ORed, requirements ANDed


@dataclass(frozen=True, slots=True)
class NodeScope:
    """Which nodes reach a device: one by name, those a selector matches, or all."""

    node: str = ""
    selector: NodeSelector | None = None
    all_nodes: bool = False

    @property
    def is_local(self) -> bool:
        return bool(self.node)


@dataclass(frozen=True, slots=True)
class Device:
    """A device as published; attribute and capacity names are `domain/name`.

    `cpu_milli` is what it takes from the node's shared CPU when allocated (0 unless it is a core).
    `core` groups devices that share silicon (halves of one core); placements spread over it.
    `unsupported` names a feature the allocator does not speak yet; such a device is never used.
    """

    id: DeviceId
    scope: NodeScope
    attributes: Mapping[str, AttributeValue]
    capacity: Mapping[str, str]
    taints: tuple[Taint, ...] = ()
    cpu_milli: int = 0
    core: tuple[str, str, int] | None = None
    unsupported: str = ""


@dataclass(frozen=True, slots=True)
class Pool:
    """The newest generation of a driver's pool; `problem` says why it cannot be used, if so."""

    driver: str
    name: str
    generation: int
    devices: tuple[Device, ...]
    problem: str = ""


class SelectorError(Exception):
    """A CEL expression that does not compile, fails on a device, or yields no bool."""


class Selectors(Protocol):
    """Evaluates CEL device selectors; implemented by `mizzen.scheduler.cel`."""

    def matches(self, expression: str, device: Device) -> bool:
        """Whether the device satisfies it. Errors: SelectorError."""
        ...


# -- claims -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SubRequest:
    """Devices of one class: `count` of them, or all that match when `all_devices`."""

    name: str  # as it stands in the result: "request" or "request/sub"
    device_class: str
    selectors: tuple[str, ...]
    count: int = 1
    all_devices: bool = False
    tolerations: tuple[Toleration, ...] = ()


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """One request of a claim; several alternatives when `firstAvailable`, tried in order."""

    name: str
    alternatives: tuple[SubRequest, ...]


@dataclass(frozen=True, slots=True)
class MatchAttribute:
    """All devices of these requests (all, when empty) must agree on the attribute."""

    attribute: str
    requests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """What a claim asks for; `unsupported` names a part the allocator does not speak yet."""

    requests: tuple[DeviceRequest, ...]
    constraints: tuple[MatchAttribute, ...] = ()
    config: tuple[Obj, ...] = field(default=(), hash=False)
    unsupported: str = ""


@dataclass(frozen=True, slots=True)
class DeviceResult:
    """One line of `status.allocation.devices.results`."""

    request: str
    id: DeviceId


@dataclass(frozen=True, slots=True)
class Allocation:
    """The devices of a claim; `node` is set when only that node reaches them all."""

    results: tuple[DeviceResult, ...]
    selector: NodeSelector | None
    config: tuple[Obj, ...] = field(default=(), hash=False)


@dataclass(frozen=True, slots=True)
class Consumer:
    """A pod in a claim's `status.reservedFor`."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A ResourceClaim: what it wants and, once allocated, what it has."""

    key: Key
    uid: str
    resource_version: str
    request: ClaimRequest
    allocation: Allocation | None
    reserved_for: tuple[Consumer, ...]
    owner_uid: str = ""
    is_terminating: bool = False
    finalizers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeviceClass:
    name: str
    selectors: tuple[str, ...]
    config: tuple[Obj, ...] = field(default=(), hash=False)
    extended_resource: str = ""


# -- pods, gangs, nodes --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PodShape:
    """All of a pod that decides where it fits, claims aside: equal shapes fit equally."""

    requests: tuple[tuple[str, int], ...]
    node_selector: tuple[tuple[str, str], ...] = ()
    affinity: NodeSelector | None = None
    tolerations: tuple[Toleration, ...] = ()


@dataclass(frozen=True, slots=True)
class PodClaim:
    """One entry of spec.resourceClaims; `claim` is None until its claim has a name."""

    name: str
    claim: Key | None
    is_generated: bool
    not_needed: bool = False


@dataclass(frozen=True, slots=True)
class PodSpecView:
    """A pod as the scheduler sees it. `rank` is its place in an indexed gang, else None."""

    key: Key
    uid: str
    resource_version: str
    shape: PodShape
    claims: tuple[PodClaim, ...]
    priority: int
    created_ns: int
    node: str = ""
    gang: Key | None = None
    rank: int | None = None
    may_preempt: bool = True
    is_terminating: bool = False
    is_finished: bool = False
    nominated_node: str = ""
    scheduled_message: str = ""  # of its PodScheduled=False condition
    cause: str = ""
    conditions: tuple[Obj, ...] = field(default=(), hash=False)
    about: Obj = field(default_factory=dict[str, Any], hash=False)  # what Events refer to

    @property
    def holds(self) -> bool:
        """It is on a node and uses its share of it."""
        return bool(self.node) and not self.is_finished

    @property
    def stays(self) -> bool:
        return self.holds and not self.is_terminating


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node; `capacity_cpu_milli` is what claims and shared pods divide among themselves."""

    name: str
    labels: Mapping[str, str]
    taints: tuple[Taint, ...]
    allocatable: Mapping[str, int]
    capacity_cpu_milli: int
    is_unschedulable: bool = False
    is_ready: bool = True


# -- snapshot and queue ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The cluster at one moment, as far as placing is concerned."""

    nodes: Mapping[str, NodeView]
    pods: Mapping[Key, PodSpecView]  # all that hold or wait; finished ones may be left out
    claims: Mapping[Key, Claim]
    pools: Sequence[Pool]
    classes: Mapping[str, DeviceClass]
    gangs: Mapping[Key, Gang]


@dataclass(frozen=True, slots=True)
class Queue:
    """Pods that want a place, most important first (see `queueing.order`)."""

    pods: tuple[PodSpecView, ...]


# -- answers ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reason:
    """Why some nodes do not fit: a stable word, how many nodes it rejected, and the figures."""

    word: str
    nodes: int
    detail: str


@dataclass(frozen=True, slots=True)
class Unschedulable:
    """Why a pod or gang has no place, and the smallest change found that would give it one.

    `is_transient` marks what usually passes within a moment (its claim is being made); it is
    written to the object only when it lasts.
    """

    subject: str
    nodes: int
    reasons: tuple[Reason, ...]
    change: str = ""
    is_transient: bool = False

    @property
    def word(self) -> str:
        return self.reasons[0].word if self.reasons else "Unschedulable"


@dataclass(frozen=True, slots=True)
class Placement:
    """A pod's node and the allocations made for its claims there (not those it found made)."""

    pod: PodSpecView
    node: str
    allocations: tuple[tuple[Key, Allocation], ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """An Event to record once the decision is committed."""

    about: Obj
    type: Literal["Normal", "Warning"]
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What is decided about one pod or gang; its operations stand or fall together.

    `needed` is how many of the placements must hold for the gang to be whole; where the API
    server has no atomic plans, fewer than that are taken back. None means all of them.
    """

    subject: str
    operations: tuple[Operation, ...]
    notes: tuple[Note, ...] = ()
    placements: tuple[Placement, ...] = ()
    victims: tuple[PodSpecView, ...] = ()
    unschedulable: Unschedulable | None = None
    needed: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A proposal. `recheck_after_s` asks for another look even if nothing happens; 0 = no need."""

    decisions: tuple[Decision, ...]
    recheck_after_s: float = 0.0
