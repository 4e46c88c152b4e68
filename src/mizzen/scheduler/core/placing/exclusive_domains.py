"""Domains that others have for themselves, and room kept for members that are yet to be made.

A group that asks for a domain of a level alone (`TopologyRequest.exclusive`) shares none with
another group that asks for one of that level, whatever its convention or namespace; those that do
not ask may be there. A group is a gang, or, where a subgroup asks, that subgroup. Pods count from
their promised place until they are gone.
Source: the required anti-affinity that JobSet's and LeaderWorkerSet's pod webhooks write.
"""

from __future__ import annotations

from mizzen.base.objects import Key
from mizzen.scheduler.core.cluster.state import Cluster
from mizzen.scheduler.core.cluster.tree import Tree
from mizzen.scheduler.core.conventions.topology import TopologyRequest

FREE: frozenset[int] = frozenset()


def held(
    cluster: Cluster, tree: Tree, topology: TopologyRequest, gang: Key | None, subgroup: str
) -> frozenset[int]:
    """The domains of the level asked for alone that other groups have; node n is -1 - n.

    `subgroup` is the one that asks, "" for the whole gang. Looks at every member of the
    gangs that ask for such a thing.
    """
    level = tree.depth(topology.exclusive) if topology.exclusive else None
    if level is None:
        return FREE
    found: set[int] = set()
    for other, asking in cluster.exclusive.items():
        whole = asking.topology is not None and asking.topology.exclusive == topology.exclusive
        subgroups = {
            p.name
            for p in asking.subgroups
            if p.topology is not None and p.topology.exclusive == topology.exclusive
        }
        for pod in cluster.members.get(other, {}).values():
            place = cluster.holdings.charged.get(pod.uid)
            if place is None:
                continue
            name = pod.membership.subgroup
            if other == gang:
                counts = bool(subgroup) and name != subgroup and name in subgroups
            else:
                counts = whole or name in subgroups
            if counts:
                found.add(tree.domain_at(place[0], level))
    return frozenset(found - {-1} if level < len(tree.levels) else found)


def is_held(tree: Tree, domain: int, level: int, taken: frozenset[int]) -> bool:
    """True if a domain (a node, if negative) lies in one of those; a wider one never does."""
    if not taken:
        return False
    if domain < 0:
        return tree.domain_at(-1 - domain, level) in taken
    while len(tree.paths[domain]) > level + 1:
        domain = tree.parents[domain]
    return domain in taken


def nodes_of_subgroup(cluster: Cluster, gang: Key | None, subgroup: str) -> tuple[int, ...]:
    """Nodes where members of a subgroup are or have been promised a place."""
    members = cluster.members.get(gang, {}).values() if gang is not None else ()
    charged = cluster.holdings.charged
    places = [charged.get(p.uid) for p in members if p.membership.subgroup == subgroup]
    return tuple([place[0] for place in places if place is not None])


def to_come(cluster: Cluster, gang: Key | None, subgroup: str) -> int:
    """The number of members of the gang, or of one subgroup, still to be made."""
    group = cluster.gangs.get(gang) if gang is not None else None
    if group is None or gang is None:
        return 0
    listed = group.subgroup(subgroup)
    count = group.count if not subgroup else listed.count if listed is not None else 0
    members = cluster.members.get(gang, {}).values() if count else ()
    there = sum(1 for pod in members if not subgroup or pod.membership.subgroup == subgroup)
    return max(0, count - there)
