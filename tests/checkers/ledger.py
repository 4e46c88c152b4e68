"""An independent check of the chip-second ledger, from the API server's history alone.

Shares no code with `mizzen.base.ledger`, on purpose. It reads the lines of
`GET /mizzen/v1/history` and recomputes: whether the stretches of every device touch, whether they
sum to devices x time, whether what was recorded as allocated was allocated by claims (within
ALLOCATION_TOLERANCE_S at each end), and whether the CPU that workers say they used in
busy lines is what the kernel counted (within CPU_TOLERANCE, for pods with at least CPU_LEAST_S).

Usage: python tests/checkers/ledger.py HISTORY.jsonl    (exit code 1 when something is wrong)
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

ALLOCATION_TOLERANCE_S = 2
CPU_TOLERANCE = Fraction(2, 100)
CPU_SLACK_NS = 30_000_000  # the reading of the group and of the process are never the same instant
CPU_LEAST_S = 2
BUSY = {"usefulStep", "redoneStep", "checkpointStall", "reforming", "servingBusy", "servingIdle"}
NS = 10**9

Stretch = dict[str, Any]


def faults(lines: Iterable[dict[str, Any]]) -> list[str]:
    """Everything that is wrong, one sentence each."""
    stretches: dict[tuple[str, str, str], list[Stretch]] = defaultdict(list)
    claims: dict[str, list[tuple[int, frozenset[tuple[str, str]]]]] = defaultdict(list)
    for line in lines:
        resource = str(line["resource"]).split(".")[0].split("/")[-1]
        if resource == "usagerecords" and is_creation(line):
            spec = line["object"]["spec"]
            if spec.get("folded"):
                continue  # sums of records that are in the history themselves
            stretches[spec["node"], spec["driver"], spec["device"]].append(spec)
        elif resource == "resourceclaims":
            key = f"{line.get('namespace')}/{line['name']}"
            claims[key].append((int(line["time"]), devices_of(line)))
    found: list[str] = []
    for device, parts in sorted(stretches.items()):
        parts.sort(key=lambda s: s["start"])
        found += touching("/".join(device), parts)
        found += summing("/".join(device), parts)
        found += allocated(device, parts, claims)
    return found + counted(stretches)


def is_creation(line: dict[str, Any]) -> bool:
    """Records never change, so anything but a deletion that carries one made it."""
    return bool(line.get("object")) and "delete" not in str(line["verb"]).lower()


def devices_of(line: dict[str, Any]) -> frozenset[tuple[str, str]]:
    """What the claim holds after this line."""
    if "delete" in str(line["verb"]).lower() or not line.get("object"):
        return frozenset()
    allocation = (line["object"].get("status") or {}).get("allocation") or {}
    results = (allocation.get("devices") or {}).get("results") or []
    return frozenset((r["driver"], r["device"]) for r in results)


def touching(device: str, parts: list[Stretch]) -> list[str]:
    """Records touch each other, and the intervals of a record touch and fill it."""
    found: list[str] = []
    moment = parts[0]["start"]
    for part in parts:
        if part["start"] != moment:
            found.append(
                f"{device}: {part['start'] - moment} ns between {moment} and {part['start']}"
            )
        inner = part["start"]
        for interval in part["intervals"]:
            if interval["start"] != inner or interval["end"] <= interval["start"]:
                found.append(
                    f"{device}: {interval['line']} at {interval['start']} does not follow {inner}"
                )
            inner = interval["end"]
        if inner != part["end"]:
            found.append(
                f"{device}: the record at {part['start']} ends at {part['end']}, not {inner}"
            )
        moment = part["end"]
    return found


def summing(device: str, parts: list[Stretch]) -> list[str]:
    """All lines together are the time from the first record to the last."""
    total = sum(i["end"] - i["start"] for part in parts for i in part["intervals"])
    span = max(p["end"] for p in parts) - min(p["start"] for p in parts)
    return [] if total == span else [f"{device}: lines sum to {total} ns of {span} ns"]


def allocated(
    device: tuple[str, str, str],
    parts: list[Stretch],
    claims: dict[str, list[tuple[int, frozenset[tuple[str, str]]]]],
) -> list[str]:
    """A stretch of a claim lies within the claim's allocation, a free one outside all of them."""
    holds = [
        (key, start, end)
        for key, changes in claims.items()
        for start, end in periods(changes, device[1:])
    ]
    slack = ALLOCATION_TOLERANCE_S * NS
    found: list[str] = []
    for part in parts:
        claim = part.get("claim")
        covered = [
            min(part["end"], end + slack) - max(part["start"], start - slack)
            for key, start, end in holds
            if key == claim
        ]
        if claim and sum(c for c in covered if c > 0) < part["end"] - part["start"]:
            found.append(
                f"{'/'.join(device)}: {claim} did not hold it all of {part['start']}..{part['end']}"
            )
        for key, start, end in holds if not claim else ():
            if min(part["end"], end - slack) > max(part["start"], start + slack):
                found.append(f"{'/'.join(device)}: free at {part['start']}, but {key} held it")
    return found


def periods(
    changes: list[tuple[int, frozenset[tuple[str, str]]]], device: tuple[str, ...]
) -> list[tuple[int, int]]:
    """When a claim held the device; without an end: for ever."""
    found: list[tuple[int, int]] = []
    since: int | None = None
    for at, held in sorted(changes, key=lambda c: c[0]):
        if device in held and since is None:
            since = at
        elif device not in held and since is not None:
            found.append((since, at))
            since = None
    return [*found, (since, 2**63)] if since is not None else found


def counted(stretches: dict[tuple[str, str, str], list[Stretch]]) -> list[str]:
    """Per pod and device: CPU of busy lines against the kernel's, over records of busy lines only.

    Records that also hold other lines are left out: what a process does before its first word
    and after its last is in the kernel's count alone.
    """
    own: dict[tuple[str, str], int] = defaultdict(int)
    kernel: dict[tuple[str, str], int] = defaultdict(int)
    for device, parts in stretches.items():
        for part in parts:
            if "kernelCPU" in part and all(i["line"] in BUSY for i in part["intervals"]):
                key = (str(part.get("podUID")), "/".join(device))
                own[key] += sum(i["cpu"] for i in part["intervals"])
                kernel[key] += part["kernelCPU"]
    found: list[str] = []
    for key, used in sorted(own.items()):
        off = abs(used - kernel[key])
        if kernel[key] >= CPU_LEAST_S * NS and off > kernel[key] * CPU_TOLERANCE + CPU_SLACK_NS:
            found.append(
                f"pod {key[0]} on {key[1]}: {used} ns of CPU by its own count, {kernel[key]} by the kernel's"
            )
    return found


def main(path: str) -> int:
    with open(path, encoding="utf-8") as file:
        found = faults(json.loads(line) for line in file if line.strip())
    for fault in found:
        print(fault)
    print("ledger: " + (f"{len(found)} faults" if found else "no gap, no overlap, sums agree"))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
