"""Seeing without a search that there is no solution, where a search could find nothing else.

Upstream tries every combination of the first requests before it learns that the last one has no
device at all. Where nothing a search meets could be an error, that is known beforehand.
"""

from __future__ import annotations

from mizzen.scheduler.core.dra.constraints import concerns
from mizzen.scheduler.core.dra.model import AllocationError
from mizzen.scheduler.core.dra.requests import RESULTS_MAX, Board, Candidate, Wish


def is_hopeless(board: Board) -> bool:
    """Whether some request has too few devices even if it comes alone, and no error can occur."""
    try:
        lacking = any(
            not any(_has_enough(board, wish) for wish in slot)
            for slots in board.slots
            for slot in slots
        )
        return lacking and not _may_fail(board)
    except AllocationError:
        return False


def _may_fail(board: Board) -> bool:
    """Whether a search could end in an error. Errors: AllocationError if it could for a selector."""
    for claim, slots in zip(board.claims, board.slots, strict=True):
        if claim.constraints and any(w.every is not None for slot in slots for w in slot):
            return True  # all devices, and a constraint that may forbid one of them
        if sum(max(wish.count for wish in slot) for slot in slots) > RESULTS_MAX:
            return True
    wishes = [wish for slots in board.slots for slot in slots for wish in slot]
    for wish in wishes:
        for candidate in board.candidates:
            board.matches(wish, candidate)
    return False


def _has_enough(board: Board, wish: Wish) -> bool:
    if wish.every is not None:
        return bool(wish.every) and all(_could_get(board, wish, c) for c in wish.every)
    left = wish.count
    for candidate in board.candidates:
        if left <= 0:
            break
        if board.matches(wish, candidate) and _could_get(board, wish, candidate):
            left -= 1
    return left <= 0


def _could_get(board: Board, wish: Wish, candidate: Candidate) -> bool:
    device = candidate.device
    if not wish.sub.admin and device.id in board.held.devices:
        return False
    if device.shape.consumes and not board.features.partitions:
        return False
    if board.matching.repels(device, wish.sub):
        return False
    if not board.matching.fits(wish.sub, device, board.held, {}):
        return False
    return all(
        constraint is None
        or not concerns(constraint, wish.base_name, wish.sub_name)
        or device.attribute(constraint.attribute) is not None
        for constraint in board.claims[wish.claim].constraints
    )
