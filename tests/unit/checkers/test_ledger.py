"""The independent checker finds what it must find, in a history made here."""

from __future__ import annotations

from typing import Any

from checkers.ledger import faults

S = 10**9


def usage(
    start: int, end: int, line: str, cpu: int = 0, kernel: int | None = None, claim: str = ""
) -> Any:
    spec: dict[str, Any] = {
        "node": "n", "driver": "d", "device": "x", "start": start, "end": end,
        "intervals": [{"line": line, "start": start, "end": end, "cpu": cpu}],
    }  # fmt: skip
    spec |= {"claim": claim, "podUID": "u"} if claim else {}
    spec |= {} if kernel is None else {"kernelCPU": kernel}
    return {
        "time": end,
        "verb": "create",
        "resource": "usagerecords",
        "name": str(start),
        "object": {"spec": spec},
    }


def claim(at: int, is_held: bool) -> Any:
    results = [{"driver": "d", "device": "x"}] if is_held else []
    status = {"allocation": {"devices": {"results": results}}}
    return {
        "time": at, "verb": "update", "resource": "resourceclaims", "namespace": "ns", "name": "c",
        "object": {"status": status},
    }  # fmt: skip


def good() -> list[Any]:
    return [
        usage(0, 10 * S, "free"),
        claim(10 * S, True),
        usage(10 * S, 20 * S, "usefulStep", 5 * S, 5 * S, "ns/c"),
        claim(20 * S, False),
        usage(20 * S, 30 * S, "free"),
    ]


def test_a_sound_history_has_no_fault() -> None:
    assert faults(good()) == []


def test_gaps_are_found() -> None:
    lines = good()
    lines[4] = usage(21 * S, 30 * S, "free")
    assert any("between" in fault for fault in faults(lines))
    assert any("sum to" in fault for fault in faults(lines))


def test_use_without_a_claim_is_found() -> None:
    lines = [line for line in good() if line["resource"] != "resourceclaims"]
    assert any("ns/c did not hold it" in fault for fault in faults(lines))


def test_free_under_a_claim_is_found() -> None:
    assert any(
        "but ns/c held it" in fault for fault in faults([usage(0, 30 * S, "free"), claim(0, True)])
    )


def test_cpu_beyond_the_tolerance_is_found() -> None:
    lines = good()
    lines[2] = usage(10 * S, 20 * S, "usefulStep", 5 * S, 6 * S, "ns/c")
    assert any("by the kernel's" in fault for fault in faults(lines))
