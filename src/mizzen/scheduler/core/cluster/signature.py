"""Signatures: nodes of equal signature answer alike and are interchangeable."""

from __future__ import annotations

from dataclasses import dataclass

from mizzen.scheduler.core.claiming.extended import Extended
from mizzen.scheduler.core.cluster.layouts import Layout, Over, Shares
from mizzen.scheduler.core.dra.model import Allocation, ClaimRequest, DeviceResult
from mizzen.scheduler.core.misfit import Misfit
from mizzen.scheduler.core.types import CPU, NodeView, PodShape

CPU_INDEX = 0  # in free amounts

Request = ClaimRequest | Extended  # an unmade claim asks for different things on different nodes


class Shape:
    """The requests of pods that fit alike; interned, so that identity is equality.

    `demand` has (index, name, amount) for everything but CPU, which depends on the claims.
    `has_claims`: the pod names claims at all; `claims` are those still to be allocated.
    `pinned` has the only nodes it accepts, by name or host name, if it lists them. `is_exact`: it
    reads names of nodes, so that its node selector must be asked of each node; `pod` is without it.
    """

    __slots__ = (
        "claims",
        "covered",
        "cpu",
        "demand",
        "has_claims",
        "is_exact",
        "number",
        "pinned",
        "pod",
    )

    def __init__(
        self,
        number: int,
        pod: PodShape,
        claims: tuple[Request, ...],
        has_claims: bool,
        demand: tuple[tuple[int, str, int], ...],
        pinned: frozenset[str] | None,
        is_exact: bool,
    ) -> None:
        self.number = number
        self.pod = pod
        self.claims = claims
        self.has_claims = has_claims
        self.demand = demand
        self.pinned = pinned
        self.is_exact = is_exact
        self.cpu = dict(pod.requests).get(CPU, 0)
        self.covered = frozenset(
            name for c in claims if isinstance(c, Extended) for name, _ in c.classes
        )

    def claims_on(self, node: NodeView) -> list[ClaimRequest | None]:
        """The request of each claim there; None: nothing, device plugins offer it all."""
        return [
            c.request_on(node.allocatable) if isinstance(c, Extended) else c for c in self.claims
        ]


class Static:
    """All of a node that no placement changes, cut to what somebody asks about."""

    __slots__ = ("node", "verdicts")

    def __init__(self, node: NodeView) -> None:
        self.node = node  # one of them; they differ in nothing that is read
        self.verdicts: dict[int, Misfit | None] = {}  # by shape


class Signature:
    """Static class, layout, free amounts and devices held. `nodes` counts the nodes that have it.

    `free` is by resource index and may be negative. `held` has a bit for each device of the layout
    that is allocated; `over` and `shares`: see `layouts`.
    """

    __slots__ = (
        "counts",
        "free",
        "held",
        "layout",
        "nodes",
        "outcomes",
        "over",
        "shares",
        "static",
        "steps",
    )

    def __init__(
        self,
        static: Static,
        layout: Layout,
        free: tuple[int, ...],
        held: int,
        over: Over,
        shares: Shares,
    ) -> None:
        self.static = static
        self.layout = layout
        self.free = free
        self.held = held
        self.over = over
        self.shares = shares
        self.nodes = 0
        self.outcomes: dict[object, Outcome | Misfit] = {}
        self.counts: dict[int, int] = {}
        self.steps: dict[object, Signature] = {}  # what holding and charging make of it


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """A shape put on a signature: devices for each claim, and the signature the node has then.

    `picks` has (result, device) for each result of each claim, None for a claim that asks nothing
    there; the results bear the names of the layout's lender. `cores`: how many devices of each core
    it takes.
    """

    next: Signature
    owns_cores: bool
    picks: tuple[tuple[tuple[DeviceResult, int], ...] | None, ...] = ()
    given: tuple[Allocation | None, ...] = ()
    cores: tuple[tuple[int, int], ...] = ()
