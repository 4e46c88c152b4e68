"""Devices that are made ready after they are allocated: whether a pod may be bound yet.

A driver names conditions that must be True in `status.devices[].conditions` before the pod is
bound (a fabric attaches the device, say), and others that end the wait. Till then the claim is
allocated and reserved, and the pod waits unbound.
Source: KEP-5007, DRADeviceBindingConditions; scheduler plugin dynamicresources `PreBind`, 1.36.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mizzen.base.clock import parse_rfc3339
from mizzen.base.objects import Key, Obj
from mizzen.base.reading import entries, part
from mizzen.scheduler.core.dra.model import Allocation, DeviceId, DeviceResult

TIMEOUT_S = 600  # upstream's DynamicResourcesArgs.bindingTimeout
RETRY_S = 5.0  # after a failure, or a driver that always fails would be asked without end
FAILED = "DeviceBindingFailed"  # reasons of the pod's PodScheduled condition
PENDING = "BindingConditionsPending"
_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Condition:
    type: str
    is_true: bool
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A driver's report on one allocated device."""

    device: DeviceId
    share: str
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Binding:
    """An allocation with devices that are made ready first: since when, and how far they are."""

    claim: Key
    allocated_ns: int
    results: tuple[DeviceResult, ...]  # those with conditions
    reports: tuple[Report, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Not ready, not failed; `what` names the first device and its conditions."""

    until_ns: int
    what: str


@dataclass(frozen=True, slots=True)
class Failed:
    why: str


Verdict = Waiting | Failed | None  # None: ready


def read_binding(claim: Key, status: Obj, allocation: Allocation | None) -> Binding | None:
    """The progress of an allocated claim's devices; None where nothing has to be awaited."""
    results = awaited(allocation) if allocation is not None else ()
    if not results:
        return None
    since = part(status, "allocation").get("allocationTimestamp")
    reports = tuple(_report(entry) for entry in entries(status, "devices"))
    return Binding(claim, parse_rfc3339(since) if since else 0, results, reports)


def _report(entry: Obj) -> Report:
    conditions = tuple(
        Condition(
            str(c["type"]),
            c.get("status") == "True",
            str(c.get("reason") or ""),
            str(c.get("message") or ""),
        )
        for c in entries(entry, "conditions")
    )
    device = DeviceId(str(entry["driver"]), str(entry["pool"]), str(entry["device"]))
    return Report(device, str(entry.get("shareID") or ""), conditions)


def awaited(allocation: Allocation) -> tuple[DeviceResult, ...]:
    """The devices of an allocation that have to be made ready."""
    return tuple(result for result in allocation.results if result.bindings)


def judge(binding: Binding, now_ns: int) -> Verdict:
    """Failed when a driver says so or the time is up; Waiting until every condition holds."""
    waiting = ""
    for result in binding.results:
        known = _conditions_of(result, binding.reports)
        for name in result.binding_failures:
            found = known.get(name)
            if found is not None and found.is_true:
                said = f"{name}: {found.reason}: {found.message}" if found.reason else name
                return Failed(
                    f'device {result.id} of ResourceClaim "{binding.claim}" cannot be made '
                    f"ready: {said}"
                )
        missing = [n for n in result.bindings if n not in known or not known[n].is_true]
        if missing and not waiting:
            waiting = _what(binding.claim, result, missing)
    if not waiting:
        return None
    until_ns = binding.allocated_ns + TIMEOUT_S * _NS
    if binding.allocated_ns and now_ns > until_ns:
        return Failed(f"{waiting} is not ready after {TIMEOUT_S} s")
    return Waiting(until_ns if binding.allocated_ns else now_ns + TIMEOUT_S * _NS, waiting)


def judge_new(claim: Key, allocation: Allocation, now_ns: int) -> Verdict:
    """The same for an allocation that is only being made."""
    results = awaited(allocation)
    return judge(Binding(claim, now_ns // _NS * _NS, results, ()), now_ns) if results else None


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """One failure fails all; of several waits the one that is up first."""
    found: Verdict = None
    for verdict in verdicts:
        if isinstance(verdict, Failed):
            return verdict
        if verdict is not None and (
            not isinstance(found, Waiting) or verdict.until_ns < found.until_ns
        ):
            found = verdict
    return found


def retry_at_ns(conditions: Iterable[Obj]) -> int:
    """The time at which a pod whose devices failed is tried again, 0 for one whose devices did not."""
    for condition in conditions:
        if condition.get("type") == "PodScheduled" and condition.get("reason") == FAILED:
            probed = condition.get("lastProbeTime")
            return parse_rfc3339(probed) + int(RETRY_S * _NS) if probed else 0
    return 0


def _conditions_of(result: DeviceResult, reports: Iterable[Report]) -> dict[str, Condition]:
    for report in reports:
        if report.device == result.id and report.share == result.share:
            return {condition.type: condition for condition in report.conditions}
    return {}


def _what(claim: Key, result: DeviceResult, missing: list[str]) -> str:
    return f'device {result.id} of ResourceClaim "{claim}", which awaits {", ".join(missing)},'
