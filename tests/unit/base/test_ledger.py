"""The ledger's words: records, sums, and every way in which they can be wrong."""

from __future__ import annotations

from typing import Any

from mizzen.base.ledger import (
    ALLOCATION_TOLERANCE_NS,
    DeviceId,
    Interval,
    Owner,
    check,
    record,
    totals,
)

DEVICE = DeviceId("n", "cpu.mizzen.dev", "core-0")
OWNER = Owner("p", "u", "TrainJob/j", "default", "default/c")


def two() -> list[dict[str, Any]]:
    return [
        record(DEVICE, None, [Interval("free", 0, 10)], None),
        record(
            DEVICE, OWNER, [Interval("starting", 10, 15), Interval("usefulStep", 15, 30, 9, 4)], 9
        ),
    ]


def test_sums_by_line_workload_and_device() -> None:
    sums = totals(two())
    assert sums.all == 30
    assert dict(sums.lines) == {"free": 10, "starting": 5, "usefulStep": 15}
    assert dict(sums.workloads["default/TrainJob/j"]) == {"starting": 5, "usefulStep": 15}
    assert sum(sums.devices["n/cpu.mizzen.dev/core-0"].values()) == 30
    assert sums.cpu["usefulStep"] == 9


def test_a_name_is_fixed_by_device_and_start() -> None:
    assert two()[1]["metadata"]["name"] == "n.core-0.10"


def test_a_whole_ledger_has_no_problem() -> None:
    assert check(two()) == []


def test_names_gaps_overlaps_and_strange_lines() -> None:
    gap, overlap, strange = two(), two(), two()
    gap[1]["spec"]["start"] = gap[1]["spec"]["intervals"][0]["start"] = 12
    assert "gap of 2 ns" in check(gap)[0]
    overlap[0]["spec"]["end"] = overlap[0]["spec"]["intervals"][0]["end"] = 13
    assert "overlap of 3 ns" in check(overlap)[0]
    strange[1]["spec"]["intervals"][0]["line"] = "napping"
    assert "'napping' is unknown" in check(strange)[0]
    inside = two()
    inside[1]["spec"]["intervals"][1]["start"] = 16
    assert "gap of 1 ns" in check(inside)[0]


def test_free_must_be_nobodys() -> None:
    wrong = two()
    wrong[0]["spec"]["podUID"] = "u"
    assert "does not fit its owner" in check(wrong)[0]


def claim_line(at: int, *devices: str) -> dict[str, Any]:
    results = [{"driver": "cpu.mizzen.dev", "device": d, "pool": "n"} for d in devices]
    status = {"allocation": {"devices": {"results": results}}} if devices else {}
    return {
        "time": at, "verb": "update", "resource": "resourceclaims", "namespace": "default",
        "name": "c", "object": {"status": status},
    }  # fmt: skip


def test_owners_are_compared_with_the_claims_history() -> None:
    late = 10 * ALLOCATION_TOLERANCE_NS
    records = [record(DEVICE, OWNER, [Interval("running", 0, 2 * late)], 0)]
    held = [claim_line(0, "core-0"), claim_line(2 * late)]
    assert check(records, held) == []
    assert "did not hold it" in check(records, [claim_line(3 * late, "core-0")])[0]
