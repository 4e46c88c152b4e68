"""What a gang's members want of the topology, as placing is asked it."""

from __future__ import annotations

from dataclasses import dataclass

from mizzen.scheduler.core.conventions.gang import Subgroup
from mizzen.scheduler.core.conventions.topology import Topology, TopologyRequest

NOTHING = TopologyRequest()


@dataclass(frozen=True, slots=True)
class Ask:
    """`wish` binds all members, with what already runs `beside` on these nodes; `parts` each of
    their own besides. `part` is the subgroup whose wish it is, "" for the gang. `tree` has all levels asked for; None: the default one, or any that does.
    """

    wish: TopologyRequest = NOTHING
    tree: Topology | None = None
    parts: tuple[Subgroup, ...] = ()
    beside: tuple[str, ...] = ()
    part: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """Every label key asked for."""
        found = dict.fromkeys(self.wish.keys)
        for part in self.parts:
            found |= dict.fromkeys(part.topology.keys if part.topology else ())
        return tuple(found)

    def part_of(self, subgroup: str) -> TopologyRequest | None:
        """What a subgroup asks for itself."""
        return next((p.topology for p in self.parts if p.name == subgroup), None)
