"""`mizzen cost`: where every device-nanosecond went, summed from UsageRecords."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mizzen.base.objects import Obj
from mizzen.cli.core.fields import entries, number, section, text

Nanoseconds = int
NOBODY = ""


@dataclass(slots=True)
class Bill:
    """Sums over a set of records; all in integer ns, so that they add up exactly."""

    lines: dict[tuple[str, str], Nanoseconds] = field(default_factory=dict[tuple[str, str], int])
    cpu: dict[tuple[str, str], Nanoseconds] = field(default_factory=dict[tuple[str, str], int])
    devices: dict[str, Nanoseconds] = field(default_factory=dict[str, int])

    @property
    def total(self) -> Nanoseconds:
        return sum(self.lines.values())


def bill(records: Iterable[Obj]) -> Bill:
    """Time per (workload, line) and per device; the workload of free time is ""."""
    sums = Bill()
    for record in records:
        spec = section(record, "spec")
        device = device_of(spec)
        workload = _workload(spec)
        sums.devices[device] = sums.devices.get(device, 0) + spec["end"] - spec["start"]
        for interval in entries(spec, "intervals"):
            key = (workload, text(interval, "line"))
            length = interval["end"] - interval["start"]
            sums.lines[key] = sums.lines.get(key, 0) + length
            sums.cpu[key] = sums.cpu.get(key, 0) + number(interval, "cpu")
    return sums


def device_of(spec: Obj) -> str:
    return f"{text(spec, 'node')}/{text(spec, 'driver')}/{text(spec, 'device')}"


def faults(records: Sequence[Obj]) -> list[str]:
    """Every gap and overlap, between the records of a device and inside each of them.

    None means that the lines sum to devices x time: touching stretches leave no other way.
    """
    found: list[str] = []
    by_device: dict[str, list[Obj]] = {}
    for record in records:
        spec = section(record, "spec")
        by_device.setdefault(device_of(spec), []).append(spec)
        inside = [(i["start"], i["end"]) for i in entries(spec, "intervals")]
        name = text(record, "metadata", "name")
        if not inside or (inside[0][0], inside[-1][1]) != (spec["start"], spec["end"]):
            found.append(f"usagerecord/{name}: its intervals do not cover its stretch of time")
        found += _breaks(f"usagerecord/{name}", inside)
    for device, specs in sorted(by_device.items()):
        found += _breaks(device, sorted((s["start"], s["end"]) for s in specs))
    return found


def _breaks(what: str, stretches: Sequence[tuple[int, int]]) -> list[str]:
    found = [f"{what}: ends before it starts at {s}" for s, e in stretches if e < s]
    for (_, end), (start, _) in itertools.pairwise(stretches):
        if end != start:
            kind = "a gap" if start > end else "an overlap"
            found.append(f"{what}: {kind} of {abs(start - end)} ns at {end}")
    return found


def _workload(spec: Obj) -> str:
    name = text(spec, "workload") or text(spec, "pod")
    if not name:
        return NOBODY
    namespace = text(spec, "namespace")
    return f"{namespace}/{name}" if namespace else name
