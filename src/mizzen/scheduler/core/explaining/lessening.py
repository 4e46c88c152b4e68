"""The most that would be placed: members of a gang, devices of a request, an amount of a resource."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from mizzen.scheduler.core.dra.model import ClaimRequest
from mizzen.scheduler.core.explaining.changes import FewerDevices, FewerMembers, SmallerRequest
from mizzen.scheduler.core.explaining.relaxing import requests as requests_of
from mizzen.scheduler.core.explaining.trial import Edit, Trial
from mizzen.scheduler.core.types import PODS, PodShape

Less = FewerMembers | FewerDevices | SmallerRequest


def least_given_up(trial: Trial) -> Less | None:
    """The change that gives up the smallest share of the demand; None: nothing less is placed."""
    found = [change for change in _all(trial) if change is not None]
    return min(found, key=lambda c: (c.size, c.sentence), default=None)


def _all(trial: Trial) -> Iterator[Less | None]:
    yield _members(trial)
    yield from _devices(trial)
    if len(trial.pods) == 1:
        yield from _amounts(trial)


def most(want: int, fits: Callable[[int], bool], one_by_one_max: int) -> int:
    """The largest number below `want` that fits; 0: none does.

    Of more than `one_by_one_max`, what fits is taken to go on fitting when it is less.
    """
    if want <= one_by_one_max:
        return next((n for n in range(want - 1, 0, -1) if fits(n)), 0)
    low, high = 0, want
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _members(trial: Trial) -> FewerMembers | None:
    unit = trial.unit
    gang = trial.placer.what_if.cluster.gangs.get(unit.gang) if unit.gang is not None else None
    if gang is None or unit.needed < 2 or any(part.min_count for part in gang.subgroups):
        return None
    found = most(unit.needed, lambda n: trial.fits(Edit(members=n)), trial.limits.counts_tried_max)
    add = "devices" if any(pod.claims for pod in trial.pods) else "nodes"
    return FewerMembers(unit.staying + found, unit.expected, add=add) if found else None


def _devices(trial: Trial) -> Iterator[FewerDevices]:
    for key, request in requests_of(trial):
        for at, one in enumerate(request.requests):
            sub = one.alternatives[0] if len(one.alternatives) == 1 else None
            if sub is None or sub.all_devices or sub.count < 2:
                continue

            def fits(count: int, at: int = at, request: ClaimRequest = request) -> bool:
                return trial.fits(Edit(claims={request: with_count(request, at, count)}))

            found = most(sub.count, fits, trial.limits.counts_tried_max)
            if found:
                yield FewerDevices(key, sub.name, found, sub.count, 0)


def with_count(request: ClaimRequest, at: int, count: int) -> ClaimRequest:
    """The claim with another count in one of its requests."""
    one = request.requests[at]
    changed = replace(one, alternatives=(replace(one.alternatives[0], count=count),))
    return replace(request, requests=(*request.requests[:at], changed, *request.requests[at + 1 :]))


def _amounts(trial: Trial) -> Iterator[SmallerRequest]:
    cluster = trial.placer.what_if.cluster
    shape = trial.pods[0].shape
    for name, want in shape.requests:
        if name == PODS or want < 2:
            continue
        index = cluster.signatures.index_of(name)
        free = {s.free[index] for s in cluster.nodes.groups() if index < len(s.free)}
        for amount in sorted((a for a in free if 0 < a < want), reverse=True)[
            : trial.limits.amounts_tried_max
        ]:

            def less(asked: PodShape, name: str = name, amount: int = amount) -> PodShape:
                kept = tuple((n, amount if n == name else a) for n, a in asked.requests)
                return replace(asked, requests=kept)

            if trial.fits(Edit(less)):
                yield SmallerRequest(name, amount, want)
                break
