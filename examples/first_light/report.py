"""Works out what happened, from what was recorded: history, usage records, requests, logs.

Pure: nothing here asks the control plane anything, so a saved run can be read again.
Times are integer nanoseconds since the epoch, durations in seconds (float).
"""

from __future__ import annotations

import itertools
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from burst import Outcome
from checker import Run

Entry = dict[str, Any]
GENERATION = "mizzen.dev/formation-generation"
SIZE = "mizzen.dev/formation-size"


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened, for the timeline."""

    time: int
    what: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Inputs:
    job: str
    endpoint: str
    history: Sequence[Entry]
    usage: Sequence[dict[str, Any]]  # spec of each UsageRecord
    decisions: Sequence[dict[str, Any]]  # the gateway's own record of its demands
    requests: Sequence[Outcome]
    run: Run
    steps: int
    started: int
    ended: int


def _metadata(entry: Entry) -> dict[str, Any]:
    return (entry.get("object") or {}).get("metadata") or {}


def _of(history: Iterable[Entry], resource: str, name: str = "") -> list[Entry]:
    return [
        e
        for e in history
        if e["resource"].split(".")[0] == resource and (not name or e["name"] == name)
    ]


def shrink(inputs: Inputs) -> Entry | None:
    """The first revision in which the scheduler marked a member of the job for eviction."""
    for entry in _of(inputs.history, "pods"):
        if (
            entry["identity"].endswith("scheduler")
            and entry["name"].startswith(f"{inputs.job}-node-0-")
            and _metadata(entry).get("deletionTimestamp")
        ):
            return entry
    return None


def devices_free(inputs: Inputs, evicted: Entry) -> int:
    """When the evicted pod's claim lost its allocation (or was gone); 0 = never."""
    pod = evicted["object"]
    generated = (pod.get("status") or {}).get("resourceClaimStatuses") or ()
    claims = {
        c.get("resourceClaimName") for c in (*(pod["spec"].get("resourceClaims") or ()), *generated)
    }
    for entry in _of(inputs.history, "resourceclaims"):
        if entry["name"] not in claims or entry["revision"] <= evicted["revision"]:
            continue
        status = (entry.get("object") or {}).get("status") or {}
        if entry["verb"].startswith("delete") or not status.get("allocation"):
            return entry["time"]
    return 0


def new_replica(inputs: Inputs, after: int) -> str:
    """The endpoint's pod that was bound first after the given time."""
    for entry in _of(inputs.history, "pods"):
        spec = (entry.get("object") or {}).get("spec") or {}
        if (
            entry["name"].startswith(f"{inputs.endpoint}-")
            and spec.get("nodeName")
            and entry["time"] >= after
        ):
            return entry["name"]
    return ""


def first_seen(inputs: Inputs, pod: str, test: Any, after: int = 0) -> int:
    for entry in _of(inputs.history, "pods", pod):
        if entry["time"] >= after and test(entry.get("object") or {}):
            return entry["time"]
    return 0


def is_ready(obj: dict[str, Any]) -> bool:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def formations(inputs: Inputs) -> list[tuple[int, int, int]]:
    """(time, generation, size) of each formation, in order."""
    seen: dict[int, tuple[int, int, int]] = {}
    for entry in _of(inputs.history, "pods"):
        if not entry["name"].startswith(f"{inputs.job}-node-0-"):
            continue
        annotations = _metadata(entry).get("annotations") or {}
        if GENERATION in annotations:
            generation = int(annotations[GENERATION])
            seen.setdefault(generation, (entry["time"], generation, int(annotations.get(SIZE, 0))))
    return [seen[g] for g in sorted(seen)]


def _rank_zero(inputs: Inputs) -> list[dict[str, Any]]:
    found = [
        interval
        for record in inputs.usage
        if str(record.get("pod", "")).endswith(f"{inputs.job}-node-0-0")
        for interval in record["intervals"]
    ]
    return sorted(found, key=lambda i: i["start"])


