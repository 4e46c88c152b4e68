"""The values that the scheduler decides about: claims, pods, gangs, nodes, plans, reasons.

All are immutable values, parsed once from API objects (`views.py`, `claiming/claims.py`), so that
what was decided on can be shared, replayed and compared. Units: milli-CPU, bytes, whole pods; integers only.
Devices, claims' requests and allocations are in `dra/model.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mizzen.base.objects import Key, Obj
from mizzen.base.operations import Operation
from mizzen.scheduler.core.claiming.binding_conditions import Binding
from mizzen.scheduler.core.claiming.extended import ContainerRequest, Extended
from mizzen.scheduler.core.conventions.gang import ALONE, Membership
from mizzen.scheduler.core.disruption_cost import UNKNOWN_COST, DisruptionCost
from mizzen.scheduler.core.dra.model import (
    Allocation,
    ClaimRequest,
    NodeSelector,
    Taint,
    Toleration,
)
from mizzen.scheduler.core.explaining.changes import Change
from mizzen.scheduler.core.neighbours.requirements import Neighbours

CPU = "cpu"
MEMORY = "memory"
PODS = "pods"

# -- claims -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Consumer:
    """An entry of a claim's `status.reservedFor`: a pod, or a PodGroup."""

    name: str
    uid: str
    resource: str = "pods"
    api_group: str = ""

    @property
    def is_pod(self) -> bool:
        return self.resource == "pods"


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
    binding: Binding | None = None  # what its devices await before a pod may be bound

    @property
    def is_unmade(self) -> bool:
        """It is only thought of: whoever allocates it creates it."""
        return not self.uid


# -- pods, gangs, nodes --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PodShape:
    """All of a pod that decides where it fits, claims aside: equal shapes fit equally."""

    requests: tuple[tuple[str, int], ...]
    node_selector: tuple[tuple[str, str], ...] = ()
    affinity: NodeSelector | None = None
    tolerations: tuple[Toleration, ...] = ()
    images: str = ""  # base.images: the kind of node that its images need, "" for any
    _hash: int = field(init=False, repr=False, compare=False, default=0)

    def __post_init__(self) -> None:
        parts = (
            self.requests, self.node_selector, self.affinity, self.tolerations, self.images
        )  # fmt: skip
        object.__setattr__(self, "_hash", hash(parts))

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True, slots=True)
class PodClaim:
    """One entry of spec.resourceClaims; `claim` is None until its claim has a name."""

    name: str
    claim: Key | None
    is_generated: bool
    not_needed: bool = False
    shared_by: Consumer | None = None  # the PodGroup that it is reserved for in the pod's stead
    extended: Extended | None = None  # asked for by name; the pod's status does not tell yet
    containers: tuple[str, ...] = ()  # those that use it


@dataclass(frozen=True, slots=True)
class PodSpecView:
    """A pod as the scheduler sees it. `rank` is its place in an indexed gang, else None.

    `membership` is all it says of its gang; a pod whose word is refused is in none.
    """

    key: Key
    uid: str
    resource_version: str
    shape: PodShape
    claims: tuple[PodClaim, ...]
    priority: int
    created_ns: int
    node: str = ""
    gang: Key | None = None
    membership: Membership = ALONE
    rank: int | None = None
    may_preempt: bool = True
    is_terminating: bool = False
    is_finished: bool = False
    nominated_node: str = ""
    scheduled_message: str = ""  # of its PodScheduled=False condition
    has_record: bool = False  # it bears names.UNSCHEDULABLE
    cause: str = ""
    disruption_cost: DisruptionCost = UNKNOWN_COST
    conditions: tuple[Obj, ...] = field(default=(), hash=False)
    extended_requests: tuple[
        ContainerRequest, ...
    ] = ()  # extended resources, where no claim is made yet
    is_succeeded: bool = False
    held_back: str = ""  # by what, of a pod that is not ours to place yet
    job: str = ""  # uid of the batch/v1 Job that made it
    labels: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    neighbours: Neighbours | None = None  # what it requires of pods near it; None: nothing

    @property
    def about(self) -> Obj:
        """Just enough of the pod for an Event to refer to it."""
        metadata: Obj = {"name": self.key.name, "namespace": self.key.namespace, "uid": self.uid}
        metadata["resourceVersion"] = self.resource_version
        kept = {name: value for name, value in metadata.items() if value}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": kept}

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
    images: str = ""  # base.images: what it runs, "" where that is not told


# -- answers ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason why some nodes do not fit: a stable word, how many nodes it rejected, and the figures.

    `figures` are (name, number or word), as `explaining/record.py` writes them; `detail` says the
    same in a sentence.
    """

    word: str
    nodes: int
    detail: str
    figures: tuple[tuple[str, int | str], ...] = ()


@dataclass(frozen=True, slots=True)
class Unschedulable:
    """The reasons why a pod or gang has no place, and the changes found that would give it one, smallest first.

    `is_transient` marks what usually passes within a moment (its claim is being made); it is
    written to the object only when it lasts. `is_held`: its queue keeps it, and no node was asked.
    """

    subject: str
    nodes: int
    reasons: tuple[Reason, ...]
    changes: tuple[Change, ...] = ()
    is_transient: bool = False
    is_held: bool = False

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
    """A decision about one pod or gang; its operations stand or fall together.

    `needed` is how many of the placements must hold for the gang to be whole; where the API
    server has no atomic plans, fewer than that are taken back. None means all of them.
    `awaits` says, of a gang whose places are being vacated, whom it waits for.
    """

    subject: str
    operations: tuple[Operation, ...]
    notes: tuple[Note, ...] = ()
    placements: tuple[Placement, ...] = ()
    victims: tuple[PodSpecView, ...] = ()
    unschedulable: Unschedulable | None = None
    needed: int | None = None
    awaits: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """A proposal. `recheck_after_s` asks for another look even if nothing happens; 0 = no need.

    `failures` are units that no decision could be made about, each with the error it met.
    """

    decisions: tuple[Decision, ...]
    recheck_after_s: float = 0.0
    failures: tuple[tuple[str, Exception], ...] = ()
