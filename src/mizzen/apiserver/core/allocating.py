"""Counts the use of each device and decides if one more fits: exclusive use, shares, counters.

Source: KEP-5018 (admin access holds nothing), KEP-5075 (shares of one device may take its capacity
together), KEP-4815 (devices of a pool may take its counters together); Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from mizzen.base import quantity
from mizzen.base.objects import Obj
from mizzen.base.reading import entries, part

DeviceId = tuple[str, str, str]  # driver, pool, device
Amounts = Mapping[str, Fraction]


@dataclass(frozen=True, slots=True)
class Use:
    """One claim's use of one device: all of it (`share` ""), or the capacity of a share."""

    share: str = ""
    consumed: tuple[tuple[str, str], ...] = ()


Uses = Mapping[DeviceId, tuple[Use, ...]]


def uses_of(claim: Obj) -> dict[DeviceId, tuple[Use, ...]]:
    """The devices that `status.allocation` takes; those with admin access are not taken."""
    found: Obj = claim.get("status") or {}
    for field in ("allocation", "devices"):
        found = found.get(field) or {}
    uses: dict[DeviceId, tuple[Use, ...]] = {}
    for result in found.get("results") or ():
        if result.get("adminAccess"):
            continue
        device = (result["driver"], result["pool"], result["device"])
        taken: Mapping[str, str] = result.get("consumedCapacity") or {}
        use = Use(result.get("shareID") or "", tuple(taken.items()))
        uses[device] = (*uses.get(device, ()), use)
    return uses


def overlap(mine: tuple[Use, ...], others: Iterable[Use]) -> bool:
    """True if one side holds a device alone that the other holds too, or both hold one share."""
    all_uses = [*mine, *others]
    shares = [use.share for use in all_uses]
    return len(all_uses) > 1 and ("" in shares or len(set(shares)) < len(shares))


# -- what drivers publish ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """The facts about a shared device: its capacity, and the counters it takes."""

    capacity: Amounts
    counters: tuple[tuple[str, str, Fraction], ...]  # counter set, counter, amount


@dataclass(frozen=True, slots=True)
class SliceFacts:
    """The facts in one slice about devices that are shared or that share counters."""

    pool: tuple[str, str]  # driver, name
    generation: int
    devices: Mapping[str, DeviceFacts]
    counters: Mapping[tuple[str, str], Fraction]  # counter set, counter


def is_special(item: Obj) -> bool:
    """True if a slice has anything that several claims may hold together."""
    spec = part(item, "spec")
    return bool(spec.get("sharedCounters")) or any(
        device.get("consumesCounters") or device.get("allowMultipleAllocations")
        for device in entries(spec, "devices")
    )


def slice_facts(item: Obj) -> SliceFacts:
    spec = part(item, "spec")
    driver = str(spec["driver"])
    devices = {
        str(device["name"]): DeviceFacts(
            {
                unqualified(driver, name): quantity.parse(value["value"])
                for name, value in part(device, "capacity").items()
            },
            tuple(
                (str(taken["counterSet"]), name, quantity.parse(counter["value"]))
                for taken in entries(device, "consumesCounters")
                for name, counter in part(taken, "counters").items()
            ),
        )
        for device in entries(spec, "devices")
        if device.get("consumesCounters") or device.get("allowMultipleAllocations")
    }
    counters = {
        (str(group["name"]), name): quantity.parse(counter["value"])
        for group in entries(spec, "sharedCounters")
        for name, counter in part(group, "counters").items()
    }
    pool = part(spec, "pool")
    return SliceFacts((driver, str(pool["name"])), int(pool["generation"]), devices, counters)


def unqualified(driver: str, name: str) -> str:
    """A name in the driver's own domain is the same with and without it."""
    return name.removeprefix(f"{driver}/")


# -- whether it fits --------------------------------------------------------------------


def capacity_problem(driver: str, facts: DeviceFacts, uses: Iterable[Use]) -> str:
    """The capacity that all shares of a device together exceed, "" for none."""
    taken: dict[str, Fraction] = {}
    for use in uses:
        for name, amount in use.consumed:
            short = unqualified(driver, name)
            taken[short] = taken.get(short, Fraction(0)) + quantity.parse(amount)
    for name, amount in sorted(taken.items()):
        most = facts.capacity.get(name)
        if most is not None and amount > most:
            return f"its shares would take {_text(amount)} of {name}, it has {_text(most)}"
    return ""


def counter_problem(
    added: DeviceFacts, held: Iterable[DeviceFacts], available: Mapping[tuple[str, str], Fraction]
) -> str:
    """The counter that `added` would overdraw, beside `held`; "" for none."""
    taken: dict[tuple[str, str], Fraction] = {}
    for facts in (added, *held):
        for group, name, amount in facts.counters:
            taken[group, name] = taken.get((group, name), Fraction(0)) + amount
    for group, name, amount in added.counters:
        most = available.get((group, name), Fraction(0))
        if amount > 0 and taken[group, name] > most:
            return (
                f"counter {name} of {group} would be drawn on by {_text(taken[group, name])}, "
                f"there is {_text(most)}"
            )
    return ""


def _text(amount: Fraction) -> str:
    whole = amount.denominator == 1
    return str(amount.numerator) if whole else quantity.format_milli(int(amount * 1000))
