"""Tries to give pods places, all or none, and says what did not fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mizzen.scheduler.core.cluster.signature import Shape
from mizzen.scheduler.core.misfit import Misfit
from mizzen.scheduler.core.placing import exact, exact_gangs, gangs
from mizzen.scheduler.core.placing.answer import Attempt
from mizzen.scheduler.core.placing.scheduling_constraints import SchedulingConstraints
from mizzen.scheduler.core.placing.single import place_counted
from mizzen.scheduler.core.placing.what_if import Misfits, WhatIf
from mizzen.scheduler.core.types import CPU, MEMORY, Placement, PodSpecView

ANYTHING = SchedulingConstraints()


@dataclass(slots=True)
class Placer:
    """Places pods in one cluster: the tightest place that keeps them together."""

    what_if: WhatIf

    def place(
        self,
        pods: Sequence[PodSpecView],
        constraints: SchedulingConstraints = ANYTHING,
        only: str = "",
    ) -> Attempt:
        """Assumes places for all of them, or none. `only` names a single node."""
        if not pods:
            return Attempt()
        if only and constraints.keys:
            node = self.what_if.cluster.nodes.index[only]
            return exact_gangs.place(self.what_if, pods, constraints, self._one_by_one, only=node)
        if only or (len(pods) == 1 and not constraints.keys):
            return self._one_by_one(pods, only, constraints.member_nodes)
        if any(p.nominated_node for p in pods) and not constraints.keys:
            return self._one_by_one(pods, only, constraints.member_nodes)
        shapes = [self.what_if.shape_of(pod) for pod in pods]
        if not all(map(self.what_if.is_countable, pods, shapes)):
            return exact_gangs.place(self.what_if, pods, constraints, self._one_by_one)
        found = gangs.place(self.what_if, pods, shapes, constraints)
        if not isinstance(found, gangs.Short):
            return Attempt(found)
        if found.is_loose:
            return exact_gangs.place(self.what_if, pods, constraints, self._one_by_one)
        return Attempt(pod=found.pod, misfits=found.misfits, before=found.before)

    def place_without(
        self,
        gone: Iterable[PodSpecView],
        pods: Sequence[PodSpecView],
        constraints: SchedulingConstraints = ANYTHING,
        only: str = "",
    ) -> Attempt:
        """The attempt to place these pods once others are gone; the cluster is left as it was."""
        mark = self.what_if.mark()
        for pod in gone:
            self.what_if.remove(pod)
        attempt = self.place(pods, constraints, only)
        self.what_if.rollback(mark)
        return attempt

    def _one_by_one(
        self,
        pods: Sequence[PodSpecView],
        only: str,
        member_nodes: Sequence[str],
        among: Sequence[int] = (),
    ) -> Attempt:
        found = self._in_order(pods, only, member_nodes, among)
        if found.fits or len(pods) == 1 or only:
            return found
        by_size = sorted(pods, key=_size, reverse=True)
        if by_size != list(pods):  # the small ones may have broken the place of a large one
            other = self._in_order(by_size, only, member_nodes, among)
            if other.fits:
                places = {placement.pod.key: placement for placement in other.placements}
                return Attempt(tuple([places[pod.key] for pod in pods]))
        for some in self._gatherings(pods, among):
            other = self._in_order(pods, only, member_nodes, some)
            if other.fits:
                return other
        return found

    def _gatherings(
        self, pods: Sequence[PodSpecView], among: Sequence[int]
    ) -> Iterator[Sequence[int]]:
        """Nodes where pods that must be near each other may all be: the first is free to go anywhere, and
        where it goes the others may find no room. Domains of what they share, the largest first."""
        nodes, most = self.what_if.cluster.nodes, self.what_if.cluster.limits.gatherings_max
        asked = dict.fromkeys(t.key for p in pods if p.neighbours for t in p.neighbours.near)
        for key in asked:
            grouped: dict[str, list[int]] = {}
            for number in among or sorted(nodes.live(), key=nodes.names.__getitem__):
                value = nodes.views[number].labels.get(key)
                if value is not None:
                    grouped.setdefault(value, []).append(number)
            yield from sorted(grouped.values(), key=len, reverse=True)[:most]

    def _in_order(
        self,
        pods: Sequence[PodSpecView],
        only: str,
        member_nodes: Sequence[str],
        among: Sequence[int],
    ) -> Attempt:
        mark, most = self.what_if.mark(), self.what_if.cluster.limits.near_nodes_max
        placements: list[Placement] = []
        for pod in pods:
            near = [*member_nodes, *(p.node for p in placements)][-most:]
            found = self.place_one(pod, near, only, among)
            if not isinstance(found, Placement):
                self.what_if.rollback(mark)
                return Attempt(pod=pod, misfits=found, before=len(placements))
            placements.append(found)
        return Attempt(tuple(placements))

    def place_one(
        self, pod: PodSpecView, near: Sequence[str], only: str = "", among: Sequence[int] = ()
    ) -> Placement | Misfits:
        """Puts one pod where victims left for it, beside its gang, or in the tightest place.

        `among`: the only nodes it may go to, when given.
        """
        what_if = self.what_if
        index = what_if.cluster.nodes.index
        shape = what_if.shape_of(pod)
        first = [index[n] for n in dict.fromkeys((pod.nominated_node, *near)) if n in index]
        if only:
            first = [index[only]]
        if among or not what_if.is_countable(pod, shape):
            return self._place_exact(pod, shape, first, only, among)
        for node in first:
            found = what_if.assume_on(pod, shape, node)
            if isinstance(found, Placement):
                return found
            if only:
                return ((found, 1),)
        placed = place_counted(what_if, pod, shape, first[-1] if first else -1)
        return placed if placed is not None else what_if.misfits(shape)

    def _place_exact(
        self,
        pod: PodSpecView,
        shape: Shape,
        first: Sequence[int],
        only: str,
        among: Sequence[int],
    ) -> Placement | Misfits:
        nodes = self.what_if.cluster.nodes
        candidates: Iterable[int] = among or sorted(nodes.live(), key=nodes.names.__getitem__)
        grouped: dict[Misfit, int] = {}
        for node in first if only else dict.fromkeys((*first, *candidates)):
            if among and node not in among:
                continue
            found = exact.fit(self.what_if, pod, shape, node)
            if isinstance(found, Placement):
                self.what_if.assume(found)
                return found
            grouped[found] = grouped.get(found, 0) + 1
        return tuple(grouped.items())


def _size(pod: PodSpecView) -> tuple[int, ...]:
    """The difficulty of placing a pod: devices, then CPU, then memory."""
    asked = dict(pod.shape.requests)
    counted = sum(n for name, n in asked.items() if "/" in name)
    return len(pod.claims) + counted, asked.get(CPU, 0), asked.get(MEMORY, 0)
