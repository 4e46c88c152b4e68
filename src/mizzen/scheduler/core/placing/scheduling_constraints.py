"""The constraints of pods that are placed together, beyond what each of them says itself."""

from __future__ import annotations

from dataclasses import dataclass

from mizzen.scheduler.core.conventions.gang import Subgroup
from mizzen.scheduler.core.conventions.topology import Topology, TopologyRequest

NOTHING = TopologyRequest()


@dataclass(frozen=True, slots=True)
class SchedulingConstraints:
    """`topology` binds all of them, with those that run on `member_nodes` already.

    `subgroups` bind their own members besides. `subgroup` is the one that all of this is about, ""
    for the gang. `tree` has all levels asked for; None: the default one, or any that does.
    """

    topology: TopologyRequest = NOTHING
    tree: Topology | None = None
    subgroups: tuple[Subgroup, ...] = ()
    member_nodes: tuple[str, ...] = ()
    subgroup: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """Every label key asked for."""
        found = dict.fromkeys(self.topology.keys)
        for subgroup in self.subgroups:
            found |= dict.fromkeys(subgroup.topology.keys if subgroup.topology else ())
        return tuple(found)

    def topology_of(self, subgroup: str) -> TopologyRequest | None:
        """The request of a subgroup for its own members."""
        return next((p.topology for p in self.subgroups if p.name == subgroup), None)
