"""One topology tree over all nodes: domains by the values of node labels, outermost level first.

Domains and nodes are numbers, so that what is counted per domain can be a plain list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mizzen.scheduler.core.conventions.topology import Topology

HOSTNAME = "kubernetes.io/hostname"

# Levels that clouds and vendors label nodes with, outermost first; those no node has are left out.
WELL_KNOWN = (
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
    "topology.k8s.aws/network-node-layer-1",
    "topology.k8s.aws/network-node-layer-2",
    "topology.k8s.aws/network-node-layer-3",
    "cloud.google.com/gce-topology-block",
    "cloud.google.com/gce-topology-subblock",
    "cloud.provider.com/topology-block",
    "topology.mizzen.dev/block",
    "cloud.provider.com/topology-rack",
    "topology.mizzen.dev/rack",
    "nvidia.com/gpu.clique",
)

ROOT = 0
ABSENT = "\0"  # in a path: no such label; the empty value is a value like any other


class Tree:
    """Domains of the label levels; domain 0 is everything. Nodes only ever join.

    A node that is gone keeps its number and counts nothing. `parents[0]` is -1.
    A domain whose last value is ABSENT holds nodes that lack the level's label: it passes amounts on
    to its parent, and is no domain that anyone may ask for.
    """

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.levels = tuple(level for level in topology.levels if level != HOSTNAME)
        self.paths: list[tuple[str, ...]] = [()]
        self.parents: list[int] = [-1]
        self.children: list[list[int]] = [[]]
        self.nodes: list[list[int]] = [[]]  # of leaves
        self.by_level: list[list[int]] = [[] for _ in self.levels]  # domains one may ask for
        self.leaf_of: list[int] = []
        self._ids: dict[tuple[str, ...], int] = {(): ROOT}

    def add(self, labels: Mapping[str, str]) -> None:
        """The next node, with these labels."""
        get = labels.get
        path = tuple([get(level, ABSENT) for level in self.levels])
        leaf = self._ids.get(path)
        if leaf is None:
            leaf = self._domain(path)
        self.nodes[leaf].append(len(self.leaf_of))
        self.leaf_of.append(leaf)

    def path_of(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        return tuple([labels.get(level, ABSENT) for level in self.levels])

    def depth(self, key: str) -> int | None:
        """The level of a label key, 0 being the outermost; that of nodes is len(levels)."""
        if key == HOSTNAME:
            return len(self.levels)
        return self.levels.index(key) if key in self.levels else None

    def level_of(self, key: str) -> int:
        """As `depth`, of a level that the tree has."""
        depth = self.depth(key)
        assert depth is not None, f"the tree {self.levels} has no level {key}"
        return depth

    def domain_at(self, node: int, level: int) -> int:
        """As `domain_of`; the innermost level's domain is the node itself, as -1 - n."""
        return -1 - node if level >= len(self.levels) else self.domain_of(node, level)

    def domain_of(self, node: int, level: int) -> int:
        """The domain of this level that a node is in (-1: it lacks the label)."""
        domain = self.leaf_of[node]
        for _ in range(len(self.levels) - 1 - level):
            domain = self.parents[domain]
        return domain if self.paths[domain][level] != ABSENT else -1

    def grouped(self, nodes: Iterable[int], key: str) -> list[list[int]]:
        """Nodes by their domain of a label key ("": all are in one), in their order; those that lack
        the label are in none."""
        if not key:
            return [list(nodes)]
        level, found = self.level_of(key), dict[int, list[int]]()
        is_node = level >= len(self.levels)
        for node in nodes:
            domain = node if is_node else self.domain_of(node, level)
            if domain >= 0:
                found.setdefault(domain, []).append(node)
        return list(found.values())

    def nodes_in(self, domain: int) -> list[int]:
        """All nodes of a domain, in topology order."""
        if self.nodes[domain]:
            return self.nodes[domain]
        return [node for child in self.children[domain] for node in self.nodes_in(child)]

    def under(self, domain: int, level: int) -> list[int]:
        """The domains of a level inside another one (or itself), in order."""
        depth = level + 1
        if len(self.paths[domain]) >= depth:
            return [domain]
        found: list[int] = []
        for child in self.children[domain]:
            found += self.under(child, level)
        return [d for d in found if self.paths[d][-1] != ABSENT]

    def name(self, domain: int) -> str:
        values = [value or '""' for value in self.paths[domain] if value != ABSENT]
        return "/".join(values) or "the cluster"

    def _domain(self, path: tuple[str, ...]) -> int:
        found = self._ids.get(path)
        if found is not None:
            return found
        parent = self._domain(path[:-1])
        number = self._ids[path] = len(self.paths)
        self.paths.append(path)
        self.parents.append(parent)
        self.children.append([])
        self.nodes.append([])
        self.children[parent].append(number)
        if path[-1] != ABSENT:
            self.by_level[len(path) - 1].append(number)
        return number
