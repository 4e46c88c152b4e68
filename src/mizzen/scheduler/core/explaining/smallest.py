"""The smallest change that would place what has no place: found, tried, and told as a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mizzen.scheduler.core.dra.allocate import Shortage
from mizzen.scheduler.core.explaining.changes import (
    Change,
    FewerDevices,
    FewerMembers,
    Provide,
    Wait,
    ordered,
)
from mizzen.scheduler.core.explaining.freeing import smallest_leave
from mizzen.scheduler.core.explaining.lessening import least_given_up
from mizzen.scheduler.core.explaining.relaxing import smallest_relaxation
from mizzen.scheduler.core.explaining.trial import Trial
from mizzen.scheduler.core.misfit import Misfit
from mizzen.scheduler.core.placing.attempt import Attempt, Placer
from mizzen.scheduler.core.preemption.policy import LOWER_PRIORITY, PreemptionPolicy
from mizzen.scheduler.core.units import Unit

# Words of what keeps a pod off a node however empty that is.
STATIC = frozenset({"TaintNotTolerated", "NodeSelectorMismatch", "NodeAffinityMismatch"})
# Words of what other pods there keep it from.
NEIGHBOURS = frozenset(
    {
        "HostPortTaken",
        "TopologyLabelMissing",
        "TopologySpread",
        "PodAffinity",
        "PodAntiAffinity",
        "PodAntiAffinityOfOthers",
    }
)
Misfits = Sequence[tuple[Misfit, int]]  # with how many nodes each


def changes(
    placer: Placer, unit: Unit, attempt: Attempt, policy: PreemptionPolicy = LOWER_PRIORITY
) -> tuple[Change, ...]:
    """Changes each of which places the unit once what is on its way out has left, smallest first.

    The first is the smallest of its kind that there is, as far as looking is bounded
    (`freeing`, `relaxing`, `lessening`). The cluster is left as it was.
    """
    pending = _publishing(attempt.misfits)
    if pending is not None:
        return (pending,)
    what_if = placer.what_if
    mark = what_if.mark()
    what_if.release_leaving()
    trial = Trial(placer, unit, policy)
    found: list[Change] = []
    for smallest in (smallest_leave, smallest_relaxation):
        change = smallest(trial)
        if change is not None:
            found.append(change)
    if not found:
        less = least_given_up(trial)
        if isinstance(less, FewerDevices):
            most = [shortage.matching for shortage, _ in _shortages(attempt.misfits)]
            less = replace(less, there=max(most, default=less.want))
        elif isinstance(less, FewerMembers):
            less = replace(less, **_together(attempt.misfits, less.want))
        if less is not None:
            found.append(less)
    what_if.rollback(mark)
    if not found:
        last = lacking(attempt.misfits, len(trial.pods), attempt.before)
        found += [last] if last is not None else []
    return ordered(found)


def lacking(misfits: Misfits, members: int = 1, placed: int = 0) -> Change | None:
    """The thing to add where nothing that is there would do, or nothing that was looked at.

    `members` like this one must run together; `placed` of them have a place, and their devices
    are among those `in_use`.
    """
    shortages = _shortages(misfits)
    if shortages and len(shortages) == len(misfits):
        best = max((s for s, _ in shortages), key=lambda s: s.matching)
        if best.matching == 0:
            text = "add a node with such devices, or change the claim's class or selectors"
            return Provide(text)
        if best.matching < best.want:
            return Provide(f"add a node with {best.want} of them")
        total = sum(shortage.matching * count for shortage, count in shortages)
        if total < members * best.want:
            want = members * best.want
            return Provide(
                f"add devices: its {members} members need {want} of them together "
                f"and there are {total}"
            )
        free = sum(_free(shortage) * count for shortage, count in shortages)
        missing = (members - placed) * best.want - (free if members > 1 else _free(best))
        return Provide(
            f"it fits once {missing} more of them {'is' if missing == 1 else 'are'} free"
        )
    if any(m.word == "DomainHeld" for m, _ in misfits):
        return Provide("wait until one of those leaves, or do not ask for a domain alone")
    if any(m.word == "DomainTooSmall" for m, _ in misfits):
        return Provide("relax the topology it requires, or ask for fewer members")
    if shortages:
        return Provide(
            f"add a node that it accepts with {max(s.want for s, _ in shortages)} of them"
        )
    if any(m.want for m, _ in misfits):
        return Provide("ask for less or add a larger node")
    if any(m.word in STATIC for m, _ in misfits):
        return Provide("add a node that it accepts")
    if any(m.word in NEIGHBOURS for m, _ in misfits):
        return Provide("add a node that its affinity, spread and ports allow, or ask for less")
    return None


def _publishing(misfits: Misfits) -> Wait | None:
    """Devices that a driver is about to publish; only where nothing else stands in the way."""
    shortages = _shortages(misfits)
    if not shortages or len(shortages) < len(misfits):
        return None
    # Of equals one with a problem, by its text: whoever starts anew must say the same.
    best = max((s for s, _ in shortages), key=lambda s: (s.matching, s.problem))
    return Wait(f"the driver has published it ({best.problem})") if best.problem else None


def _together(misfits: Misfits, members: int) -> dict[str, int]:
    """The members' need and all there is, where that is too little even with nothing in use."""
    shortages = _shortages(misfits)
    if not shortages or len(shortages) < len(misfits):
        return {}
    needed = members * max(s.want for s, _ in shortages)
    there = sum(s.matching * count for s, count in shortages)
    return {"needed": needed, "there": there} if there < needed else {}


def _shortages(misfits: Misfits) -> list[tuple[Shortage, int]]:
    return [(m.shortage, count) for m, count in misfits if m.shortage is not None]


def _free(shortage: Shortage) -> int:
    return shortage.matching - shortage.in_use
