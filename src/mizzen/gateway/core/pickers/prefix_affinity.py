"""The replica with the least to do, and a known prompt counts for it."""

from __future__ import annotations

from collections.abc import Iterable

from mizzen.gateway.core.picker import DEFAULT_PICKER, Candidate, Pick, Picker, RequestContext

# A prompt that is wholly cached outweighs this many requests in flight. Sized so that a burst of
# equal prompts still spreads: affinity is worth waiting behind two others, not behind a batch.
AFFINITY_REQUESTS = 2.0


def pick(request: RequestContext, candidates: Iterable[Candidate]) -> Pick | None:
    """The best replica with a free place; None when all are full.

    Ties go to the one that had none for longest: few clients use all replicas alike, too.
    """
    free = [candidate for candidate in candidates if candidate.in_flight < candidate.capacity]
    if not free:
        return None
    best = min(free, key=lambda c: (c.in_flight - AFFINITY_REQUESTS * c.cached, c.turn, c.name))
    return Pick(best.name)


PICKER = Picker(DEFAULT_PICKER, pick)
