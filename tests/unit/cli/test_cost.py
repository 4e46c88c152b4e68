import itertools

from hypothesis import given
from hypothesis import strategies as st

from mizzen.base.objects import Obj
from mizzen.cli.core.cost import bill, faults


def _record(device: str, edges: list[int], line: str = "free", **more: str) -> Obj:
    intervals = [
        {"line": line, "start": a, "end": b, "cpu": 1} for a, b in itertools.pairwise(edges)
    ]
    spec = {"node": "n", "driver": "d", "device": device, "start": edges[0], "end": edges[-1]}
    name = f"{device}-{edges[0]}"
    return {"metadata": {"name": name}, "spec": spec | more | {"intervals": intervals}}


@given(st.lists(st.integers(1, 10**12), min_size=2, max_size=8, unique=True))
def test_touching_stretches_sum_to_the_time(edges: list[int]) -> None:
    edges = sorted(edges)
    middle = edges[len(edges) // 2]
    records = [
        _record("a", [e for e in edges if e >= middle] + [edges[-1] + 5]),
        _record("a", [e for e in edges if e <= middle] + ([] if edges[0] < middle else [middle])),
    ]
    records = [r for r in records if r["spec"]["end"] > r["spec"]["start"]]
    assert faults(records) == []
    assert bill(records).total == sum(bill(records).devices.values())


def test_gaps_and_overlaps_are_named() -> None:
    assert faults([_record("a", [0, 5]), _record("a", [6, 9])]) == ["n/d/a: a gap of 1 ns at 5"]
    assert "an overlap of 2 ns" in faults([_record("a", [0, 5]), _record("a", [3, 9])])[0]
    broken = _record("a", [0, 5, 9])
    broken["spec"]["intervals"][1]["start"] = 6
    assert faults([broken]) == ["usagerecord/a-0: a gap of 1 ns at 5"]


def test_lines_are_billed_to_workloads() -> None:
    used = _record("a", [0, 5], "usefulStep", workload="job", namespace="default")
    sums = bill([used, _record("b", [0, 7])])
    assert sums.lines == {("default/job", "usefulStep"): 5, ("", "free"): 7}
