"""Our order of devices: what is found first leaves the largest whole things free.

Partitions before whole devices, on silicon that is in use already; shares of what is shared
already; the smallest PCIe root or NUMA node that holds the request; devices that need binding
conditions last. Only the order is ours: what fits is what the API says, see `constraints`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction

from mizzen.scheduler.core.dra.counters import Ledger
from mizzen.scheduler.core.dra.model import (
    AllocationError,
    Attribute,
    Device,
    DistinctAttribute,
    MatchAttribute,
)
from mizzen.scheduler.core.dra.pools import NodePool
from mizzen.scheduler.core.dra.requests import Alternative, Board, Candidate
from mizzen.scheduler.core.dra.search import Search

Preference = Callable[[Device], tuple[int, ...]]

# Attributes that say which devices are close to each other, by the part after "/".
LOCALITIES = ("pcieRoot", "numaNode", "numa", "numaNodeID", "socket")
_WHOLE = Fraction(1)


class Packing:
    """The order for one search; `prefer`, if given, goes before everything else."""

    def __init__(self, board: Board, ledger: Ledger, prefer: Preference | None) -> None:
        self._board = board
        self._ledger = ledger
        self._prefer = prefer

    def __call__(self, search: Search, alternative: Alternative) -> Sequence[Candidate]:
        """Free devices that match, best first; those whose selector fails come last."""
        fitting: list[Candidate] = []
        failing: list[Candidate] = []
        for candidate in self._board.candidates:
            if not search.is_free(alternative, candidate.device.id):
                continue
            try:
                if self._board.matches(alternative, candidate):
                    fitting.append(candidate)
            except AllocationError:
                failing.append(candidate)
        if len(fitting) > 1:
            self._sort(search, alternative, fitting)
        return fitting + failing

    def _sort(self, search: Search, alternative: Alternative, candidates: list[Candidate]) -> None:
        groups = {c.index: self._group(alternative, c) for c in candidates}
        sizes = Counter(groups.values())
        parts = _Partitions(self._board, self._ledger)
        prefer = self._prefer

        def key(candidate: Candidate) -> tuple[object, ...]:
            device = candidate.device
            group = groups[candidate.index]
            size = sizes[group]
            small = (0, size) if size >= alternative.count else (1, -size)
            return (
                bool(device.shape.bindings),
                prefer(device) if prefer is not None else (),
                parts.cost(candidate) if device.shape.consumes else (_WHOLE, 0, 0),
                _room_left(search, candidate),
                small if group else (0, 0),
                group,
                candidate.index,
            )

        candidates.sort(key=key)  # pyright: ignore[reportArgumentType]

    def _group(self, alternative: Alternative, candidate: Candidate) -> tuple[str, ...]:
        """The place of the device: values of the attributes its claim compares, then of localities."""
        device = candidate.device
        compared: list[Attribute | None] = [
            device.attribute(constraint.attribute)
            for constraint in self._board.claims[alternative.claim].constraints
            if isinstance(constraint, MatchAttribute)
        ]
        distinct = {
            c.attribute.rpartition("/")[2]
            for c in self._board.claims[alternative.claim].constraints
            if isinstance(c, DistinctAttribute)
        }
        near = _localities(device, distinct)
        if not near and not any(compared):
            return ()
        return (*(repr(a) for a in compared), *near)


def _localities(device: Device, without: set[str]) -> tuple[str, ...]:
    named = {name.rpartition("/")[2]: value for name, value in device.shape.attributes}
    return tuple(repr(named[n]) for n in LOCALITIES if n in named and n not in without)


def _room_left(search: Search, candidate: Candidate) -> tuple[int, Fraction]:
    """Shared devices in use first, the fullest of them before the others."""
    device = candidate.device
    if not device.shape.allows_sharing:
        return (0, Fraction(0))
    held = search.board.held.consumed.get(device.id)
    taken = search.taken_of(device.id)
    if held is None and taken is None:
        return (1, Fraction(0))
    left = Fraction(0)
    for name, capacity in device.shape.capacity:
        used = (held or {}).get(name, 0) + (taken or {}).get(name, 0)
        total = capacity.value.nano
        if total > 0:
            left += Fraction(total - used, total)
    return (0, left)


class _Partitions:
    """The cost of taking a partition to its neighbours, as things stand at one moment."""

    def __init__(self, board: Board, ledger: Ledger) -> None:
        self._ledger = ledger
        self._left: dict[tuple[str, str], dict[tuple[str, str], int]] = {}
        self._beside: dict[tuple[str, str, str], list[Device]] = {}
        for candidate in board.candidates:
            for use in candidate.device.shape.consumes:
                key = (candidate.pool.driver, candidate.pool.name, use.name)
                self._beside.setdefault(key, []).append(candidate.device)

    def cost(self, candidate: Candidate) -> tuple[Fraction, int, Fraction]:
        """Its share of the whole, how much of its neighbours it blocks, what then remains."""
        pool, device = candidate.pool, candidate.device
        left = self._left.get((pool.driver, pool.name))
        if left is None:
            left = self._left[pool.driver, pool.name] = self._ledger.left(pool)
        needs = _needs(device)
        sizes = [Fraction(n, t) for k, n in needs.items() if (t := _total(pool, k)) > 0]
        remains = [
            Fraction(left.get(k, 0) - n, t) for k, n in needs.items() if (t := _total(pool, k)) > 0
        ]
        return (
            max(sizes, default=_WHOLE),
            self._blocked(pool, needs, left),
            sum(remains, Fraction(0)),
        )

    def _blocked(
        self, pool: NodePool, needs: dict[tuple[str, str], int], left: dict[tuple[str, str], int]
    ) -> int:
        """Neighbours that fit now and would not any more."""
        seen: set[int] = set()
        blocked = 0
        for set_name in {name for name, _ in needs}:
            for other in self._beside.get((pool.driver, pool.name, set_name), ()):
                if id(other) in seen:
                    continue
                seen.add(id(other))
                wants = _needs(other)
                fits = all(left.get(k, 0) >= n for k, n in wants.items())
                stays = all(left.get(k, 0) - needs.get(k, 0) >= n for k, n in wants.items())
                blocked += fits and not stays
        return blocked


def _needs(device: Device) -> dict[tuple[str, str], int]:
    needs: dict[tuple[str, str], int] = {}
    for use in device.shape.consumes:
        for name, amount in use.counters:
            needs[use.name, name] = needs.get((use.name, name), 0) + amount.nano
    return needs


def _total(pool: NodePool, counter: tuple[str, str]) -> int:
    return (pool.counters or {}).get(counter[0], {}).get(counter[1], 0)
