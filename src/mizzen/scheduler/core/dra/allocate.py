"""Devices for claims on one node: allocations, or why there are none.

`compat` is upstream's answer to the letter; `pack` is ours: the same requests and rules, devices in
an order that leaves more room (see `pack`). Oracles: upstream itself in tests/kubernetes, and an
exhaustive search in tests/oracle/allocation.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from mizzen.scheduler.core.dra.compat.constraints import kinds
from mizzen.scheduler.core.dra.constraints import EXACT, Tracker, tracker
from mizzen.scheduler.core.dra.counters import Ledger
from mizzen.scheduler.core.dra.foresight import is_hopeless
from mizzen.scheduler.core.dra.held import Taken
from mizzen.scheduler.core.dra.matching import Matching
from mizzen.scheduler.core.dra.model import (
    Allocation,
    AllocationError,
    ClaimRequest,
    DeviceClass,
    SubRequest,
)
from mizzen.scheduler.core.dra.nodes import Node
from mizzen.scheduler.core.dra.obstacle import obstacle
from mizzen.scheduler.core.dra.pack import Packing, Preference
from mizzen.scheduler.core.dra.pools import NodePool
from mizzen.scheduler.core.dra.requests import Alternative, Board, Candidate
from mizzen.scheduler.core.dra.result import allocations
from mizzen.scheduler.core.dra.search import Search, SearchTooLong

SEARCH_STEPS_MAX = 100_000  # devices tried for one node; the search is exponential

Order = Literal["compat", "pack"]


@dataclass(frozen=True, slots=True)
class Shortage:
    """Too few devices: of `matching` ones for the request, `in_use` are taken."""

    device_class: str
    want: int
    matching: int
    in_use: int
    of_class: int
    problem: str = ""
    sub: SubRequest | None = field(default=None, compare=False)  # which of the claim's requests


@dataclass(frozen=True, slots=True)
class Refusal:
    """The claims cannot be allocated on any node until someone changes them (or gives up)."""

    word: str
    detail: str


def allocate(
    claims: Sequence[ClaimRequest],
    node: Node,
    pools: Sequence[NodePool],
    held: Taken,
    *,
    classes: Mapping[str, DeviceClass],
    matching: Matching,
    order: Order = "compat",
    prefer: Preference | None = None,
    steps_max: int = SEARCH_STEPS_MAX,
) -> tuple[Allocation, ...] | Shortage | Refusal:
    """One Allocation per claim, in order; devices are given twice only where they may be shared.

    Errors: AllocationError when upstream would fail the whole scheduling attempt.
    """
    features = matching.features
    board = Board(claims, node, pools, classes, matching, features, held)
    board.prepare()
    exact = order == "pack"
    trackers = [_trackers(index, board, exact) for index in range(len(claims))]
    ledger = Ledger(held, by_name=not exact, shares=features.variant != "stable")
    search = Search(board, trackers, ledger, steps_max)
    if exact:
        search.order = Packing(board, ledger, prefer)
    try:
        if not is_hopeless(board) and search.run():
            return allocations(search)
    except SearchTooLong:
        return Refusal(
            "SearchTooLong",
            f"no devices were found in {steps_max} steps; ask for fewer or name them closer",
        )
    for pool in pools:
        if pool.state == "invalid":
            raise AllocationError(
                f"resource pool {pool} is invalid: {pool.problem}; nothing else fits"
            )
    return shortage(board)


def _trackers(index: int, board: Board, exact: bool) -> list[Tracker]:
    found: list[Tracker] = []
    for at, constraint in enumerate(board.claims[index].constraints):
        made = tracker(constraint, board.features, EXACT if exact else kinds(board.features))
        if made is None:
            raise AllocationError(f"claim #{index}, constraint #{at}: is of no kind known here")
        found.append(made)
    return found


def shortage(board: Board) -> Shortage | Refusal:
    """The first request that falls short; counts what requests before it take of the same."""
    wanted: dict[tuple[int, ...], int] = {}
    free: list[tuple[Alternative, list[Candidate]]] = []
    for alternative in (slot[-1] for slots in board.slots for slot in slots):
        matching = [c for c in board.candidates if _matches(board, alternative, c)]
        taken = () if alternative.sub.admin else board.held.devices
        fitting = [c for c in matching if c.device.id not in taken]
        untainted = [c for c in fitting if not board.matching.repels(c.device, alternative.sub)]
        if len(untainted) < alternative.count <= len(fitting):
            return Refusal(
                "DeviceTaintNotTolerated", _tainted(alternative, fitting, len(untainted))
            )
        fitting = untainted
        key = tuple(c.index for c in matching)
        want = max(1, len(matching)) if alternative.every is not None else alternative.count
        wanted[key] = wanted.get(key, 0) + (0 if alternative.sub.admin else want)
        sharable = any(c.device.shape.allows_sharing for c in fitting)
        if len(fitting) < (want if sharable or alternative.sub.admin else wanted[key]):
            in_class = [
                c
                for c in board.candidates
                if _matches(board, replace(alternative, sub=_ANYTHING, answers={}), c)
            ]
            return Shortage(
                alternative.sub.device_class,
                wanted[key],
                len(matching),
                len(matching) - len(fitting),
                len(in_class),
                "; ".join(f"pool {p} is {p.state}: {p.problem}" for p in board.pools if p.problem),
                alternative.sub,
            )
        free.append((alternative, fitting))
    return Refusal(*obstacle(board, free))


def _tainted(alternative: Alternative, free: Sequence[Candidate], untainted: int) -> str:
    taints = dict.fromkeys(
        f"{t.key}={t.value}:{t.effect}" for c in free for t in c.device.shape.taints
    )
    return (
        f"{len(free)} devices of class {alternative.sub.device_class} are free, but {len(free) - untainted} "
        f"of them tainted {', '.join(taints)} (want {alternative.count})"
    )


_ANYTHING = SubRequest("", "", ())


def _matches(board: Board, alternative: Alternative, candidate: Candidate) -> bool:
    """A selector that fails here was never asked by the search: it is no reason to fail now."""
    try:
        return board.matches(alternative, candidate)
    except AllocationError:
        return False
