"""Folding keeps what the ledger adds up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mizzen.base.ledger import LINES, check, totals
from mizzen.base.objects import Obj, name_of
from mizzen.base.operations import Create, Delete
from mizzen.node.core.folding import LEAST, fold

PIECES = st.lists(
    st.tuples(
        st.sampled_from([line for line in LINES if line != "free"]),
        st.integers(1, 50),
        st.integers(0, 9),
    ),
    min_size=1,
    max_size=4,
)


def records(
    parts: list[list[tuple[str, int, int]]], claim: str = "default/c", start: int = 0
) -> list[Obj]:
    made: list[Obj] = []
    moment = start
    for part in parts:
        begin, intervals = moment, []
        for line, length, cpu in part:
            intervals.append({"line": line, "start": moment, "end": moment + length, "cpu": cpu})
            moment += length
        spec = {
            "node": "n", "driver": "d", "pool": "n", "device": "core-0", "start": begin, "end": moment,
            "claim": claim, "podUID": "u", "workload": "TrainJob/x", "namespace": "default",
            "intervals": intervals, "kernelCPU": sum(cpu for _, _, cpu in part),
        }  # fmt: skip
        made.append(
            {"metadata": {"name": f"n.core-0.{begin}", "resourceVersion": "7"}, "spec": spec}
        )
    return made


def apply(found: list[Obj], before: int) -> list[Obj]:
    left = {name_of(r): r for r in found}
    for plan in fold(found, before):
        for operation in plan:
            if isinstance(operation, Delete):
                del left[operation.name]
            else:
                assert isinstance(operation, Create)
                left[name_of(operation.object)] = operation.object
    return list(left.values())


@given(st.lists(PIECES, min_size=LEAST + 1, max_size=40))
def test_sums_stay_and_records_still_touch(parts: list[list[tuple[str, int, int]]]) -> None:
    raw = records(parts)
    folded = apply(raw, before=10**9)
    assert len(folded) == 2  # the newest stays as it is
    before, after = totals(raw), totals(folded)
    assert (before.lines, before.cpu, before.all) == (after.lines, after.cpu, after.all)
    assert check(folded) == []
    assert sum(r["spec"]["kernelCPU"] for r in raw) == sum(r["spec"]["kernelCPU"] for r in folded)
    assert apply(folded, before=10**9) == folded


def test_owners_are_not_mixed_and_young_records_stay() -> None:
    one = records([[("running", 10, 0)]] * 20, claim="default/a")
    two = records([[("running", 10, 1)]] * 20, claim="default/b", start=200)
    folded = apply(one + two, before=300)
    owners = [r["spec"]["claim"] for r in folded if r["spec"].get("folded")]
    assert owners == ["default/a"]  # of b's only nine are old enough
    assert len(folded) == 21


def test_few_records_are_left_alone() -> None:
    assert fold(records([[("running", 10, 0)]] * LEAST), before=10**9) == []
