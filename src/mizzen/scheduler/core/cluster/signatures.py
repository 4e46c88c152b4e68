"""What decides how a node answers: nodes equal in this are interchangeable."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mizzen.scheduler.core.claiming.extended import Extended
from mizzen.scheduler.core.cluster.layouts import Crowd, Layout, Over, Shares, Terms, with_share
from mizzen.scheduler.core.dra.model import Allocation, ClaimRequest, DeviceResult
from mizzen.scheduler.core.limits import Limits
from mizzen.scheduler.core.misfit import Misfit, static_misfit
from mizzen.scheduler.core.types import CPU, MEMORY, PODS, NodeView, PodShape

CPU_INDEX = 0


Wish = ClaimRequest | Extended  # an unmade claim asks for different things on different nodes


class Shape:
    """What pods wish that fit alike; interned, so that identity is equality.

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
        claims: tuple[Wish, ...],
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
        """What each claim asks for there; None: nothing, device plugins offer it all."""
        return [
            c.request_on(node.allocatable) if isinstance(c, Extended) else c for c in self.claims
        ]


class Static:
    """What no placement changes about a node, cut to what somebody asks about."""

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


class Signatures:
    """All signatures there are, and what shapes do to them. Not a value: it remembers."""

    def __init__(self, terms: Terms, limits: Limits) -> None:
        self.terms = terms
        self._pods_max = limits.pods_counted_max
        self._spare_max = limits.spare_signatures_max
        self.resources: dict[str, int] = {CPU: CPU_INDEX, MEMORY: 1, PODS: 2}
        self.table: dict[object, Signature] = {}
        self._extended: dict[str, str] = {}

    # -- interning --------------------------------------------------------------------------

    def of(
        self,
        static: Static,
        layout: Layout,
        free: tuple[int, ...],
        held: int = 0,
        over: Over = (),
        shares: Shares = (),
    ) -> Signature:
        key = (static, layout, free, held, over, shares)
        found = self.table.get(key)
        if found is None:
            found = self.table[key] = Signature(static, layout, free, held, over, shares)
        return found

    def index_of(self, resource: str) -> int:
        """The place of a resource in `free`; made when it is new."""
        return self.resources.setdefault(resource, len(self.resources))

    def forget_answers(self) -> None:
        """After a change of what claims are read against, or of static classes."""
        for signature in self.table.values():
            signature.outcomes.clear()
            signature.counts.clear()
            signature.steps.clear()
            signature.static.verdicts.clear()
        self._extended = {
            c.extended_resource: c.name
            for c in reversed(self.terms.classes.values())
            if c.extended_resource
        }

    def sweep(self, nodes: int) -> None:
        """Drops signatures that no node has, once they are many; those in use stay the same."""
        if len(self.table) > 4 * nodes + self._spare_max:
            self.table = {k: s for k, s in self.table.items() if s.nodes}
            self.forget_answers()

    # -- questions --------------------------------------------------------------------------

    def outcome(self, shape: Shape, signature: Signature, crowd: Crowd = ()) -> Outcome | Misfit:
        """What becomes of a pod of this shape there. `crowd`: see `Layout.allocate`."""
        key = (shape.number, crowd) if crowd else shape.number
        found = signature.outcomes.get(key)
        if found is None:
            found = signature.outcomes[key] = self._outcome(shape, signature, crowd)
        return found

    def count(self, shape: Shape, signature: Signature) -> int:
        """How many pods of this shape fit there one after another."""
        number = shape.number
        known = signature.counts.get(number)
        if known is not None:
            return known
        if not shape.claims:
            count = self._count_plain(shape, signature)
            signature.counts[number] = count
            return count
        path: list[Signature] = []
        count, most = 0, self._pods_max
        while len(path) < most:
            known = signature.counts.get(number)
            if known is not None:
                count = known
                break
            path.append(signature)
            found = self.outcome(shape, signature)
            if isinstance(found, Misfit):
                count = -1
                break
            signature = found.next
        for passed in reversed(path):
            count = min(most, count + 1)
            passed.counts[number] = count
        return count

    def amounts_misfit(self, shape: Shape, signature: Signature) -> Misfit | None:
        """Everything counted but CPU, which depends on the claims."""
        free = signature.free
        for index, name, want in shape.demand:
            have = free[index] if index < len(free) else 0
            if want <= have:
                continue
            if self._is_claimed(shape, name) and name not in signature.static.node.allocatable:
                continue  # no device plugin offers it here: devices do
            return Misfit("InsufficientResource", name, want, max(0, have))
        return None

    def _is_claimed(self, shape: Shape, name: str) -> bool:
        return name in shape.covered or (shape.has_claims and name in self._extended)

    def static(self, shape: Shape, static: Static) -> Misfit | None:
        try:
            return static.verdicts[shape.number]
        except KeyError:
            found = static.verdicts[shape.number] = static_misfit(shape.pod, static.node)
            return found

    def after(
        self, shape: Shape, signature: Signature, own_core: bool, sign: int = -1
    ) -> tuple[int, ...]:
        """Free amounts once a pod of this shape is there (sign 1: gone), its claims apart."""
        free = list(signature.free)
        for index, _, amount in shape.demand:
            if index >= len(free):
                free += [0] * (index + 1 - len(free))
            free[index] += sign * amount
        if not own_core:
            free[CPU_INDEX] += sign * shape.cpu
        return tuple(free)

    # -- parts --------------------------------------------------------------------------------

    def _outcome(self, shape: Shape, signature: Signature, crowd: Crowd) -> Outcome | Misfit:
        misfit = self.static(shape, signature.static) or self.amounts_misfit(shape, signature)
        if misfit is not None:
            return misfit
        layout, held = signature.layout, signature.held
        found: tuple[Allocation, ...] | Misfit = ()
        asked = shape.claims_on(signature.static.node) if shape.claims else []
        wanted = tuple([request for request in asked if request is not None])
        if wanted:
            found = layout.allocate(
                wanted, held, signature.shares, crowd, signature.static.node, self.terms
            )
            if isinstance(found, Misfit):
                return found
        made = iter(found)
        given = [next(made) if request is not None else None for request in asked]
        picks = [a and tuple([(r, layout.number_of[r.id]) for r in a.results]) for a in given]
        every = [pick for listed in picks if listed for pick in listed if not pick[0].admin]
        taken = [index for result, index in every if not result.shared]
        claimed = sum(layout.cpu_of[i] for i in taken)
        owns_cores = any(layout.is_core[i] for listed in picks if listed for _, i in listed)
        want = claimed + (0 if owns_cores else shape.cpu)
        have = max(0, signature.free[CPU_INDEX])
        if want > have:
            return Misfit("InsufficientCPU", CPU, want, have)
        free = self.after(shape, signature, owns_cores)
        if claimed:
            free = (free[0] - claimed, *free[1:])
        if layout.takes_more:
            mapped = self.mapped(layout, every, free)
            if isinstance(mapped, Misfit):
                return mapped
            free = mapped
        cores: dict[int, int] = {}
        for index in taken:
            held |= 1 << index
            core = layout.core_of[index]
            if core >= 0:
                cores[core] = cores.get(core, 0) + 1
        shares = signature.shares
        for result, index in every:
            if result.shared:
                consumed = tuple([(name, amount.nano) for name, amount in result.consumed])
                shares = with_share(shares, index, consumed, 1)
        return Outcome(
            self.of(signature.static, layout, free, held, signature.over, shares),
            owns_cores,
            tuple(picks),
            tuple(given),
            tuple(cores.items()),
        )

    def mapped(
        self, layout: Layout, given: Iterable[tuple[DeviceResult, int]], free: tuple[int, ...]
    ) -> tuple[int, ...] | Misfit:
        """Free amounts less what these devices take of the node, or what there is too little of."""
        left = list(free)
        for result, device in given:
            shared = tuple([(n, a.nano) for n, a in result.consumed]) if result.shared else None
            for name, want in layout.uses(device, shared):
                index = self.index_of(name)
                left += [0] * (index + 1 - len(left))
                if want > left[index]:
                    word = "InsufficientCPU" if name == CPU else "InsufficientResource"
                    return Misfit(word, name, want, max(0, left[index]))
                left[index] -= want
        return tuple(left)

    def _count_plain(self, shape: Shape, signature: Signature) -> int:
        if self.static(shape, signature.static) or self.amounts_misfit(shape, signature):
            return 0
        free = signature.free
        count = self._pods_max
        if shape.cpu:
            count = min(count, max(0, free[CPU_INDEX]) // shape.cpu)
        for index, name, want in shape.demand:
            here = name in signature.static.node.allocatable
            if here or not self._is_claimed(shape, name):
                count = min(count, free[index] // want)
        return count
