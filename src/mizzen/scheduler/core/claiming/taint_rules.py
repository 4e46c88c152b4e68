"""DeviceTaintRules: taints that administrators put on devices, as if their driver had.

They are added to the slices before anything reads those, so allocation knows one kind of taint.
Source: resource.k8s.io/v1beta2 DeviceTaintRule; dynamic-resource-allocation resourceslice/tracker.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mizzen.base.objects import Obj
from mizzen.base.reading import entries, part


@dataclass(frozen=True, slots=True)
class TaintRule:
    """One rule; None in a criterion means any. `taint` is (field, value) pairs in wire form."""

    name: str
    driver: str | None
    pool: str | None
    device: str | None
    taint: tuple[tuple[str, str], ...]

    def matches(self, driver: str, pool: str, device: str) -> bool:
        return (
            self.driver in (None, driver)
            and self.pool in (None, pool)
            and self.device in (None, device)
        )


def read_rules(rules: Iterable[Obj]) -> tuple[TaintRule, ...]:
    """The rules that select anything, by name. One without a selector selects no device."""
    found: list[TaintRule] = []
    for rule in rules:
        selector = part(rule, "spec").get("deviceSelector")
        taint = part(rule, "spec", "taint")
        if selector is None or not taint.get("key"):
            continue
        found.append(
            TaintRule(
                name=str(rule["metadata"]["name"]),
                driver=selector.get("driver"),
                pool=selector.get("pool"),
                device=selector.get("device"),
                taint=tuple(sorted((k, str(v)) for k, v in taint.items())),
            )
        )
    return tuple(sorted(found, key=lambda rule: rule.name))


def tainted(item: Obj, rules: Iterable[TaintRule]) -> Obj:
    """The slice with the rules' taints after its own; the same object where none applies."""
    spec = part(item, "spec")
    driver, pool = str(spec.get("driver")), str(part(spec, "pool").get("name"))
    near = [r for r in rules if r.driver in (None, driver) and r.pool in (None, pool)]
    if not near:
        return item
    devices = [_tainted_device(device, driver, pool, near) for device in entries(spec, "devices")]
    if all(new is old for new, old in zip(devices, entries(spec, "devices"), strict=True)):
        return item
    return {**item, "spec": {**spec, "devices": devices}}


def _tainted_device(device: Obj, driver: str, pool: str, rules: Iterable[TaintRule]) -> Obj:
    added = [dict(r.taint) for r in rules if r.matches(driver, pool, str(device.get("name")))]
    return {**device, "taints": [*entries(device, "taints"), *added]} if added else device
