"""The chip-second ledger: every nanosecond of every device belongs to exactly one line.

A `UsageRecord` covers one stretch of one device; its intervals touch, and so do the records
of a device. Hence the lines sum to devices x time by construction, and whatever does not
touch is an error that `check` names. All numbers are integer nanoseconds.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mizzen.base.clock import rfc3339_micro
from mizzen.base.objects import Obj
from mizzen.base.segment import Line

LINES = (
    "free", "starting", "usefulStep", "redoneStep", "checkpointStall", "reforming", "finishing",
    "servingBusy", "servingIdle", "running", "stopping", "down", "unknown",
)  # fmt: skip
RECORDED = {  # lines that workers record themselves (segment.Line)
    Line.STARTING: "starting",
    Line.USEFUL_STEP: "usefulStep",
    Line.REDONE_STEP: "redoneStep",
    Line.CHECKPOINT_STALL: "checkpointStall",
    Line.REFORMING: "reforming",
    Line.FINISHING: "finishing",
    Line.SERVING_BUSY: "servingBusy",
    Line.SERVING_IDLE: "servingIdle",
}
STEP_LINES = ("usefulStep", "redoneStep")
# Claims are allocated in the API, devices change hands in the agent: it hears of it this much later.
ALLOCATION_TOLERANCE_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Interval:
    """One stretch on one line; `cpu` is CPU time used in it."""

    line: str
    start: int
    end: int
    cpu: int = 0
    step: int | None = None

    def to_wire(self) -> Obj:
        entry: Obj = {"line": self.line, "start": self.start, "end": self.end, "cpu": self.cpu}
        if self.step is not None:
            entry["step"] = self.step
        return entry


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom a device is allocated to."""

    pod: str
    pod_uid: str
    workload: str  # "<Kind>/<name>" of the pod's controller, or "Pod/<name>"
    namespace: str
    claim: str


@dataclass(frozen=True, slots=True)
class DeviceId:
    node: str
    driver: str
    device: str


def record(
    device: DeviceId, owner: Owner | None, intervals: Sequence[Interval], kernel_cpu: int | None
) -> Obj:
    """The UsageRecord of touching intervals. Its name is fixed by device and start, so that
    writing it twice is refused and not counted twice."""
    assert intervals, device
    spec: Obj = {
        "node": device.node,
        "driver": device.driver,
        "pool": device.node,
        "device": device.device,
        "start": intervals[0].start,
        "end": intervals[-1].end,
        "intervals": [i.to_wire() for i in intervals],
    }
    if owner is not None:
        spec |= {
            "pod": owner.pod,
            "podUID": owner.pod_uid,
            "workload": owner.workload,
            "namespace": owner.namespace,
            "claim": owner.claim,
        }
    if kernel_cpu is not None:
        spec["kernelCPU"] = kernel_cpu
    name = f"{device.node}.{device.device}.{intervals[0].start}"
    return {"metadata": {"name": name}, "spec": spec}


@dataclass(slots=True)
class Totals:
    """Sums in ns: all of it, by line, by (workload, line), by (device, line); CPU by line."""

    all: int = 0
    lines: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    cpu: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    workloads: dict[str, dict[str, int]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(int))
    )
    devices: dict[str, dict[str, int]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(int))
    )


def totals(records: Iterable[Obj]) -> Totals:
    """Adds up every interval of every record; workload "" holds the time without one."""
    sums = Totals()
    for entry in records:
        spec: Obj = entry["spec"]
        workload = f"{spec['namespace']}/{spec['workload']}" if spec.get("workload") else ""
        for interval in spec["intervals"]:
            length = int(interval["end"]) - int(interval["start"])
            line = str(interval["line"])
            sums.all += length
            sums.lines[line] += length
            sums.cpu[line] += int(interval.get("cpu") or 0)
            sums.workloads[workload][line] += length
            sums.devices[device_key(spec)][line] += length
    return sums


def device_key(spec: Mapping[str, object]) -> str:
    return f"{spec['node']}/{spec['driver']}/{spec['device']}"


