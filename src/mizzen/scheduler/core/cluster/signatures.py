"""All signatures that nodes have, and what pods' shapes do to them: worked out once, remembered."""

from __future__ import annotations

from mizzen.scheduler.core.cluster.layouts import GangCores, Layout, Over, Shares, Terms, with_share
from mizzen.scheduler.core.cluster.signature import Outcome, Shape, Signature, Static
from mizzen.scheduler.core.dra.model import Allocation
from mizzen.scheduler.core.fit import NodeFit, static_misfit
from mizzen.scheduler.core.limits import Limits
from mizzen.scheduler.core.misfit import Misfit


class Signatures:
    """All signatures there are, and what shapes do to them. Not a value: it remembers."""

    def __init__(self, terms: Terms, limits: Limits) -> None:
        self.terms = terms
        self._pods_max = limits.pods_counted_max
        self._spare_max = limits.spare_signatures_max
        self.fit = NodeFit(terms, limits.pods_counted_max)
        self.resources, self.index_of = self.fit.resources, self.fit.index_of
        self.table: dict[object, Signature] = {}

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

    def forget_answers(self) -> None:
        """After a change of what claims are read against, or of static classes."""
        for signature in self.table.values():
            signature.outcomes.clear()
            signature.counts.clear()
            signature.steps.clear()
            signature.static.verdicts.clear()
        self.fit.reread_classes()

    def sweep(self, nodes: int) -> None:
        """Drops signatures that no node has, once they are many; those in use stay the same."""
        if len(self.table) > 4 * nodes + self._spare_max:
            self.table = {k: s for k, s in self.table.items() if s.nodes}
            self.forget_answers()

    # -- questions --------------------------------------------------------------------------

    def outcome(
        self, shape: Shape, signature: Signature, gang_cores: GangCores = ()
    ) -> Outcome | Misfit:
        """The outcome of putting a pod of this shape there. `gang_cores`: see `Layout.allocate`."""
        key = (shape.number, gang_cores) if gang_cores else shape.number
        found = signature.outcomes.get(key)
        if found is None:
            found = signature.outcomes[key] = self._outcome(shape, signature, gang_cores)
        return found

    def count(self, shape: Shape, signature: Signature) -> int:
        """The number of pods of this shape that fit there one after another."""
        number = shape.number
        known = signature.counts.get(number)
        if known is not None:
            return known
        if not shape.claims:
            count = self.fit.count_plain(shape, signature, self.static(shape, signature.static))
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

    def static(self, shape: Shape, static: Static) -> Misfit | None:
        try:
            return static.verdicts[shape.number]
        except KeyError:
            found = static.verdicts[shape.number] = static_misfit(shape.pod, static.node)
            return found

    # -- parts --------------------------------------------------------------------------------

    def _outcome(
        self, shape: Shape, signature: Signature, gang_cores: GangCores
    ) -> Outcome | Misfit:
        misfit = self.fit.misfit(shape, signature, self.static(shape, signature.static))
        if misfit is not None:
            return misfit
        layout, held = signature.layout, signature.held
        found: tuple[Allocation, ...] | Misfit = ()
        asked = shape.claims_on(signature.static.node) if shape.claims else []
        wanted = tuple([request for request in asked if request is not None])
        if wanted:
            found = layout.allocate(
                wanted, held, signature.shares, gang_cores, signature.static.node, self.terms
            )
            if isinstance(found, Misfit):
                return found
        made = iter(found)
        given = [next(made) if request is not None else None for request in asked]
        picks = [a and tuple([(r, layout.number_of[r.id]) for r in a.results]) for a in given]
        every = [pick for listed in picks if listed for pick in listed if not pick[0].admin]
        owns_cores = any(layout.is_core[i] for listed in picks if listed for _, i in listed)
        free = self.fit.charged(shape, signature, every, owns_cores=owns_cores)
        if isinstance(free, Misfit):
            return free
        cores: dict[int, int] = {}
        shares = signature.shares
        for result, index in every:
            if result.shared:
                consumed = tuple([(name, amount.nano) for name, amount in result.consumed])
                shares = with_share(shares, index, consumed, 1)
                continue
            held |= 1 << index
            core = layout.core_of[index]
            if core >= 0:
                cores[core] = cores.get(core, 0) + 1
        return Outcome(
            self.of(signature.static, layout, free, held, signature.over, shares),
            owns_cores,
            tuple(picks),
            tuple(given),
            tuple(cores.items()),
        )
