"""The queue cut into units that are placed together: single pods, and gangs by PodGroup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mizzen.base.objects import Key
from mizzen.scheduler.core.cluster.state import Cluster
from mizzen.scheduler.core.conventions.gang import Gang, Subgroup
from mizzen.scheduler.core.conventions.topology import Topology, TopologyRequest
from mizzen.scheduler.core.placing.scheduling_constraints import NOTHING, SchedulingConstraints
from mizzen.scheduler.core.types import PodSpecView

Together = tuple[Key, str]  # a gang, and the subgroup that starts on its own


@dataclass(frozen=True, slots=True)
class Unit:
    """Pods that are placed in one go: `pods` pending, in the order they should get places.

    `needed` of them must be placed together or none; the rest follow while they fit.
    `ready` is how many from the front may be placed at all: ranks stay contiguous from 0.
    `expected` is the gang's minimum, `staying` how many members run already. `short_of` names a
    subgroup that has too few members to start with.
    """

    subject: str
    pods: tuple[PodSpecView, ...]
    needed: int
    ready: int
    gang: Key | None = None
    expected: int = 1
    staying: int = 0
    short_of: str = ""
    member_nodes: tuple[str, ...] = ()  # where the gang's members run
    topology: TopologyRequest | None = None
    tree: Topology | None = None
    subgroups: tuple[Subgroup, ...] = ()  # subgroups that ask something of the topology themselves
    subgroup: str = ""  # the subgroup that it is, in a gang that starts in parts
    is_extra: bool = False  # a member beyond the minimum, which never preempts

    def constraints(self, member_nodes: Sequence[str]) -> SchedulingConstraints:
        """The constraints of its members, those that run on nodes already included."""
        return SchedulingConstraints(
            self.topology or NOTHING, self.tree, self.subgroups, tuple(member_nodes), self.subgroup
        )

    def alone(self, pod: PodSpecView) -> Unit:
        """One of its pods, placed for itself where its gang may be."""
        return Unit(
            f'Pod "{pod.key}"',
            (pod,),
            1,
            1,
            gang=self.gang,
            topology=self.topology,
            tree=self.tree,
            is_extra=True,
        )

    @property
    def priority(self) -> int:
        return max(pod.priority for pod in self.pods)

    @property
    def preempting(self) -> int:
        """The priority below which pods may be evicted for it: that of its least important member."""
        return min(pod.priority for pod in self.pods[: self.needed] or self.pods)

    @property
    def lacks_members(self) -> bool:
        return self.ready < self.needed or (self.needed > 0 and bool(self.short_of))


def queue(pods: Iterable[PodSpecView]) -> list[PodSpecView]:
    """Most important first; among equals those with victims already leaving, then the oldest."""
    return sorted(
        pods, key=lambda p: (-p.priority, not p.nominated_node, p.created_ns, _natural(p))
    )


def units(cluster: Cluster) -> list[Unit]:
    """All that waits, cut into units, each at the place of its most important pod."""
    pending = queue(cluster.waiting.values())
    members: dict[Together, list[PodSpecView]] = {}
    keys = [_together(cluster, pod) for pod in pending]
    for pod, together in zip(pending, keys, strict=True):
        if together is not None:
            members.setdefault(together, []).append(pod)
    result: list[Unit] = []
    for pod, together in zip(pending, keys, strict=True):
        if together is None:
            result.append(Unit(f'Pod "{pod.key}"', (pod,), needed=1, ready=1))
        elif together in members:
            known = [
                other
                for other in cluster.members[together[0]].values()
                if (other.stays or other.is_succeeded) and _together(cluster, other) == together
            ]
            waiting = members.pop(together)
            running = [other for other in known if other.stays]
            done = _done(known, [*waiting, *running])
            result.append(_gang_unit(cluster, together, waiting, running, done))
    return result


def by_rank(pod: PodSpecView) -> tuple[int, tuple[int, ...], int, tuple[str, int, str]]:
    """The order in which a gang's members get places; they give them back in reverse."""
    rank = 0 if pod.rank is None else pod.rank
    return (rank, pod.membership.order, pod.created_ns, _natural(pod))


def _together(cluster: Cluster, pod: PodSpecView) -> Together | None:
    """With whom it is placed: its gang, or its part of one that starts in parts; None: nobody.

    A gang whose object is not there yet waits for it, as does one that is refused.
    """
    if pod.gang is None:
        return None
    group = cluster.gangs.get(pod.gang)
    if group is None or group.min_count > 0 or group.refused is not None:
        return pod.gang, ""
    subgroup = group.subgroup(pod.membership.subgroup)
    return (pod.gang, subgroup.name) if subgroup is not None and subgroup.min_count > 0 else None


