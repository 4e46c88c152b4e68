"""Decides which ranks of an elastic gang run together, and when that changes.

A formation is (generation, size): ranks 0..size-1 run together. The controller fixes it and
writes it to the pods; the agent carries it to the workers. See ARCHITECTURE.md, "Elastic gangs".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mizzen.base.names import (
    AWAITS_GENERATION,
    COMPLETION_INDEX,
    FORMATION_GENERATION,
    FORMATION_SIZE,
    JOIN_READY,
)
from mizzen.base.objects import Obj, annotations_of, has_condition, is_terminating, name_of, uid_of


@dataclass(frozen=True, slots=True)
class Rank:
    """One pod of the gang, as far as formations care; generations are 0 for "none"."""

    rank: int
    name: str = ""
    uid: str = ""
    phase: Literal["Pending", "Running", "Succeeded", "Failed"] = "Pending"
    is_bound: bool = False
    is_terminating: bool = False
    generation: int = 0  # of the formation it was last told
    size: int = 0
    awaits: int = 0  # it can join only this generation or a later one
    is_join_ready: bool = False

    @property
    def is_finished(self) -> bool:
        return self.phase in ("Succeeded", "Failed")

    @property
    def may_be_member(self) -> bool:
        return self.is_bound and not self.is_terminating and not self.is_finished

    def runs_in(self, generation: int) -> bool:
        """True if its worker is in this formation (or joins it without further notice)."""
        return (
            self.generation == generation > 0
            and self.rank < self.size
            and self.awaits <= generation
        )


@dataclass(frozen=True, slots=True)
class Formation:
    """Ranks 0..size-1 run together as the generation-th formation; generation 0: none yet."""

    generation: int
    size: int


def rank_of(pod: Obj) -> Rank:
    """Reads a pod. Errors: ValueError for a pod whose annotations are not ours."""
    annotations = annotations_of(pod)
    status: Obj = pod.get("status") or {}
    return Rank(
        rank=int(annotations[COMPLETION_INDEX]),
        name=name_of(pod),
        uid=uid_of(pod),
        phase=status.get("phase") or "Pending",
        is_bound=bool(pod["spec"].get("nodeName")),
        is_terminating=is_terminating(pod),
        generation=int(annotations.get(FORMATION_GENERATION) or 0),
        size=int(annotations.get(FORMATION_SIZE) or 0),
        awaits=int(annotations.get(AWAITS_GENERATION) or 0),
        is_join_ready=has_condition(pod, JOIN_READY),
    )


def current(ranks: Sequence[Rank]) -> Formation:
    """The newest formation that any pod has been given."""
    generation = max((rank.generation for rank in ranks), default=0)
    size = max((rank.size for rank in ranks if rank.generation == generation), default=0)
    return Formation(generation, size if generation else 0)


def members(ranks: Sequence[Rank]) -> list[Rank]:
    """The bound, non-terminating, unfinished pods with contiguous ranks from 0."""
    able = {rank.rank: rank for rank in ranks if rank.may_be_member}
    found: list[Rank] = []
    while len(found) in able:
        found.append(able[len(found)])
    return found


def is_finishing(ranks: Sequence[Rank], min_count: int) -> bool:
    """True if the gang is succeeding: some ranks are done and all others are still there to
    follow. Nothing re-forms then.

    With one of them gone for good the success of the others is void: they trained together,
    so they run again together, from the last step, which costs no step twice. So it is where rank 0
    starts anew, which others that do so wait for.
    """
    needed, done = _together(ranks, min_count), _done(ranks)
    able = {rank.rank for rank in ranks if rank.may_be_member and not _leads_anew(rank, ranks)}
    return bool(done & needed) and needed <= done | able


def is_complete(ranks: Sequence[Rank], min_count: int) -> bool:
    """True if every rank that trained together succeeded."""
    needed = _together(ranks, min_count)
    return bool(needed) and needed <= _done(ranks)


def next_formation(ranks: Sequence[Rank], min_count: int) -> Formation | None:
    """The formation to write now, or None when the current one stands or must be waited for.

    Due when the number of members changed or one awaits a newer generation; allowed when every
    member runs in the current one or is ready to join, and they are at least `min_count`.
    A generation that a member awaits may lie beyond the next one (all pods were replaced, the
    agent remembers more than they do): numbers are skipped then, they only have to rise.
    """
    now = current(ranks)
    ready = members(ranks)
    if is_finishing(ranks, min_count) or len(ready) < max(1, min_count):
        return None
    awaited = max(rank.awaits for rank in ready)
    is_due = len(ready) != now.size or any(not r.runs_in(now.generation) for r in ready)
    is_allowed = all(r.runs_in(now.generation) or r.is_join_ready for r in ready)
    if not is_due or not is_allowed:
        return None
    return Formation(max(now.generation + 1, awaited), len(ready))


def pods_to_notify(ranks: Sequence[Rank], formation: Formation) -> list[Rank]:
    """The pods that need the new formation: its members and those that leave for it."""
    now = current(ranks)
    inside = {rank.rank for rank in members(ranks)}
    return [
        rank
        for rank in sorted(ranks, key=lambda r: r.rank)
        if (rank.rank in inside and rank.may_be_member)
        or (rank.runs_in(now.generation) and not rank.is_finished)
    ]


def _together(ranks: Sequence[Rank], min_count: int) -> set[int]:
    """The ranks that succeed together or not at all: those of the current formation. A program
    that knows nothing of formations never has one: there it is all that were placed."""
    size = current(ranks).size
    if size == 0:
        placed = _able(ranks) | _done(ranks)
        while size in placed:
            size += 1
        size = size if size >= min_count else 0
    return set(range(size))


def _leads_anew(rank: Rank, ranks: Sequence[Rank]) -> bool:
    generation = current(ranks).generation
    return rank.rank == 0 and rank.awaits > generation > 0


def _able(ranks: Sequence[Rank]) -> set[int]:
    return {rank.rank for rank in ranks if rank.may_be_member}


def _done(ranks: Sequence[Rank]) -> set[int]:
    """The ranks that succeeded with the current formation, or without any.

    Who is being deleted, or waited for a formation and got none, ended because it was told to.
    """
    generation = current(ranks).generation
    return {
        r.rank
        for r in ranks
        if r.phase == "Succeeded"
        and not r.is_terminating
        and r.generation == generation
        and (generation > 0 or not r.is_join_ready)
    }
