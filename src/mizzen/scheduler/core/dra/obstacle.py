"""The obstacle that keeps enough free devices from serving claims: a capacity, a counter, a constraint.

Asked once a search has failed, of each request by itself; the answer is a reason, no proof.
"""

from __future__ import annotations

from collections.abc import Sequence

from mizzen.scheduler.core.dra.constraints import concerns, members
from mizzen.scheduler.core.dra.counters import Ledger
from mizzen.scheduler.core.dra.model import AllocationError, Device, DistinctAttribute
from mizzen.scheduler.core.dra.quantity import BINARY_SI, Quantity
from mizzen.scheduler.core.dra.requests import Alternative, Board, Candidate

NANO = 10**9
Obstacle = tuple[str, str]  # a stable word, a sentence


def obstacle(board: Board, free: Sequence[tuple[Alternative, Sequence[Candidate]]]) -> Obstacle:
    """For every request with the free devices that match it, the first thing in its way."""
    ledger = Ledger(board.held, by_name=False, shares=board.features.variant != "stable")
    for alternative, candidates in free:
        with_capacity = [c for c in candidates if _has_capacity(board, alternative, c.device)]
        if len(with_capacity) < min(alternative.count, len(candidates)):
            found = _capacity(board, alternative, candidates)
            if found:
                return "InsufficientCapacity", found
        counted = [c for c in with_capacity if not _short_counters(ledger, c)]
        if len(counted) < min(alternative.count, len(with_capacity)):
            return "InsufficientCounter", _counter(ledger, with_capacity)
        found = _constraint(board, alternative, counted)
        if found:
            return "ConstraintUnsatisfied", found
    return (
        "ConstraintUnsatisfied",
        "enough devices are free, but none together meet the claim's constraints, counters "
        "and capacities",
    )


# -- capacity ------------------------------------------------------------------------------------


def _has_capacity(board: Board, alternative: Alternative, device: Device) -> bool:
    try:
        return board.matching.fits(alternative.sub, device, board.held, {})
    except AllocationError:
        return False


def _capacity(board: Board, alternative: Alternative, candidates: Sequence[Candidate]) -> str:
    """The capacity that is short on all of them, and the most any of them has left."""
    short: dict[str, tuple[int, int, int]] = {}  # name -> (wanted, most left, devices)
    for candidate in candidates:
        device = candidate.device
        try:
            wanted = board.matching.consumption(alternative.sub, device)
        except AllocationError:
            continue
        taken = board.held.consumed.get(device.id, {})
        for name, amount, limit in wanted.nano if wanted is not None else ():
            left = limit - taken.get(name, 0)
            if amount > left:
                _, most, count = short.get(name, (0, 0, 0))
                short[name] = (amount, max(most, left), count + 1)
    if not short:
        return (
            f"no device has the capacity that request {alternative.sub.name} asks for, or grants it"
        )
    name, (amount, left, count) = max(short.items(), key=lambda item: item[1][2])
    return (
        f"{count} devices of class {alternative.sub.device_class} lack capacity {name} "
        f"(want {_shown(amount)}, most left {_shown(left)})"
    )


# -- counters --------------------------------------------------------------------------------------


def _short_counters(ledger: Ledger, candidate: Candidate) -> list[tuple[str, int, int]]:
    """(counter, wanted, left) of each counter that is short for this device alone."""
    if not candidate.device.shape.consumes:
        return []
    left = ledger.left(candidate.pool)
    return [
        (f"{use.name}/{name}", amount.nano, left.get((use.name, name), 0))
        for use in candidate.device.shape.consumes
        for name, amount in use.counters
        if amount.nano > left.get((use.name, name), 0)
    ]


def _counter(ledger: Ledger, candidates: Sequence[Candidate]) -> str:
    short: dict[str, tuple[int, int, int]] = {}
    for candidate in candidates:
        for name, amount, left in _short_counters(ledger, candidate):
            _, most, count = short.get(name, (0, left, 0))
            short[name] = (amount, max(most, left), count + 1)
    name, (amount, left, count) = max(short.items(), key=lambda item: (item[1][2], item[0]))
    return (
        f"{count} partitions are not allocated but draw on counter {name}, which others use up "
        f"(want {_shown(amount)}, {_shown(max(0, left))} left)"
    )


# -- constraints -----------------------------------------------------------------------------------


def _constraint(board: Board, alternative: Alternative, candidates: Sequence[Candidate]) -> str:
    """A constraint that this request's devices cannot meet even on their own."""
    for constraint in board.claims[alternative.claim].constraints:
        if constraint is None or not concerns(
            constraint, alternative.base_name, alternative.sub_name
        ):
            continue
        groups: dict[object, int] = {}
        for candidate in candidates:
            attribute = candidate.device.attribute(constraint.attribute)
            for value in (attribute and members(attribute, board.features)) or ():
                groups[value] = groups.get(value, 0) + 1
        is_distinct = isinstance(constraint, DistinctAttribute)
        best = len(groups) if is_distinct else max(groups.values(), default=0)
        if best < alternative.count:
            how = "differ" if is_distinct else "agree"
            return (
                f"{len(candidates)} devices of class {alternative.sub.device_class} are free, but at "
                f"most {best} of them {how} in {constraint.attribute} (want {alternative.count})"
            )
    return ""


def _shown(nano: int) -> str:
    """Billionths as a quantity."""
    whole, rest = divmod(nano, NANO)
    if rest:
        return f"{nano / NANO:g}"
    return str(Quantity(whole, form=BINARY_SI))