def _done(known: list[PodSpecView], live: list[PodSpecView]) -> list[PodSpecView]:
    """Members of an indexed Job that have succeeded for good: nobody is there again for their index.

    A member made anew after them needs no company that is not coming back. Of pods without an
    index, or of another Job in the same group, nobody can tell whose work is done.
    """
    succeeded = [pod for pod in known if pod.is_succeeded and pod.job]
    if not succeeded:
        return []
    again = {_place(pod) for pod in live}
    jobs = {pod.job for pod in live}
    found = [pod for pod in succeeded if pod.job in jobs]
    by_place = {_place(p): p for p in found if p.rank is not None or p.membership.order}
    return [pod for place, pod in by_place.items() if place not in again]


def _place(pod: PodSpecView) -> tuple[str, int | None, tuple[int, ...]]:
    return pod.membership.subgroup, pod.rank, pod.membership.order


def _gang_unit(
    cluster: Cluster,
    together: Together,
    pending: list[PodSpecView],
    staying: list[PodSpecView],
    done: list[PodSpecView],
) -> Unit:
    there = staying + done
    gang, name = together
    group = cluster.gangs.get(gang)
    subgroup = group.subgroup(name) if group is not None and name else None
    expected = subgroup.min_count if subgroup is not None else group.min_count if group else 1
    pending.sort(key=by_rank)
    if group is not None and subgroup is None:
        pending = _minima_first(group, pending, there)
    ready = _ready(there, pending) if group else 0
    if group is not None and group.max_count:
        ready = min(ready, max(0, group.max_count - len(staying)))
    return Unit(
        subject=f'gang "{gang}"' if subgroup is None else f'subgroup "{name}" of gang "{gang}"',
        pods=tuple(pending),
        needed=max(0, expected - len(there)),
        ready=ready,
        gang=gang,
        expected=expected,
        staying=len(staying),
        short_of=_short_of(group, pending, there) if group is not None else "",
        member_nodes=tuple([pod.node for pod in staying]),
        topology=(subgroup.topology if subgroup is not None else None)
        or (group.topology if group else None),
        tree=group.tree if group else None,
        subgroups=_asking_subgroups(group) if group is not None and subgroup is None else (),
        subgroup=name,
    )


def _asking_subgroups(group: Gang) -> tuple[Subgroup, ...]:
    return tuple(subgroup for subgroup in group.subgroups if subgroup.topology is not None)


def _minima_first(
    group: Gang, pending: list[PodSpecView], staying: list[PodSpecView]
) -> list[PodSpecView]:
    """The members without whom a subgroup would be below its minimum, then all others."""
    lacking = _lacking(group, staying)
    first: list[PodSpecView] = []
    others: list[PodSpecView] = []
    for pod in pending:
        name = pod.membership.subgroup
        if lacking.get(name, 0) > 0:
            lacking[name] -= 1
            first.append(pod)
        else:
            others.append(pod)
    return first + others


def _short_of(group: Gang, pending: list[PodSpecView], staying: list[PodSpecView]) -> str:
    """The first subgroup that has too few members for the gang to start; "" if none."""
    lacking = _lacking(group, staying)
    for pod in pending:
        if pod.membership.subgroup in lacking:
            lacking[pod.membership.subgroup] -= 1
    starts = group.min_count > 0
    return next((name for name in sorted(lacking) if starts and lacking[name] > 0), "")


def _lacking(group: Gang, staying: list[PodSpecView]) -> dict[str, int]:
    """The members each subgroup lacks to its minimum, of those that have one."""
    result = {
        subgroup.name: subgroup.min_count for subgroup in group.subgroups if subgroup.min_count
    }
    for pod in staying:
        if pod.membership.subgroup in result:
            result[pod.membership.subgroup] -= 1
    return result


def _ready(staying: list[PodSpecView], pending: list[PodSpecView]) -> int:
    """The number from the front that continue the staying ranks without a hole; all, without ranks."""
    if any(pod.rank is None for pod in pending):
        return len(pending)
    taken = {pod.rank for pod in staying}
    rank = 0
    for count, pod in enumerate(pending):
        while rank in taken:
            rank += 1
        if pod.rank != rank:
            return count
        rank += 1
    return len(pending)


def _natural(pod: PodSpecView) -> tuple[str, int, str]:
    """Names in counting order: worker-2 before worker-10."""
    head, _, last = str(pod.key).rpartition("-")
    return (head, int(last) if last.isdecimal() else 0, last)
