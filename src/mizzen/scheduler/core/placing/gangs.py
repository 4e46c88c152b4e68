"""Places for a gang: one domain of the level it requires, as far in as it fits, tight, all or none.

Levels are tried from the one preferred (else the innermost: one node) outwards to the one required.
At each the tightest domain that takes all is filled; members get places in order of rank along
the topology, so that neighbours in rank are neighbours in the network. Parts of a gang that ask
something of their own are placed one after the other inside the domain of the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mizzen.scheduler.core.cluster.signature import Shape
from mizzen.scheduler.core.cluster.tree import ABSENT, ROOT, Tree
from mizzen.scheduler.core.conventions.gang import Subgroup
from mizzen.scheduler.core.conventions.reading import request
from mizzen.scheduler.core.conventions.topology import TopologyRequest
from mizzen.scheduler.core.misfit import Misfit
from mizzen.scheduler.core.placing import exclusive_domains
from mizzen.scheduler.core.placing.counts import Counts, Fill, Slices
from mizzen.scheduler.core.placing.packing import pack
from mizzen.scheduler.core.placing.scheduling_constraints import NOTHING, SchedulingConstraints
from mizzen.scheduler.core.placing.what_if import Misfits, WhatIf
from mizzen.scheduler.core.types import Placement, PodSpecView

Indices = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Short:
    """The reason why a gang has no places: `before` members fitted before `pod` did not."""

    pod: PodSpecView
    misfits: Misfits
    before: int
    is_loose: bool = False  # counting promised room that was not there: ask again, one by one


@dataclass(frozen=True, slots=True)
class _Task:
    """Members by shape, in order of rank, what they ask together, and the tree that it is about.

    They go into the domain `within`; members that run already are on the nodes `around`. Their
    domain must have room for those `to_come` as well, and be none of those `held` by others.
    """

    what_if: WhatIf
    pods: Sequence[PodSpecView]
    shapes: Sequence[Shape]
    members: Indices
    groups: tuple[tuple[Shape, Indices], ...]
    tree: Tree
    topology: TopologyRequest
    slices: Slices
    within: int
    around: tuple[int, ...]
    to_come: int = 0
    held: frozenset[int] = exclusive_domains.FREE

    @property
    def required(self) -> int:
        """The level that all must share, -1 for none."""
        return self.tree.level_of(self.topology.required) if self.topology.required else -1

    @property
    def preferred(self) -> int:
        if self.to_come or self.topology.exclusive:
            return self.required  # the tightest whole domain; further in, it might be a wide one
        if self.topology.preferred:
            return self.tree.level_of(self.topology.preferred)
        return len(self.tree.levels)

    @property
    def need(self) -> int:
        return len(self.members) + self.to_come

    def may_use(self, domain: int) -> bool:
        """True if the domain (a node, if negative) is in one that these members may be in."""
        tree, required = self.tree, self.required
        path = tree.paths[domain if domain >= 0 else tree.leaf_of[-1 - domain]]
        if 0 <= required < len(path) and path[required] == ABSENT:
            return False
        level = tree.depth(self.topology.exclusive) if self.held else None
        return level is None or not exclusive_domains.is_held(tree, domain, level, self.held)

    def takes(self, node: int) -> bool:
        """True if one node (-1 - n) is where all these members may be, those around included."""
        level = self.required
        here = {self.tree.domain_at(n, level) for n in (-1 - node, *self.around)}
        return self.may_use(node) and (level < 0 or len(here) == 1)

    @property
    def tight_max(self) -> int:
        """Domains tried at a level that is only preferred, where several must fit together."""
        return self.what_if.cluster.limits.preferred_domains_max

    def counts(self, shape: Shape) -> Counts:
        return self.what_if.counts(shape, self.tree, self.slices)


def place(
    what_if: WhatIf,
    pods: Sequence[PodSpecView],
    shapes: Sequence[Shape],
    constraints: SchedulingConstraints,
) -> tuple[Placement, ...] | Short:
    """Assumes places for all pods, whose shapes are countable, or none."""
    nodes = what_if.cluster.nodes
    around = tuple([nodes.index[name] for name in constraints.member_nodes if name in nodes.index])
    everyone = tuple(range(len(pods)))
    task = _task(
        what_if,
        pods,
        shapes,
        everyone,
        what_if.tree_for(constraints),
        constraints.topology,
        ROOT,
        around,
        constraints.subgroup,
    )
    placements: dict[int, Placement] = {}
    chunks = _chunks(task, constraints)
    for domain in _candidates(task):
        done = (
            _fill(task, domain, placements)
            if chunks is None
            else _fill_chunks(task, chunks, constraints.subgroups, domain, placements)
        )
        if done:
            return tuple([placements[i] for i in everyone])
    return _short(task, constraints.subgroups)


def _task(
    what_if: WhatIf,
    pods: Sequence[PodSpecView],
    shapes: Sequence[Shape],
    members: Indices,
    tree: Tree,
    topology: TopologyRequest,
    within: int,
    around: tuple[int, ...],
    subgroup: str = "",
) -> _Task:
    grouped: dict[int, tuple[Shape, list[int]]] = {}
    for index in members:
        shape = shapes[index]
        grouped.setdefault(shape.number, (shape, []))[1].append(index)
    groups = tuple((shape, tuple(indices)) for shape, indices in grouped.values())
    slices: Slices = ()
    if len(groups) == 1 and not _has_rest(members, topology):
        slices = tuple((tree.level_of(s.required), s.size) for s in topology.slices)
    cluster, gang = what_if.cluster, pods[members[0]].gang
    return _Task(
        *(what_if, pods, shapes, members, groups, tree, topology, slices, within, around),
        to_come=exclusive_domains.to_come(cluster, gang, subgroup)
        if topology.required and not around
        else 0,
        held=exclusive_domains.held(cluster, tree, topology, gang, subgroup),
    )


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
    need = task.need
    if need == 1 and not is_last:
        return
    if len(task.groups) == 1 and task.within == ROOT and not task.around:
        node = task.counts(task.groups[0][0]).best_node(need)
        if node >= 0 and task.may_use(-1 - node):
            yield -1 - node
            return
        if node < 0 or not task.held:
            return
    if not is_last:
        return
    counted = [(task.counts(shape).per_node, count) for shape, count in _needs(task)]
    allowed = set(task.around) or task.tree.nodes_in(task.within)
    if len(task.around) and len(set(task.around)) > 1:
        return
    found = [n for n in allowed if all(fits[n] >= count for fits, count in counted)]
    found = [n for n in found if task.may_use(-1 - n)]
    yield from [-1 - n for n in sorted(found, key=lambda n: (counted[0][0][n], n))]


def _domains(task: _Task, level: int, *, is_last: bool) -> Iterable[int]:
    tree = task.tree
    if task.around:
        yield from _around(task, level, is_last=is_last)
        return
    if len(task.groups) == 1 and task.within == ROOT:
        domain = task.counts(task.groups[0][0]).best_domain(level, task.need)
        if domain < 0:
            return
        if task.may_use(domain):
            yield domain
            if not (is_last and task.topology.slices):
                return
    listed = tree.by_level[level] if task.within == ROOT else tree.under(task.within, level)
    found = _roomy(task, listed)
    yield from found if is_last else found[: task.tight_max]


def _around(task: _Task, level: int, *, is_last: bool) -> Iterable[int]:
    """Domains where members run already: theirs, or one inside the domain they must share."""
    tree = task.tree
    here = {tree.domain_of(node, level) for node in task.around}
    if len(here) == 1 and -1 not in here:
        yield from _roomy(task, here)
    if is_last:
        return
    required = task.required
    shared = {tree.domain_of(node, required) for node in task.around} if required >= 0 else {ROOT}
    if len(shared) == 1 and -1 not in shared:
        yield from _roomy(task, tree.under(shared.pop(), level))[: task.tight_max]


def _needs(task: _Task) -> list[tuple[Shape, int]]:
    """Room wanted for each shape; members to come are taken to be like most of those there."""
    most = max(task.groups, key=lambda group: len(group[1]))
    return [
        (shape, len(indices) + (task.to_come if shape is most[0] else 0))
        for shape, indices in task.groups
    ]


def _roomy(task: _Task, domains: Iterable[int]) -> list[int]:
    """Domains in which every shape, alone, has room; the tightest first."""
    counted = [(task.counts(shape).totals, need) for shape, need in _needs(task)]
    found = [
        d for d in domains if all(totals[d] >= need for totals, need in counted) and task.may_use(d)
    ]
    totals = counted[0][0]
    found.sort(key=lambda d: (totals[d], d))
    return found


# -- filling one ----------------------------------------------------------------------------------


def _fill(task: _Task, domain: int, placements: dict[int, Placement]) -> bool:
    """Puts all members into one domain, or none.

    Of several shapes, the one with the least room to choose from goes first; where that fails they
    are packed one by one.
    """
    if _fill_by_shape(task, domain, placements):
        return True
    if len(task.groups) == 1:
        return False
    nodes = [-1 - domain] if domain < 0 else task.tree.nodes_in(domain)
    listed = [(i, task.pods[i], shape) for shape, indices in task.groups for i in indices]
    packed = pack(task.what_if, listed, nodes)
    placements.update(packed)
    return bool(packed)


def _fill_by_shape(task: _Task, domain: int, placements: dict[int, Placement]) -> bool:
    what_if = task.what_if
    order = task.groups
    if len(order) > 1:
        where = max(domain, ROOT)
        order = sorted(order, key=lambda g: task.counts(g[0]).totals[where] - len(g[1]))
    mark = what_if.mark()
    for shape, indices in order:
        counts = task.counts(shape)
        if domain < 0:
            fill = [(-1 - domain, len(indices))]
        elif counts.totals[domain] < len(indices):
            what_if.rollback(mark)
            return False
        else:
            fill = counts.fill(domain, len(indices))
        if not _put(task, shape, indices, fill, placements):
            what_if.rollback(mark)
            return False
    return True


def _put(
    task: _Task, shape: Shape, indices: Sequence[int], fill: Fill, placements: dict[int, Placement]
) -> bool:
    what_if, cluster = task.what_if, task.what_if.cluster
    sigs, outcome, gang_cores_of = (
        cluster.nodes.sigs,
        cluster.signatures.outcome,
        cluster.holdings.gang_cores,
    )
    at = 0
    for node, count in fill:
        for _ in range(count):
            pod = task.pods[indices[at]]
            signature = sigs[node]
            assert signature is not None
            gang_cores = gang_cores_of(pod.gang, node) if signature.layout.has_cores else ()
            found = outcome(shape, signature, gang_cores)
            if isinstance(found, Misfit):
                return False
            placements[indices[at]] = what_if.assume_outcome(pod, node, found)
            at += 1
    return True


# -- subgroups and runs with requests of their own ----------------------------------------------


Chunk = tuple[Indices, TopologyRequest, str]  # "" for members without a part of their own


def _chunks(task: _Task, constraints: SchedulingConstraints) -> list[Chunk] | None:
    """The members cut into what is placed in one go each; None when all of them are."""
    by_part: dict[str, list[int]] = {}
    for index in task.members:
        name = task.pods[index].membership.subgroup
        by_part.setdefault(name if constraints.topology_of(name) else "", []).append(index)
    if len(by_part) > 1 or "" not in by_part:
        found: list[Chunk] = []
        for name, indices in by_part.items():
            topology = constraints.topology_of(name) or NOTHING
            found += _runs(task, tuple(indices), topology, name)
        return found
    own_slices = task.topology.exclusive not in ("", task.topology.required)
    is_mixed = len(task.groups) > 1 or _has_rest(task.members, task.topology)
    if task.topology.slices and (is_mixed or own_slices):
        alone = task.topology.exclusive if own_slices else ""
        whole = request(layers=task.topology.slices, exclusive=alone) or NOTHING
        return _runs(task, task.members, whole, constraints.subgroup)
    return None


def _has_rest(members: Sequence[int], topology: TopologyRequest) -> bool:
    """True if the last slice is not whole: counts of whole ones do not describe it."""
    return bool(topology.slices) and len(members) % topology.slices[0].size > 0


def _runs(task: _Task, indices: Indices, topology: TopologyRequest, subgroup: str) -> list[Chunk]:
    """A part; or its slices one by one, where several shapes share them, the last one is not whole,
    or each is to be alone."""
    own_slices = topology.exclusive not in ("", topology.required)
    is_uniform = len({task.shapes[i].number for i in indices}) == 1
    is_uniform = is_uniform and not _has_rest(indices, topology)
    if not topology.slices or (is_uniform and not own_slices):
        return [(indices, topology, subgroup)]
    outer = topology.slices[0]
    inner = request(outer.required, "", topology.slices[1:], topology.exclusive) or NOTHING
    starts = range(0, len(indices), outer.size)
    return [(indices[start : start + outer.size], inner, subgroup) for start in starts]


def _fill_chunks(
    task: _Task,
    chunks: Iterable[Chunk],
    subgroups: Iterable[Subgroup],
    domain: int,
    placements: dict[int, Placement],
) -> bool:
    """Every chunk has what it asks for inside the domain, or the cluster is left as it was."""
    what_if = task.what_if
    mark = what_if.mark()
    for members, topology, name in chunks:
        # Of a part whose slices are placed one by one, the others are not around the next.
        asked = next((p.topology for p in subgroups if p.name == name), None)
        pod = task.pods[members[0]]
        around = (
            exclusive_domains.nodes_of_subgroup(what_if.cluster, pod.gang, name)
            if topology is asked
            else ()
        )
        within = max(domain, ROOT)
        subgroup = _task(
            what_if, task.pods, task.shapes, members, task.tree, topology, within, around, name
        )
        inside = (
            _candidates(subgroup) if domain >= 0 else [domain] if subgroup.takes(domain) else []
        )
        if not any(_fill(subgroup, found, placements) for found in inside):
            what_if.rollback(mark)
            return False
    return True


# -- reasons ----------------------------------------------------------------------------------------


def _short(task: _Task, subgroups: Sequence[Subgroup]) -> Short:
    """The obstacle of the first member without a place: too few nodes, or too small domains."""
    what_if, topology = task.what_if, task.topology
    shape, indices = task.groups[0]
    for other, members in task.groups:
        if task.counts(other).totals[ROOT] < len(members):
            shape, indices = other, members
            break
    counts = task.counts(shape)
    everywhere = counts.totals[ROOT]
    loose = Short(task.pods[0], (), 0, is_loose=True)
    if everywhere < len(indices) and not task.slices:
        mark = what_if.mark()
        fits = not everywhere or _put(task, shape, indices, counts.fill(ROOT, everywhere), {})
        misfits = what_if.misfits(shape)
        what_if.rollback(mark)
        return Short(task.pods[indices[everywhere]], misfits, everywhere) if fits else loose
    key = topology.required or topology.subgroup_required
    if not key:
        return _short_of_subgroups(task, subgroups) if subgroups else loose
    level = task.tree.level_of(key)
    want = task.need if topology.required else topology.subgroup_size
    return Short(task.pods[0], _too_small(task, counts, level, key, want), 0)


def _too_small(task: _Task, counts: Counts, level: int, key: str, want: int) -> Misfits:
    """Domains with too little room for so many, and those with enough that others hold."""
    tree, nodes = task.tree, len(task.what_if.cluster.nodes)
    if level >= len(tree.levels):
        sizes = {-1 - n: count for n, count in enumerate(counts.per_node)}
    else:
        sizes = {d: counts.totals[d] for d in tree.by_level[level]}
    if task.around and level < len(tree.levels):
        here = {tree.domain_of(node, level) for node in task.around}
        sizes = {d: size for d, size in sizes.items() if d in here}
    free = {d: size for d, size in sizes.items() if task.may_use(d)}
    held = [d for d, size in sizes.items() if size >= want and d not in free]
    most = max(free.values(), default=0)
    if not held:
        return ((Misfit("DomainTooSmall", key, want, most), nodes),)
    lost = sum(1 if d < 0 else len(tree.nodes_in(d)) for d in held)
    taken = (Misfit("DomainHeld", key, len(held)), min(lost, nodes))
    rest = nodes - taken[1]
    return (taken, (Misfit("DomainTooSmall", key, want, most), rest)) if rest else (taken,)


def _short_of_subgroups(task: _Task, subgroups: Iterable[Subgroup]) -> Short:
    """The first part that finds no domain, those before it placed; else that they do not together."""
    what_if = task.what_if
    mark = what_if.mark()
    try:
        for members, topology, name in (
            _chunks(task, SchedulingConstraints(subgroups=tuple(subgroups))) or ()
        ):
            around = exclusive_domains.nodes_of_subgroup(
                what_if.cluster, task.pods[members[0]].gang, name
            )
            subgroup = _task(
                what_if, task.pods, task.shapes, members, task.tree, topology, ROOT, around, name
            )
            if not any(_fill(subgroup, found, {}) for found in _candidates(subgroup)):
                return _short(subgroup, ())
    finally:
        what_if.rollback(mark)
    return Short(task.pods[0], (), 0, is_loose=True)
