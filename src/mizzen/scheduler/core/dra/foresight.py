"""Proves before any search that there is no solution, where a search could find nothing else.

Upstream tries every combination of the first requests before it learns that the last one has no
device at all. Where nothing a search meets could be an error, that is known beforehand.
"""

from __future__ import annotations

from mizzen.scheduler.core.dra.constraints import concerns
from mizzen.scheduler.core.dra.model import AllocationError
from mizzen.scheduler.core.dra.requests import RESULTS_MAX, Alternative, Board, Candidate


def is_hopeless(board: Board) -> bool:
    """True if some request has too few devices even if it comes alone, and no error can occur."""
    try:
        lacking = any(
            not any(_has_enough(board, alternative) for alternative in slot)
            for slots in board.slots
            for slot in slots
        )
        return lacking and not _may_fail(board)
    except AllocationError:
        return False


def _may_fail(board: Board) -> bool:
    """True if a search could end in an error. Errors: AllocationError if it could for a selector."""
    for claim, slots in zip(board.claims, board.slots, strict=True):
        if claim.constraints and any(w.every is not None for slot in slots for w in slot):
            return True  # all devices, and a constraint that may forbid one of them
        if sum(max(alternative.count for alternative in slot) for slot in slots) > RESULTS_MAX:
            return True
    alternatives = [alternative for slots in board.slots for slot in slots for alternative in slot]
    for alternative in alternatives:
        for candidate in board.candidates:
            board.matches(alternative, candidate)
    return False


def _has_enough(board: Board, alternative: Alternative) -> bool:
    if alternative.every is not None:
        return bool(alternative.every) and all(
            _could_get(board, alternative, c) for c in alternative.every
        )
    left = alternative.count
    for candidate in board.candidates:
        if left <= 0:
            break
        if board.matches(alternative, candidate) and _could_get(board, alternative, candidate):
            left -= 1
    return left <= 0


def _could_get(board: Board, alternative: Alternative, candidate: Candidate) -> bool:
    device = candidate.device
    if not alternative.sub.admin and device.id in board.held.devices:
        return False
    if device.shape.consumes and not board.features.partitions:
        return False
    if board.matching.repels(device, alternative.sub):
        return False
    if not board.matching.fits(alternative.sub, device, board.held, {}):
        return False
    return all(
        constraint is None
        or not concerns(constraint, alternative.base_name, alternative.sub_name)
        or device.attribute(constraint.attribute) is not None
        for constraint in board.claims[alternative.claim].constraints
    )
