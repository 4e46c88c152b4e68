"""The queue cut into units that are placed together: single pods, and gangs by PodGroup."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mizzen.base.objects import Key
from mizzen.scheduler.core.types import PodSpecView, Queue, Snapshot


@dataclass(frozen=True, slots=True)
class Unit:
    """What is placed in one go: `pods` pending, in the order they should get places.

    `needed` of them must be placed together or none; the rest follow while they fit.
    `ready` is how many from the front may be placed at all: ranks stay contiguous from 0.
    `expected` is the gang's minimum, `staying` how many members run already.
    """

    subject: str
    pods: tuple[PodSpecView, ...]
    needed: int
    ready: int
    gang: Key | None = None
    expected: int = 1
    staying: int = 0

    @property
    def priority(self) -> int:
        return max(pod.priority for pod in self.pods)

    @property
    def lacks_members(self) -> bool:
        return self.ready < self.needed


def queue(pods: Iterable[PodSpecView]) -> Queue:
    """Most important first; among equals those with victims already leaving, then the oldest."""
    return Queue(
        tuple(
            sorted(
                pods, key=lambda p: (-p.priority, not p.nominated_node, p.created_ns, _natural(p))
            )
        )
    )


def units(snapshot: Snapshot, pending: Queue) -> list[Unit]:
    """The queue's units, each at the place of its most important pod."""
    members: dict[Key, list[PodSpecView]] = {}
    staying: dict[Key, list[PodSpecView]] = {}
    for pod in snapshot.pods.values():
        if pod.gang is not None and pod.stays:
            staying.setdefault(pod.gang, []).append(pod)
    for pod in pending.pods:
        if _gang_of(snapshot, pod):
            assert pod.gang is not None
            members.setdefault(pod.gang, []).append(pod)
    result: list[Unit] = []
    for pod in pending.pods:
        if not _gang_of(snapshot, pod):
            result.append(Unit(f'Pod "{pod.key}"', (pod,), needed=1, ready=1))
        elif pod.gang in members:
            running = staying.get(pod.gang, [])
            result.append(_gang_unit(snapshot, pod.gang, members.pop(pod.gang), running))
    return result


def by_rank(pod: PodSpecView) -> tuple[int, int, tuple[str, int, str]]:
    """The order in which a gang's members get places; they give them back in reverse."""
    return (0 if pod.rank is None else pod.rank, pod.created_ns, _natural(pod))


def _gang_of(snapshot: Snapshot, pod: PodSpecView) -> bool:
    """It is placed with others. A gang whose PodGroup is not there yet waits for it."""
    if pod.gang is None:
        return False
    group = snapshot.gangs.get(pod.gang)
    return group is None or group.min_count > 0


def _gang_unit(
    snapshot: Snapshot, gang: Key, pending: list[PodSpecView], staying: list[PodSpecView]
) -> Unit:
    group = snapshot.gangs.get(gang)
    expected = group.min_count if group else 1
    pending.sort(key=by_rank)
    return Unit(
        subject=f'gang "{gang}"',
        pods=tuple(pending),
        needed=max(0, expected - len(staying)),
        ready=_ready(staying, pending) if group else 0,
        gang=gang,
        expected=expected,
        staying=len(staying),
    )


def _ready(staying: list[PodSpecView], pending: list[PodSpecView]) -> int:
    """How many from the front continue the staying ranks without a hole; all, without ranks."""
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
