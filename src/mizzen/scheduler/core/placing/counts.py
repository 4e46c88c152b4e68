"""The number of pods of one shape that each node and domain takes, kept current by the nodes' journal."""

from __future__ import annotations

from mizzen.scheduler.core.cluster.buckets import Buckets
from mizzen.scheduler.core.cluster.nodes import Nodes
from mizzen.scheduler.core.cluster.signature import Shape, Signature
from mizzen.scheduler.core.cluster.tree import ABSENT, Tree

SCAN_MAX = 64  # children that are looked at one by one; more of them are kept in buckets

Slices = tuple[
    tuple[int, int], ...
]  # (level, pods): runs of so many in one domain of it, outermost first
Fill = list[tuple[int, int]]  # (node, pods) in topology order


class Counts:
    """One shape on one tree. Units: pods, in whole slices at the slices' levels and above.

    At the level of a slice (and above, up to the next outer slice) a domain counts only pods in
    whole slices; within it every pod counts. Nodes that lack the label of a slice's level count
    nothing: they are in no domain of it. `sync` must be called before asking.
    """

    def __init__(self, nodes: Nodes, tree: Tree, shape: Shape, slices: Slices = ()) -> None:
        self._nodes = nodes
        self.tree = tree
        self.shape = shape
        self.per_node: list[int] = []
        self.totals: list[int] = []
        self._depth = len(tree.levels)
        self._step = [1] * (self._depth + 1)  # by depth of a domain; the last is the nodes'
        self._node_step = 1
        self._sliced: list[int] = []  # levels that nodes must have the labels of
        for level, size in slices:
            if level < self._depth:
                self._sliced.append(level)
                self._step[level + 1] = size
            else:
                self._node_step = size
        self._children: dict[int, Buckets] = {}  # of leaves with many nodes, by domain
        self._levels: dict[int, Buckets] = {}  # all domains of a level
        self._node_most = 0  # no node ever took more
        self._position = -1
        self.sync()

    # -- keeping current -----------------------------------------------------------------------

    def sync(self) -> None:
        """Takes over what changed since the last time."""
        position = self._nodes.position()
        if position == self._position:
            return
        changed = self._nodes.changed_since(self._position) if self._position >= 0 else None
        if changed is None or len(changed) > len(self._nodes.sigs) // 2:
            self._count_all()
        else:
            self._grow()
            for node in set(changed) if len(changed) > 1 else changed:
                self._recount(node)
        self._position = position

    def _grow(self) -> None:
        """Nodes and domains that are new count nothing yet."""
        self.per_node += [0] * (len(self._nodes.sigs) - len(self.per_node))
        self.totals += [0] * (len(self.tree.paths) - len(self.totals))

    def _count_all(self) -> None:
        count, shape, step = self._nodes.signatures.count, self.shape, self._node_step
        known: dict[Signature | None, int] = {None: 0}
        for signature in self._nodes.groups():
            found = count(shape, signature)
            known[signature] = found - found % step
        self._node_most = max(self._node_most, *known.values())
        self.per_node = per_node = [known[signature] for signature in self._nodes.sigs]
        tree = self.tree
        if self._sliced:
            for domain, nodes in enumerate(tree.nodes):
                if nodes and self._is_outside(domain):
                    for node in nodes:
                        per_node[node] = 0
        totals = [0] * len(tree.paths)
        for domain in range(len(totals) - 1, -1, -1):  # children come after their parents
            nodes = tree.nodes[domain]
            total = totals[domain]
            if nodes and nodes[-1] - nodes[0] + 1 == len(nodes):
                total += sum(per_node[nodes[0] : nodes[-1] + 1])
            else:
                total += sum([per_node[node] for node in nodes])
            step = self._step[len(tree.paths[domain])]
            total -= total % step
            totals[domain] = total
            if domain:
                totals[tree.parents[domain]] += total
        self.totals = totals
        self._children.clear()
        self._levels.clear()

    def _recount(self, node: int) -> None:
        signature = self._nodes.sigs[node]
        new = 0
        if signature is not None:
            new = self._nodes.signatures.count(self.shape, signature)
            new -= new % self._node_step
        if self._sliced and self._is_outside(self.tree.leaf_of[node]):
            new = 0
        old = self.per_node[node]
        if new == old:
            return
        self.per_node[node] = new
        if new > self._node_most:
            self._node_most = new
        tree = self.tree
        domain = tree.leaf_of[node]
        buckets = self._children.get(domain)
        if buckets is not None:
            buckets.moved(node, old, new)
        if self._depth in self._levels:
            self._levels[self._depth].moved(node, old, new)
        self._update(domain, new - old)

    def _is_outside(self, leaf: int) -> bool:
        path = self.tree.paths[leaf]
        return ABSENT in path and any(path[level] == ABSENT for level in self._sliced)

    def _update(self, domain: int, delta: int) -> None:
        """Counts a leaf and all above it anew, as far as anything changes."""
        tree, per_node, totals = self.tree, self.per_node, self.totals
        while domain >= 0:
            depth = len(tree.paths[domain])
            step = self._step[depth]
            before = totals[domain]
            if step == 1:
                after = before + delta
            else:
                nodes = tree.nodes[domain]
                fresh = (
                    sum([per_node[n] for n in nodes])
                    if nodes
                    else sum([totals[c] for c in tree.children[domain]])
                )
                after = fresh - fresh % step
            if after == before:
                return
            totals[domain] = after
            level = self._levels.get(depth - 1)
            if level is not None and tree.paths[domain][-1] != ABSENT:
                level.moved(domain, before, after)
            delta = after - before
            domain = tree.parents[domain]

    # -- questions -----------------------------------------------------------------------------

    def best_domain(self, level: int, pods: int) -> int:
        """The domain of this level with the least room that takes all; -1 without one."""
        totals = self.totals
        listed = self.tree.by_level[level]
        if len(listed) <= SCAN_MAX:
            found, least = -1, 0
            for domain in listed:
                total = totals[domain]
                if total >= pods and (found < 0 or total < least):
                    found, least = domain, total
            return found
        buckets = self._levels.get(level)
        if buckets is None:
            buckets = self._levels[level] = Buckets(totals, listed)
        return buckets.least(pods)

    def best_node(self, pods: int) -> int:
        """The node with the least room that takes all; -1 without one."""
        if pods > self._node_most:
            return -1
        buckets = self._levels.get(self._depth)
        if buckets is None:
            buckets = self._levels[self._depth] = Buckets(self.per_node, range(len(self.per_node)))
        return buckets.least(pods)

    # -- filling -------------------------------------------------------------------------------

    def fill(self, domain: int, pods: int) -> Fill:
        """Pods dealt out to the nodes of a domain that takes them all: few and tight ones.

        One child that takes all that is left, the tightest; else the roomiest child whole, and on.
        """
        result: Fill = []
        self._fill(domain, pods, result)
        paths, leaf_of = self.tree.paths, self.tree.leaf_of
        if len(result) > 1:
            result.sort(key=lambda entry: (paths[leaf_of[entry[0]]], entry[0]))
        return result

    def _fill(self, domain: int, pods: int, result: Fill) -> None:
        nodes = self.tree.nodes[domain]
        if nodes:
            self._fill_leaf(domain, nodes, pods, result)
            return
        totals = self.totals
        children = self.tree.children[domain]
        room = sorted([(totals[c], -c) for c in children if totals[c]], reverse=True)
        for child, take in _shares(room, pods):
            self._fill(-child, take, result)

    def _fill_leaf(self, domain: int, nodes: list[int], pods: int, result: Fill) -> None:
        per_node = self.per_node
        if len(nodes) > SCAN_MAX:
            buckets = self._children.get(domain)
            if buckets is None:
                buckets = self._children[domain] = Buckets(per_node, nodes)
            node = buckets.least(pods)
            if node >= 0:
                result.append((node, pods))
                return
            room = self._roomiest(buckets, pods)
        else:
            room = sorted([(per_node[n], -n) for n in nodes if per_node[n]], reverse=True)
        for node, take in _shares(room, pods):
            result.append((-node, take))

    @staticmethod
    def _roomiest(buckets: Buckets, pods: int) -> list[tuple[int, int]]:
        """Enough nodes for all, the roomiest first, and those that are tight for the rest."""
        found: list[tuple[int, int]] = []
        left = pods
        for key, count in buckets.descending():
            items = buckets.lowest(key, max(0, -(-left // key)) + 1)
            found += [(key, -item) for item in items]
            left -= key * count
        return found


def _shares(room: list[tuple[int, int]], pods: int) -> list[tuple[int, int]]:
    """(child, pods) for children given as (room, child), the roomiest first.

    All that is left goes to the tightest child that takes it; until there is one, the roomiest
    child is used whole.
    """
    shares: list[tuple[int, int]] = []
    for index, (space, child) in enumerate(room):
        if space >= pods:
            best = child
            for other_space, other in room[index + 1 :]:
                if other_space < pods:
                    break
                if other_space < space:
                    space, best = other_space, other
            shares.append((best, pods))
            return shares
        shares.append((child, space))
        pods -= space
    raise AssertionError("a domain is filled with more than it takes")
