"""All gangs that pods belong to, each checked against itself and the cluster's topology."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from functools import cached_property

from mizzen.base.objects import Key, Obj
from mizzen.base.resources import Resource
from mizzen.scheduler.core.conventions import hyper_nodes, kueue
from mizzen.scheduler.core.conventions.contradictions import contradiction
from mizzen.scheduler.core.conventions.gang import Gang, Membership, Refused
from mizzen.scheduler.core.conventions.levels import tree_of
from mizzen.scheduler.core.conventions.membership import gang_of
from mizzen.scheduler.core.conventions.topology import Topology
from mizzen.scheduler.core.conventions.watched import (
    HYPER_NODES,
    TOPOLOGIES,
    TOPOLOGIES_V1BETA1,
    owner_of,
)

Owners = Mapping[Resource, Mapping[Key, Obj]]


@dataclass(frozen=True)
class Surroundings:
    """The facts that gangs are read against: their owners by kind, priorities by class, labels of nodes.

    `labels` are asked for once, and only when a gang asks for topology.
    """

    owners: Owners
    classes: Mapping[str, int] = field(default_factory=dict[str, int])
    labels: Callable[[], Iterable[Mapping[str, str]]] = lambda: ()

    @cached_property
    def trees(self) -> tuple[Topology, ...]:
        """The cluster's own: Topology objects by name, then HyperNodes."""
        objects = {**self.owners.get(TOPOLOGIES_V1BETA1, {}), **self.owners.get(TOPOLOGIES, {})}
        found = [kueue.topology(objects[key]) for key in sorted(objects)]
        nodes = self.owners.get(HYPER_NODES, {})
        return (*found, *([hyper_nodes.tree(nodes.values())] if nodes else []))

    @cached_property
    def carried(self) -> Set[str]:
        """The label keys that some node carries."""
        return {key for labels in self.labels() for key in labels}


def gangs(memberships: Iterable[Membership], around: Surroundings) -> dict[Key, Gang]:
    """The gangs by name; one whose owner its pods must wait for is left out."""
    described: dict[Key, set[Gang]] = {}
    waiting: set[Key] = set()
    for member in memberships:
        if member.gang is None:
            continue
        said = described.setdefault(member.gang, set())
        if member.described is not None:
            said.add(member.described)
        if member.needs_owner:
            waiting.add(member.gang)
    result: dict[Key, Gang] = {}
    for key, said in described.items():
        found = owner_of(key)
        owner = around.owners.get(found[0], {}).get(found[1]) if found else None
        if owner is not None or key not in waiting:
            result[key] = checked(gang_of(key, owner, said, around.classes), around)
    return result


def checked(gang: Gang, around: Surroundings) -> Gang:
    """The gang with its tree, or with why it cannot be placed."""
    keys = gang.topology is not None or any(part.topology for part in gang.subgroups)
    tree = tree_of(gang, around.trees, around.carried) if keys else None
    if isinstance(tree, Refused):
        return replace(gang, refused=gang.refused or tree)
    return replace(gang, tree=tree, refused=contradiction(gang, tree))
