"""The share of a device's capacities that a request consumes: policies, defaults, rounding up.

Source: k8s.io/dynamic-resource-allocation/structured/internal consumable_capacity.go, v0.36.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mizzen.scheduler.core.dra.model import (
    AllocationError,
    Capacity,
    RequestPolicy,
    ValidRange,
)
from mizzen.scheduler.core.dra.quantity import BINARY_SI, Quantity, wrap

Wanted = tuple[tuple[str, Quantity], ...]  # capacity.requests
Capacities = tuple[tuple[str, Capacity], ...]


@dataclass(frozen=True, slots=True)
class Consumption:
    """One allocation's share of a device: (name, amount) and, in billionths, (amount, limit)."""

    amounts: tuple[tuple[str, Quantity], ...]
    nano: tuple[tuple[str, int, int], ...]

    def fits(self, *taken: Mapping[str, int] | None) -> bool:
        """True if it stays within the capacity beside what is taken already."""
        for name, amount, limit in self.nano:
            total = amount
            for others in taken:
                if others:
                    total += others.get(name, 0)
            if total > limit:
                return False
        return True


def consumption(wanted: Wanted | None, capacities: Capacities) -> Consumption | None:
    """None when the device cannot serve the request: unknown capacity or outside the policy.

    Errors: AllocationError for a policy that no arithmetic satisfies (step 0, step without min).
    """
    asked = dict(wanted or ())
    known = dict(capacities)
    if asked.keys() - known.keys():
        return None
    amounts: list[tuple[str, Quantity]] = []
    for name, capacity in known.items():
        amount = _consumed(asked.get(name), capacity)
        if _violates(amount, capacity.policy):
            return None
        amounts.append((name, amount))
    return Consumption(
        tuple(amounts),
        tuple((name, amount.nano, known[name].value.nano) for name, amount in amounts),
    )


def _consumed(wanted: Quantity | None, capacity: Capacity) -> Quantity:
    policy = capacity.policy
    if wanted is None:
        return policy.default if policy and policy.default else capacity.value
    if policy is None:
        return wanted
    if policy.valid_range is not None and policy.valid_range.min is not None:
        return _round_to_range(wanted, policy.valid_range, policy.valid_range.min)
    for value in policy.valid_values or ():
        wanted = wanted.beside(value)
        if wanted.compare(value) <= 0:
            return value
    return wanted


def _round_to_range(wanted: Quantity, span: ValidRange, least: Quantity) -> Quantity:
    if wanted.compare(least) < 0:
        return least
    wanted = wanted.beside(least)
    if span.step is None:
        return wanted
    step, low = _step(span.step), least.whole()
    added = wrap(wanted.whole() - low)
    steps = abs(added) // abs(step) * (1 if (added < 0) == (step < 0) else -1)
    if added % step:
        steps += 1
    return Quantity(wrap(low + wrap(step * steps)), form=BINARY_SI)


def _step(step: Quantity) -> int:
    whole = step.whole()
    if whole == 0:
        raise AllocationError("a capacity's requestPolicy.validRange.step is 0; it must be above")
    return whole


def _violates(amount: Quantity, policy: RequestPolicy | None) -> bool:
    if policy is None or (policy.default is not None and amount.same(policy.default)):
        return False
    span = policy.valid_range
    if span is not None:
        if span.max is not None and amount.compare(span.max) > 0:
            return True
        if span.step is None:
            return False
        if span.min is None:
            raise AllocationError("a capacity's requestPolicy.validRange has a step but no min")
        step = _step(span.step)
        return wrap(amount.beside(span.max or amount).whole() - span.min.whole()) % step != 0
    if policy.valid_values:
        return all(amount.compare(value) != 0 for value in policy.valid_values)
    return False
