"""Places for a gang: one domain of the level it requires, as far in as it fits, tight, all or none.

Levels are tried from the one preferred (else the innermost: one node) outwards to the one required.
At each the tightest domain that takes all is filled; members get places in order of rank along
the topology, so that neighbours in rank are neighbours in the network. Parts of a gang that ask
something of their own are placed one after the other inside the domain of the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mizzen.scheduler.core.cluster.signatures import Shape
from mizzen.scheduler.core.cluster.tree import ROOT, Tree
from mizzen.scheduler.core.conventions.topology import Topology, TopologyRequest
from mizzen.scheduler.core.misfit import Misfit
from mizzen.scheduler.core.placing.ask import NOTHING, Ask
from mizzen.scheduler.core.placing.counts import Counts, Fill, Slices
from mizzen.scheduler.core.placing.room import Misfits, Room
from mizzen.scheduler.core.types import Placement, PodSpecView

TIGHT_MAX = 8  # domains tried at a level that is only preferred, where several must fit together
Indices = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Short:
    """Why a gang has no places: `before` members fitted before `pod` did not."""

    pod: PodSpecView
    misfits: Misfits
    before: int
    is_loose: bool = False  # counting promised room that was not there: ask again, one by one


@dataclass(frozen=True, slots=True)
class _Task:
    """Members by shape, in order of rank, what they ask together, and the tree that it is about.

    They go into the domain `within`; members that run already are on the nodes `around`.
    """

    room: Room
    pods: Sequence[PodSpecView]
    shapes: Sequence[Shape]
    members: Indices
    groups: tuple[tuple[Shape, Indices], ...]
    topology: Topology
    tree: Tree
    wish: TopologyRequest
    slices: Slices
    within: int
    around: tuple[int, ...]

    @property
    def required(self) -> int:
        """The level that all must share, -1 for none."""
        return level_of(self.tree, self.wish.required) if self.wish.required else -1

    @property
    def preferred(self) -> int:
        if self.wish.preferred:
            return level_of(self.tree, self.wish.preferred)
        return len(self.tree.levels)

    def counts(self, shape: Shape) -> Counts:
        return self.room.counts(shape, self.topology, self.slices)


def place(
    room: Room, pods: Sequence[PodSpecView], shapes: Sequence[Shape], ask: Ask
) -> tuple[Placement, ...] | Short:
    """Puts all pods, whose shapes are countable, into the room, or leaves it as it was."""
    nodes = room.cluster.nodes
    topology = ask.tree or nodes.topology_for(ask.keys, room.cluster.topologies.values())
    around = tuple([nodes.index[name] for name in ask.beside if name in nodes.index])
    everyone = tuple(range(len(pods)))
    task = _task(room, pods, shapes, everyone, topology, ask.wish, ROOT, around)
    placements: dict[int, Placement] = {}
    chunks = _chunks(task, ask)
    for domain in _candidates(task):
        done = (
            _fill(task, domain, placements)
            if chunks is None
            else _fill_chunks(task, chunks, domain, placements)
        )
        if done:
            return tuple([placements[i] for i in everyone])
    return _short(task)


def level_of(tree: Tree, key: str) -> int:
    """The depth of a level that the tree has; that of nodes is one below its last."""
    depth = tree.depth(key)
    assert depth is not None, f"the tree {tree.levels} has no level {key}"
    return depth


def _task(
    room: Room,
    pods: Sequence[PodSpecView],
    shapes: Sequence[Shape],
    members: Indices,
    topology: Topology,
    wish: TopologyRequest,
    within: int,
    around: tuple[int, ...],
) -> _Task:
    tree = room.cluster.nodes.tree(topology)
    grouped: dict[int, tuple[Shape, list[int]]] = {}
    for index in members:
        shape = shapes[index]
        grouped.setdefault(shape.number, (shape, []))[1].append(index)
    groups = tuple((shape, tuple(indices)) for shape, indices in grouped.values())
    slices: Slices = ()
    if len(groups) == 1:
        slices = tuple((level_of(tree, s.required), s.size) for s in wish.slices)
    return _Task(room, pods, shapes, members, groups, topology, tree, wish, slices, within, around)


# -- which domains ------------------------------------------------------------------------------


def _candidates(task: _Task) -> Iterator[int]:
    """Domains that may take all, the best first. A negative one, -1 - n, is node n."""
    required = task.required
    for level in range(max(task.preferred, required), required - 1, -1):
        if level < 0:
            yield task.within
        elif level == len(task.tree.levels):
            yield from _nodes(task, is_last=level == required)
        else:
            yield from _domains(task, level, is_last=level == required)


def _nodes(task: _Task, *, is_last: bool) -> Iterable[int]:
    """One node for all, where that is asked for or there are several members."""
    need = len(task.members)
    if need == 1 and not is_last:
        return
    if len(task.groups) == 1 and task.within == ROOT and not task.around:
        node = task.counts(task.groups[0][0]).best_node(need)
        if node >= 0 and _has_levels(task, task.tree.leaf_of[node]):
            yield -1 - node
        return
    if not is_last:
        return
    counted = [(task.counts(shape).per_node, len(indices)) for shape, indices in task.groups]
    allowed = set(task.around) or task.tree.nodes_in(task.within)
    if len(task.around) and len(set(task.around)) > 1:
        return
    found = [n for n in allowed if all(fits[n] >= count for fits, count in counted)]
    yield from [-1 - n for n in sorted(found, key=lambda n: (counted[0][0][n], n))]


def _domains(task: _Task, level: int, *, is_last: bool) -> Iterable[int]:
    tree = task.tree
    if task.around:
        yield from _around(task, level, is_last=is_last)
        return
    if len(task.groups) == 1 and task.within == ROOT:
        domain = task.counts(task.groups[0][0]).best_domain(level, len(task.members))
        if domain < 0:
            return
        if _has_levels(task, domain):
            yield domain
            if not (is_last and task.wish.slices):
                return
    listed = tree.by_level[level] if task.within == ROOT else tree.under(task.within, level)
    found = _roomy(task, listed)
    yield from found if is_last else found[:TIGHT_MAX]


def _around(task: _Task, level: int, *, is_last: bool) -> Iterable[int]:
    """Where members run already: their domain, or one inside the domain they must share."""
    tree = task.tree
    here = {tree.domain_of(node, level) for node in task.around}
    if len(here) == 1 and -1 not in here:
        yield from _roomy(task, here)
    if is_last:
        return
    required = task.required
    shared = {tree.domain_of(node, required) for node in task.around} if required >= 0 else {ROOT}
    if len(shared) == 1 and -1 not in shared:
        yield from _roomy(task, tree.under(shared.pop(), level))[:TIGHT_MAX]


def _has_levels(task: _Task, domain: int) -> bool:
    """Whether the domain lies in one of the level required, its nodes carrying that label."""
    required, path = task.required, task.tree.paths[domain]
    return required < 0 or required >= len(path) or bool(path[required])


def _roomy(task: _Task, domains: Iterable[int]) -> list[int]:
    """Domains in which every shape, alone, has room; the tightest first."""
    counted = [(task.counts(shape).totals, len(indices)) for shape, indices in task.groups]
    found = [
        d
        for d in domains
        if all(totals[d] >= need for totals, need in counted) and _has_levels(task, d)
    ]
    totals = counted[0][0]
    found.sort(key=lambda d: (totals[d], d))
    return found


# -- filling one ----------------------------------------------------------------------------------


def _fill(task: _Task, domain: int, placements: dict[int, Placement]) -> bool:
    """Puts all members into one domain, or leaves the room as it was.

    Of several shapes, the one with the least room to choose from goes first.
    """
    room = task.room
    order = task.groups
    if len(order) > 1:
        where = max(domain, ROOT)
        order = sorted(order, key=lambda g: task.counts(g[0]).totals[where] - len(g[1]))
    mark = room.mark()
    for shape, indices in order:
        counts = task.counts(shape)
        if domain < 0:
            fill = [(-1 - domain, len(indices))]
        elif counts.totals[domain] < len(indices):
            room.rollback(mark)
            return False
        else:
            fill = _in_runs(task, counts.fill(domain, len(indices)))
        if not _put(task, shape, indices, fill, placements):
            room.rollback(mark)
            return False
    return True


def _put(
    task: _Task, shape: Shape, indices: Sequence[int], fill: Fill, placements: dict[int, Placement]
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
    tree = task.tree

    def domain_of(node: int) -> int:
        return -1 - node if level >= len(tree.levels) else tree.domain_of(node, level)

    domains: dict[int, int] = {}
    for node, count in fill:
        domain = domain_of(node)
        domains[domain] = domains.get(domain, 0) + count
    broken = {d for d, count in domains.items() if count % size}
    return sorted(fill, key=lambda e: domain_of(e[0]) in broken) if broken else fill


# -- parts and runs with wishes of their own ----------------------------------------------------


def _chunks(task: _Task, ask: Ask) -> list[tuple[Indices, TopologyRequest]] | None:
    """The members cut into what is placed in one go each; None when all of them are."""
    by_part: dict[str, list[int]] = {}
    for index in task.members:
        name = task.pods[index].membership.subgroup
        by_part.setdefault(name if ask.part_of(name) else "", []).append(index)
    if len(by_part) > 1 or "" not in by_part:
        found: list[tuple[Indices, TopologyRequest]] = []
        for name, indices in by_part.items():
            wish = ask.part_of(name) or NOTHING
            found += _runs(task, tuple(indices), wish)
        return found
    if len(task.groups) > 1 and task.wish.slices:
        whole = TopologyRequest(
            subgroup_size=task.wish.subgroup_size,
            subgroup_required=task.wish.subgroup_required,
            inner=task.wish.inner,
        )
        return _runs(task, task.members, whole)
    return None


def _runs(
    task: _Task, indices: Indices, wish: TopologyRequest
) -> list[tuple[Indices, TopologyRequest]]:
    """A part, or, where members of several shapes share its slices, the slices one by one."""
    if not wish.slices or len({task.shapes[i].number for i in indices}) == 1:
        return [(indices, wish)]
    outer, rest = wish.slices[0], wish.slices[1:]
    inner = TopologyRequest(
        required=outer.required,
        subgroup_size=rest[0].size if rest else 0,
        subgroup_required=rest[0].required if rest else "",
        inner=rest[1:],
    )
    starts = range(0, len(indices), outer.size)
    return [(indices[start : start + outer.size], inner) for start in starts]


def _fill_chunks(
    task: _Task,
    chunks: Iterable[tuple[Indices, TopologyRequest]],
    domain: int,
    placements: dict[int, Placement],
) -> bool:
    """Every chunk has its wish inside the domain, or the room is left as it was."""
    if domain < 0:
        return _fill(task, domain, placements)
    mark = task.room.mark()
    for members, wish in chunks:
        part = _task(task.room, task.pods, task.shapes, members, task.topology, wish, domain, ())
        if not any(_fill(part, inside, placements) for inside in _candidates(part)):
            task.room.rollback(mark)
            return False
    return True


# -- reasons ----------------------------------------------------------------------------------------


def _short(task: _Task) -> Short:
    """What keeps the first member out that finds no place: too few nodes, or too small domains."""
    room, wish = task.room, task.wish
    shape, indices = task.groups[0]
    for other, members in task.groups:
        if task.counts(other).totals[ROOT] < len(members):
            shape, indices = other, members
            break
    counts = task.counts(shape)
    everywhere = counts.totals[ROOT]
    loose = Short(task.pods[0], (), 0, is_loose=True)
    if everywhere < len(indices) and not task.slices:
        mark = room.mark()
        fits = not everywhere or _put(task, shape, indices, counts.fill(ROOT, everywhere), {})
        misfits = room.misfits(shape)
        room.rollback(mark)
        return Short(task.pods[indices[everywhere]], misfits, everywhere) if fits else loose
    key = wish.required or wish.subgroup_required
    if not key:
        return loose
    level = level_of(task.tree, key)
    most = counts.most(level)
    if level < len(task.tree.levels) and task.around:
        here = {task.tree.domain_of(node, level) for node in task.around} - {-1}
        most = max((counts.totals[d] for d in here), default=0)
    want = len(task.members) if wish.required else wish.subgroup_size
    why = Misfit("DomainTooSmall", key, want, most)
    return Short(task.pods[0], ((why, len(room.cluster.nodes)),), 0)