def pauses(inputs: Inputs) -> list[dict[str, Any]]:
    """What each re-forming cost training, as rank 0 recorded it.

    From the end of its last step in the old size to the end of its first step in the new one,
    less an ordinary (median) step of the new size: the first step may load programs.
    """
    found: list[dict[str, Any]] = []
    steps = [
        i for i in _rank_zero(inputs) if i["line"] in ("usefulStep", "redoneStep", "reforming")
    ]
    for index, interval in enumerate(steps):
        before, after = steps[:index], steps[index + 1 :]
        if interval["line"] != "reforming" or not before or before[-1]["line"] == "reforming":
            continue
        following = list(itertools.takewhile(lambda i: i["line"] != "reforming", _from_step(after)))
        if not following:
            continue
        ordinary = statistics.median(i["end"] - i["start"] for i in following)
        first = following[0]
        found.append(
            {
                "start": before[-1]["end"],
                "end": first["end"],
                "seconds": max(0.0, (first["end"] - before[-1]["end"] - ordinary) / 1e9),
                "stopped_seconds": (first["start"] - before[-1]["end"]) / 1e9,
                "ordinary_step_seconds": ordinary / 1e9,
            }
        )
    return found


def _from_step(intervals: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    return itertools.dropwhile(lambda i: i["line"] == "reforming", intervals)


def ledger(inputs: Inputs) -> dict[str, Any]:
    """Chip-nanoseconds per line and workload; the sum is devices x recorded time."""
    lines: Counter[str] = Counter()
    workloads: dict[str, Counter[str]] = defaultdict(Counter)
    devices: dict[str, list[int]] = {}
    for record in inputs.usage:
        name = f"{record['driver']}/{record['pool']}/{record['device']}"
        span = devices.setdefault(name, [record["start"], record["end"]])
        span[0], span[1] = min(span[0], record["start"]), max(span[1], record["end"])
        for interval in record["intervals"]:
            length = interval["end"] - interval["start"]
            lines[interval["line"]] += length
            workloads[record.get("workload") or "-"][interval["line"]] += length
    total = sum(end - start for start, end in devices.values())
    return {
        "unit": "device-nanoseconds",
        "devices": len(devices),
        "device_time": total,
        "sum_of_lines": sum(lines.values()),
        "lines": dict(sorted(lines.items())),
        "workloads": {name: dict(sorted(c.items())) for name, c in sorted(workloads.items())},
    }


def cpu_shares(inputs: Inputs) -> dict[str, dict[str, float]]:
    """Measured CPU share of each pod: the kernel's CPU time over the time it held a device."""
    cpu: Counter[str] = Counter()
    wall: Counter[str] = Counter()
    for record in inputs.usage:
        if record.get("pod") and record.get("kernelCPU") is not None:
            cpu[record["pod"]] += record["kernelCPU"]
            wall[record["pod"]] += record["end"] - record["start"]
    return {
        pod: {
            "cpu_seconds": cpu[pod] / 1e9,
            "held_seconds": wall[pod] / 1e9,
            "cores": cpu[pod] / wall[pod],
        }
        for pod in sorted(cpu)
        if wall[pod]
    }


def _seconds(later: int, earlier: int) -> float | None:
    return round((later - earlier) / 1e9, 4) if later and earlier else None


def _burst_times(inputs: Inputs) -> dict[str, Any]:
    evicted = shrink(inputs)
    if evicted is None:
        return {"shrunk": False}
    # Whichever demand was written last before the eviction is the one that tipped it.
    tips = [d for d in inputs.decisions if d["arrived"] <= evicted["time"]]
    tip = tips[-1] if tips else {}
    arrived = int(tip.get("arrived") or 0)
    free = devices_free(inputs, evicted)
    replica = new_replica(inputs, evicted["time"])
    bound = first_seen(
        inputs, replica, lambda o: bool((o.get("spec") or {}).get("nodeName")), evicted["time"]
    )
    ready = first_seen(inputs, replica, is_ready, bound)
    tokens = [r.first_token for r in inputs.requests if r.replica == replica and r.first_token]
    token = min(tokens, default=0)
    created = first_seen(inputs, replica, lambda o: True)
    return {
        "shrunk": True,
        "seconds_burst_to_decision": _seconds(evicted["time"], arrived),
        "seconds_burst_to_devices_free": _seconds(free, arrived),
        "seconds_burst_to_first_token_on_new_replica": _seconds(token, arrived),
        "breakdown": {
            "request_arrived": arrived,
            "demand_decided": tip.get("decided"),
            "demand_acknowledged": tip.get("acknowledged"),
            "replica_created": created,
            "eviction_committed": evicted["time"],
            "devices_free": free,
            "replica_bound": bound,
            "replica_ready": ready,
            "first_token": token,
            "new_replica": replica,
            "evicted": evicted["name"],
            "cause": (_metadata(evicted).get("annotations") or {}).get("mizzen.dev/cause", ""),
        },
    }


def timeline(
    inputs: Inputs, times: dict[str, Any], formed: Sequence[tuple[int, int, int]]
) -> list[Moment]:
    """What a reader of the run wants to see, oldest first."""
    moments: list[Moment] = []
    if times["shrunk"]:
        b = times["breakdown"]
        moments += [
            Moment(b["request_arrived"], "request tips the demand"),
            Moment(b["eviction_committed"], "scheduler shrinks the job", b["cause"]),
            Moment(b["devices_free"], "device free", f"was {b['evicted']}"),
            Moment(b["replica_bound"], "new replica bound", b["new_replica"]),
            Moment(b["replica_ready"], "new replica ready"),
            Moment(b["first_token"], "first token from the new replica"),
        ]
    for time, generation, size in formed:
        moments.append(Moment(time, f"formation {generation}: {size} workers"))
    for decision in inputs.decisions:
        if decision.get("replicas") is not None:
            moments.append(
                Moment(
                    int(decision["decided"]),
                    f"demand: {decision['replicas']} replicas",
                    decision.get("cause", ""),
                )
            )
    for entry in _of(inputs.history, "trainjobs", inputs.job):
        conditions = ((entry.get("object") or {}).get("status") or {}).get("conditions") or ()
        if any(c["type"] == "Complete" and c["status"] == "True" for c in conditions):
            moments.append(Moment(entry["time"], "training complete"))
            break
    return sorted((m for m in moments if m.time), key=lambda m: m.time)


def pool(slices: Sequence[Entry], node: Entry) -> dict[str, Any]:
    """How the devices of the run are made and enforced, from what the agent published."""
    devices = [device for piece in slices for device in piece["spec"].get("devices") or ()]
    enforcement = {
        value["string"]
        for device in devices
        if (value := (device.get("attributes") or {}).get("enforcement"))
    }
    return {
        "node": node["metadata"]["name"],
        "devices": [device["name"] for device in devices],
        "enforcement": sorted(enforcement),
        "cgroup_mode": "none" if enforcement == {"best-effort"} else ",".join(sorted(enforcement)),
    }


def build(inputs: Inputs, environment: dict[str, Any]) -> dict[str, Any]:
    """`demo-report.json`; the fields are described in `docs/demo-report.md`."""
    done = sorted(inputs.run.rows)
    times = _burst_times(inputs)
    formed = formations(inputs)
    stops = pauses(inputs)
    losses = [inputs.run.losses[s] for s in done]
    writes: Counter[str] = Counter(entry["identity"] for entry in inputs.history)
    redone = sorted(
        {i["step"] for i in _rank_zero(inputs) if i["line"] == "redoneStep"}
        | set(inputs.run.redone)
    )
    return {
        "steps": inputs.steps,
        "steps_lost": len(set(range(inputs.steps)) - set(done)),
        "steps_redone": len(redone),
        "requests": len(inputs.requests),
        "requests_failed": sum(r.failed for r in inputs.requests),
        "requests_by_phase": dict(Counter(r.phase for r in inputs.requests)),
        **times,
        "training_pause_seconds": [round(p["seconds"], 3) for p in stops],
        "training_pauses": stops,
        "formations": [{"time": t, "generation": g, "size": s} for t, g, s in formed],
        "loss_first": losses[0] if losses else None,
        "loss_last": losses[-1] if losses else None,
        "ledger": ledger(inputs),
        "cpu_shares": cpu_shares(inputs),
        "api_writes_by_identity": dict(sorted(writes.items())),
        "environment": environment,
        "started": inputs.started,
        "ended": inputs.ended,
        "timeline": [
            {"time": m.time, "what": m.what, "detail": m.detail}
            for m in timeline(inputs, times, formed)
        ],
        "failures": [r.as_json() for r in inputs.requests if r.failed],
        "intervals": list(inputs.usage),
        "request_times": [
            {
                "sent": r.sent,
                "first_token": r.first_token,
                "ended": r.ended,
                "replica": r.replica,
                "phase": r.phase,
            }
            for r in inputs.requests
        ],
    }
