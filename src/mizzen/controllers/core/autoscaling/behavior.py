"""What becomes of a wanted number: not below or above bounds, not too fast, not to and fro.

Source: `horizontal.go`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import NamedTuple

from mizzen.base.objects import Obj
from mizzen.base.reading import entries, number, part

NS = 1_000_000_000
DOWNSCALE_STABILIZATION_S = 300
_UP_FACTOR, _UP_MIN = 2.0, 4  # how fast it grows where no behavior says so
_WITHIN = ("DesiredWithinRange", "the desired count is within the acceptable range")
_TOO_FEW = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")
_TOO_MANY = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
_TOO_FAST_UP = (
    "ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate",
)  # fmt: skip
_TOO_FAST_DOWN = (
    "ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate",
)  # fmt: skip
_READY = ("ReadyForNewScale", "recommended size matches current size")
_UP_STABILIZED = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
)
_DOWN_STABILIZED = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent "
    "recommendation",
)
Reason = tuple[str, str]


class Moment(NamedTuple):
    """A number of replicas, or of replicas more or less, at a moment."""

    replicas: int
    at_ns: int


@dataclass(slots=True)
class History:
    """The recent past of one autoscaler; nothing of it outlives the controller, as upstream."""

    recommendations: list[Moment] = field(default_factory=list[Moment])
    ups: list[Moment] = field(default_factory=list[Moment])
    downs: list[Moment] = field(default_factory=list[Moment])


class Normalized(NamedTuple):
    """The number that is set, with the reasons for conditions AbleToScale and ScalingLimited."""

    replicas: int
    able: Reason
    is_limited: bool
    limited: Reason


def normalize(
    history: History, spec: Obj, current: int, wanted: int, least: int, now_ns: int
) -> Normalized:
    """Notes what is wanted in the history and says what is done about it."""
    most, behavior = number(spec, "maxReplicas"), part(spec, "behavior")
    if not behavior:
        stable = _stabilized_down(history, wanted, now_ns)
        able = _READY if stable == wanted else _DOWN_STABILIZED
        made, reason = _within(current, stable, least, most)
    else:
        up, down = part(behavior, "scaleUp"), part(behavior, "scaleDown")
        stable = _stabilized(history, up, down, current, wanted, now_ns)
        told = _UP_STABILIZED if wanted >= current else _DOWN_STABILIZED
        able = _READY if stable == wanted else told
        made, reason = _at_rate(history, up, down, current, stable, least, most, now_ns)
    return Normalized(made, able, made != stable, reason)


def note_scaling(history: History, spec: Obj, before: int, after: int, now_ns: int) -> None:
    """Remembers a change, for rates of later ones."""
    behavior = part(spec, "behavior")
    if not behavior:
        return
    is_up = after > before
    rules = part(behavior, "scaleUp" if is_up else "scaleDown")
    longest_s = max((number(p, "periodSeconds") for p in entries(rules, "policies")), default=0)
    events = history.ups if is_up else history.downs
    since_ns = now_ns - longest_s * NS
    events[:] = [each for each in events if each.at_ns >= since_ns]
    events.append(Moment(abs(after - before), now_ns))


def _stabilized_down(history: History, wanted: int, now_ns: int) -> int:
    """The highest of what was wanted lately."""
    since_ns = now_ns - DOWNSCALE_STABILIZATION_S * NS
    kept = [each for each in history.recommendations if each.at_ns >= since_ns]
    history.recommendations[:] = [*kept, Moment(wanted, now_ns)]
    return max((each.replicas for each in history.recommendations), default=wanted)


def _stabilized(
    history: History, up: Obj, down: Obj, current: int, wanted: int, now_ns: int
) -> int:
    """As near to the present number as what was wanted in the two windows lets it be."""
    up_ns = now_ns - number(up, "stabilizationWindowSeconds") * NS
    down_s = down.get("stabilizationWindowSeconds")
    down_ns = now_ns - (DOWNSCALE_STABILIZATION_S if down_s is None else int(down_s)) * NS
    lowest = highest = wanted
    for each in history.recommendations:
        if each.at_ns > up_ns:
            lowest = min(lowest, each.replicas)
        if each.at_ns > down_ns:
            highest = max(highest, each.replicas)
    oldest_ns = min(up_ns, down_ns)
    kept = [each for each in history.recommendations if each.at_ns >= oldest_ns]
    history.recommendations[:] = [*kept, Moment(wanted, now_ns)]
    return min(max(current, lowest), highest)


def _within(current: int, wanted: int, least: int, most: int) -> tuple[int, Reason]:
    fastest = int(max(_UP_FACTOR * current, _UP_MIN))
    highest, reason = (fastest, _TOO_FAST_UP) if most > fastest else (most, _TOO_MANY)
    if wanted < least:
        return least, _TOO_FEW
    return (highest, reason) if wanted > highest else (wanted, _WITHIN)


def _at_rate(
    history: History, up: Obj, down: Obj, current: int, wanted: int, least: int, most: int,
    now_ns: int,
) -> tuple[int, Reason]:  # fmt: skip
    if wanted > current:
        limit = max(current, _limit(history, up, current, now_ns, is_up=True))
        highest, reason = (limit, _TOO_FAST_UP) if most > limit else (most, _TOO_MANY)
        if wanted > highest:
            return highest, reason
    elif wanted < current:
        limit = min(current, _limit(history, down, current, now_ns, is_up=False))
        lowest, reason = (limit, _TOO_FAST_DOWN) if least < limit else (least, _TOO_FEW)
        if wanted < lowest:
            return lowest, reason
    return wanted, _WITHIN


def _limit(history: History, rules: Obj, current: int, now_ns: int, *, is_up: bool) -> int:
    """How far the policies together let it go."""
    select = rules.get("selectPolicy") or "Max"
    policies = entries(rules, "policies")
    if select == "Disabled" or not policies:
        return current
    reached: list[int] = []
    for policy in policies:
        period_s, value = number(policy, "periodSeconds"), number(policy, "value")
        start = (
            current - _changes(history.ups, period_s, now_ns)
            + _changes(history.downs, period_s, now_ns)
        )  # fmt: skip
        if policy.get("type") == "Pods":
            reached.append(start + value if is_up else start - value)
        elif is_up:
            reached.append(ceil(start * (1 + value / 100)))
        else:
            reached.append(int(start * (1 - value / 100)))
    is_most_change = select != "Min"
    return max(reached) if is_up == is_most_change else min(reached)


def _changes(events: Sequence[Moment], period_s: int, now_ns: int) -> int:
    since_ns = now_ns - period_s * NS
    return sum(each.replicas for each in events if each.at_ns > since_ns)