def check(records: Iterable[Obj], history: Iterable[Obj] = ()) -> list[str]:
    """Everything that is wrong, one sentence each; [] for a ledger without gap or overlap.

    `history` (lines of `/mizzen/v1/history`) adds the comparison of allocated stretches with
    the claims' allocations, within ALLOCATION_TOLERANCE_NS at each end.
    """
    by_device: dict[str, list[Obj]] = defaultdict(list)
    for entry in records:
        by_device[device_key(entry["spec"])].append(entry["spec"])
    problems: list[str] = []
    for key, specs in sorted(by_device.items()):
        specs.sort(key=lambda s: int(s["start"]))
        for spec in specs:
            problems += _check_record(key, spec)
        for before, after in itertools.pairwise(specs):
            problems += _check_touch(key, int(before["end"]), int(after["start"]))
    allocated = _allocations(history)
    if allocated:
        for key, specs in sorted(by_device.items()):
            problems += _check_owners(key, specs, allocated)
    return problems


def _check_record(key: str, spec: Obj) -> list[str]:
    problems: list[str] = []
    intervals = spec["intervals"]
    where = f"{key} at {_time(int(spec['start']))}"
    if not intervals:
        return [f"{where}: a record without intervals"]
    if intervals[0]["start"] != spec["start"] or intervals[-1]["end"] != spec["end"]:
        problems.append(f"{where}: the intervals do not cover the record")
    for entry in intervals:
        if entry["line"] not in LINES:
            problems.append(f"{where}: line {entry['line']!r} is unknown")
        if int(entry["end"]) <= int(entry["start"]):
            problems.append(f"{where}: an interval of {entry['line']} ends before it begins")
        if entry["line"] != "down" and (entry["line"] == "free") != (
            not spec.get("podUID") and not spec.get("claim")
        ):
            problems.append(f"{where}: line {entry['line']} does not fit its owner")
    for before, after in itertools.pairwise(intervals):
        problems += _check_touch(key, int(before["end"]), int(after["start"]))
    return problems


def _check_touch(key: str, end: int, start: int) -> list[str]:
    if start == end:
        return []
    what = "gap" if start > end else "overlap"
    return [f"{key}: {what} of {abs(start - end)} ns at {_time(end)}"]


def _allocations(history: Iterable[Obj]) -> dict[tuple[str, str], list[tuple[int, bool]]]:
    """(device "driver/device", claim) -> changes (time, allocated from then on), in order."""
    changes: dict[tuple[str, str], list[tuple[int, bool]]] = defaultdict(list)
    held: dict[str, set[str]] = defaultdict(set)
    for line in history:
        if line.get("resource") not in ("resourceclaims", "resourceclaims.resource.k8s.io"):
            continue
        claim = f"{line.get('namespace')}/{line.get('name')}"
        found: Obj = line.get("object") or {}
        for name in ("status", "allocation", "devices"):
            found = found.get(name) or {}
        results: list[Obj] = found.get("results") or []
        gone = str(line.get("verb")).lower().startswith("delete")
        now: set[str] = set()
        if not gone:
            now = {f"{r['driver']}/{r['device']}" for r in results}
        for device in held[claim] ^ now:
            changes[(device, claim)].append((int(line["time"]), device in now))
        held[claim] = now
    return changes


def _check_owners(
    key: str, specs: Sequence[Obj], allocated: Mapping[tuple[str, str], list[tuple[int, bool]]]
) -> list[str]:
    problems: list[str] = []
    device = key.split("/", 1)[1]
    for spec in specs:
        claim = spec.get("claim")
        if not claim or (device, claim) not in allocated:
            continue
        middle = (int(spec["start"]) + int(spec["end"])) // 2
        states = [on for at, on in allocated[(device, claim)] if at <= middle]
        nearest = min(abs(at - middle) for at, _ in allocated[(device, claim)])
        if not (states and states[-1]) and nearest > ALLOCATION_TOLERANCE_NS:
            problems.append(
                f"{key} at {_time(middle)}: recorded for {claim}, which did not hold it"
            )
    return problems


def _time(ns: int) -> str:
    return rfc3339_micro(ns)
