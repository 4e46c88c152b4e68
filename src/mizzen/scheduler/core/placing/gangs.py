"""Places for a gang: one domain of the level it requires, as far in as it fits, tight, all or none.

Levels are tried from the one preferred (else the innermost: one node) outwards to the one required.
At each the tightest domain that takes all is filled; members get places in order of rank along
the topology, so that neighbours in rank are neighbours in the network.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mizzen.scheduler.core.cluster.signatures import Shape
from mizzen.scheduler.core.cluster.tree import ROOT, Tree
from mizzen.scheduler.core.conventions.topology import Topology, TopologyRequest
from mizzen.scheduler.core.misfit import Misfit
from mizzen.scheduler.core.placing.counts import Counts, Fill, Slices
from mizzen.scheduler.core.placing.room import Misfits, Room
from mizzen.scheduler.core.types import Placement, PodSpecView

TIGHT_MAX = 8  # domains tried at a level that is only preferred, where several shapes must fit
ANYTHING = TopologyRequest()


@dataclass(frozen=True, slots=True)
class Short:
    """Why a gang has no places: `before` members fitted before `pod` did not."""

    pod: PodSpecView
    misfits: Misfits
    before: int
    is_loose: bool = False  # counting promised room that was not there: ask again, one by one


@dataclass(frozen=True, slots=True)
class _Task:
    """The members by shape, in order of rank, and the tree that their wish is about."""

    room: Room
    pods: Sequence[PodSpecView]
    groups: tuple[tuple[Shape, tuple[int, ...]], ...]
    topology: Topology
    tree: Tree
    slices: Slices

    def counts(self, shape: Shape) -> Counts:
        return self.room.counts(shape, self.topology, self.slices)


def place(
    room: Room,
    pods: Sequence[PodSpecView],
    shapes: Sequence[Shape],
    wish: TopologyRequest | None,
    beside: Sequence[str],
) -> tuple[Placement, ...] | Short:
    """Puts all pods, whose shapes are countable, into the room, or leaves it as it was."""
    wish = wish or ANYTHING
    nodes = room.cluster.nodes
    topology = nodes.topology_for(wish.keys, room.cluster.topologies.values())
    tree = nodes.tree(topology)
    grouped: dict[int, tuple[Shape, list[int]]] = {}
    for index, shape in enumerate(shapes):
        grouped.setdefault(shape.number, (shape, []))[1].append(index)
    groups = tuple((shape, tuple(indices)) for shape, indices in grouped.values())
    slices: Slices = ()
    if len(groups) == 1:
        slices = tuple((_level(tree, s.required), s.size) for s in wish.slices)
    task = _Task(room, pods, groups, topology, tree, slices)
    required = _level(tree, wish.required) if wish.required else -1
    if len(groups) > 1 and wish.slices:
        return _place_runs(room, pods, shapes, wish, beside)
    innermost = len(tree.levels)
    start = _level(tree, wish.preferred) if wish.preferred else innermost
    around = [nodes.index[name] for name in beside if name in nodes.index]
    for level in range(max(start, required), required - 1, -1):
        for domain in _candidates(task, level, around, required, is_last=level == required):
            found = _fill(task, domain)
            if found is not None:
                return found
    return _short(task, wish, required, around)


def _level(tree: Tree, key: str) -> int:
    depth = tree.depth(key)
    assert depth is not None, f"the tree {tree.levels} has no level {key}"
    return depth


def _candidates(
    task: _Task, level: int, around: Sequence[int], required: int, *, is_last: bool
) -> Iterable[int]:
    """Domains that may take all, the tightest first. A negative one, -1 - n, is node n."""
    tree = task.tree
    need = len(task.pods)
    if level < 0:
        yield ROOT
        return
    if level == len(tree.levels):
        if (len(task.groups) == 1 and need > 1) or is_last:
            node = task.counts(task.groups[0][0]).best_node(need)
            if node >= 0 and len(task.groups) == 1 and not around:
                yield -1 - node
        return
    anchors = {tree.domain_of(node, level) for node in around}
    inside = {tree.domain_of(node, required) for node in around} if required >= 0 else set[int]()
    if len(anchors) == 1 and -1 not in anchors:
        yield from anchors
    if inside:
        if len(inside) == 1 and level > required:
            under = task.counts(task.groups[0][0]).under(inside.pop(), level)
            yield from _roomy(task, under)[:TIGHT_MAX]
        return
    if len(task.groups) == 1:
        domain = task.counts(task.groups[0][0]).best_domain(level, need)
        if domain >= 0:
            yield domain
        return
    found = _roomy(task, tree.by_level[level])
    yield from found if is_last else found[:TIGHT_MAX]


def _roomy(task: _Task, domains: Iterable[int]) -> list[int]:
    """Domains in which every shape, alone, has room; the tightest first."""
    counted = [(task.counts(shape).totals, len(indices)) for shape, indices in task.groups]
    found = [d for d in domains if all(totals[d] >= need for totals, need in counted)]
    totals = counted[0][0]
    found.sort(key=lambda d: (totals[d], d))
    return found


def _fill(task: _Task, domain: int) -> tuple[Placement, ...] | None:
    """Puts all members into one domain, or leaves the room as it was.

    Of several shapes, the one with the least room to choose from goes first.
    """
    room = task.room
    if len(task.groups) == 1:
        order = task.groups
    else:
        order = sorted(
            task.groups, key=lambda g: task.counts(g[0]).totals[max(domain, 0)] - len(g[1])
        )
    mark = room.mark()
    placements: dict[int, Placement] = {}
    for shape, indices in order:
        counts = task.counts(shape)
        if domain < 0:
            fill = [(-1 - domain, len(indices))]
        elif counts.totals[domain] < len(indices):
            room.rollback(mark)
            return None
        else:
            fill = _in_runs(task, counts.fill(domain, len(indices)))
        if not _put(task, shape, indices, fill, placements):
            room.rollback(mark)
            return None
    return tuple([placements[i] for i in range(len(task.pods))])


def _put(
    task: _Task,
    shape: Shape,
    indices: Sequence[int],
    fill: Fill,
    placements: dict[int, Placement],
) -> bool:
    room, cluster = task.room, task.room.cluster
    sigs, outcome, crowd_of = cluster.nodes.sigs, cluster.signatures.outcome, cluster.holdings.crowd
    at = 0
    for node, count in fill:
        for _ in range(count):
            pod = task.pods[indices[at]]
            signature = sigs[node]
            assert signature is not None
            crowd = crowd_of(pod.gang, node) if signature.layout.has_cores else ()
            found = outcome(shape, signature, crowd)
            if isinstance(found, Misfit):
                return False
            placements[indices[at]] = room.put_outcome(pod, node, found)
            at += 1
    return True


def _in_runs(task: _Task, fill: Fill) -> Fill:
    """With slices, the domain that takes a run that is not whole comes last."""
    if not task.slices:
        return fill
    level, size = task.slices[0]
    domains: dict[int, int] = {}
    for node, count in fill:
        domain = _within(task.tree, node, level)
        domains[domain] = domains.get(domain, 0) + count
    broken = {d for d, count in domains.items() if count % size}
    return sorted(fill, key=lambda e: _within(task.tree, e[0], level) in broken)


def _within(tree: Tree, node: int, level: int) -> int:
    return -1 - node if level >= len(tree.levels) else tree.domain_of(node, level)


# -- runs of several shapes -------------------------------------------------------------------


def _place_runs(
    room: Room,
    pods: Sequence[PodSpecView],
    shapes: Sequence[Shape],
    wish: TopologyRequest,
    beside: Sequence[str],
) -> tuple[Placement, ...] | Short:
    """Runs of members of different shapes, each run in one domain, all in one where required."""
    outer = wish.slices[0]
    rest = wish.slices[1:]
    inner = TopologyRequest(
        required=outer.required,
        subgroup_size=rest[0].size if rest else 0,
        subgroup_required=rest[0].required if rest else "",
        inner=rest[1:],
    )
    nodes = room.cluster.nodes
    tree = nodes.tree(nodes.topology_for(wish.keys, room.cluster.topologies.values()))
    mark = room.mark()
    placements: list[Placement] = []
    domains: set[int] = set()
    level = _level(tree, wish.required) if wish.required else -1
    for start in range(0, len(pods), outer.size):
        end = start + outer.size
        found = place(room, pods[start:end], shapes[start:end], inner, ())
        if isinstance(found, Short):
            room.rollback(mark)
            return Short(found.pod, found.misfits, start + found.before)
        placements += found
        if level >= 0:
            domains |= {tree.domain_of(nodes.index[p.node], level) for p in found}
            if len(domains) > 1:
                room.rollback(mark)
                return Short(
                    pods[start], ((_too_small(wish.required, len(pods), start), len(nodes)),), start
                )
    return tuple(placements)


# -- reasons -----------------------------------------------------------------------------------


def _short(task: _Task, wish: TopologyRequest, required: int, around: Sequence[int]) -> Short:
    """What keeps the first member out that finds no place: too few nodes, or too small domains."""
    room = task.room
    shape, indices = task.groups[0]
    for other, members in task.groups:
        if task.counts(other).totals[ROOT] < len(members):
            shape, indices = other, members
            break
    counts = task.counts(shape)
    everywhere = counts.totals[ROOT]
    if not task.slices and (required < 0 or everywhere < len(indices)):
        if everywhere >= len(indices):
            return Short(task.pods[0], (), 0, is_loose=True)
        mark = room.mark()
        placed: dict[int, Placement] = {}
        fits = not everywhere or _put(task, shape, indices, counts.fill(ROOT, everywhere), placed)
        misfits = room.misfits(shape)
        room.rollback(mark)
        if not fits:
            return Short(task.pods[0], (), 0, is_loose=True)
        return Short(task.pods[indices[everywhere]], misfits, everywhere)
    if required < 0 and everywhere >= len(indices):
        return Short(task.pods[0], (), 0, is_loose=True)
    key = wish.required or wish.subgroup_required
    level = _level(task.tree, key)
    if level < len(task.tree.levels):
        most = max((counts.totals[d] for d in _allowed(task, level, around)), default=0)
    else:
        most = counts.most(level)
    want = len(task.pods) if wish.required else wish.subgroup_size
    why = _too_small(key, want, most)
    return Short(task.pods[0], ((why, len(room.cluster.nodes)),), 0)


def _allowed(task: _Task, level: int, around: Sequence[int]) -> Iterable[int]:
    anchors = {task.tree.domain_of(node, level) for node in around}
    return [d for d in task.tree.by_level[level] if not anchors or d in anchors]


def _too_small(key: str, want: int, have: int) -> Misfit:
    return Misfit("DomainTooSmall", key, want, have)
