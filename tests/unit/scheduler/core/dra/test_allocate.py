"""The allocator in both orders against the exhaustive oracle, on random cases."""

from __future__ import annotations

import json
from collections import Counter
from random import Random
from typing import Any

import pytest

from mizzen.scheduler.core.dra.allocate import Refusal, allocate
from mizzen.scheduler.core.dra.compat.case import Case, answer, read_case
from mizzen.scheduler.core.dra.matching import Matching
from mizzen.scheduler.core.dra.model import AllocationError, Device, SelectorError
from mizzen.scheduler.core.dra.pools import NodePool, gather
from oracle.allocation import TooMany, World
from support.allocation_cases import CaseMaker

pytestmark = pytest.mark.slow


CASES = 1500


class Marked:
    """Selectors without CEL: each expression is true of a fixed, arbitrary part of all devices."""

    def reads(self, expression: str) -> frozenset[str] | None:
        return None

    def matches(self, expression: str, device: Device) -> bool:
        if expression == "device.driver ==":
            raise SelectorError("does not compile")
        return expression == "true" or hash_of(expression, device) % 3 > 0


def hash_of(expression: str, device: Device) -> int:
    return sum(map(ord, expression + str(device.id)))


def prepared(seed: int, order: str = "compat") -> tuple[Case, tuple[NodePool, ...], Matching]:
    """Errors: AllocationError."""
    raw = CaseMaker(Random(f"oracle-{seed}")).case()
    case = read_case({**raw, "order": order})
    near = case.slices.near(case.node.name, case.features)
    pools = gather(near, case.node, case.features, case.slices.of_pool)
    return case, pools, Matching(Marked(), case.features)


def run(case: Case, pools: tuple[NodePool, ...], matching: Matching) -> Any:
    return allocate(
        case.claims,
        case.node,
        pools,
        case.held,
        classes=case.classes,
        matching=matching,
        order=case.order,
    )


def test_pack_fits_exactly_what_the_oracle_fits_and_breaks_no_rule() -> None:
    seen: Counter[str] = Counter()
    for seed in range(CASES):
        try:
            case, pools, matching = prepared(seed, "pack")
            found = run(case, pools, matching)
            world = World(case, pools, matching)
            if isinstance(found, tuple):
                assert world.broken(world.picks_of(found)) == "", seed
                seen["fits"] += 1
            else:
                assert not world.is_feasible(), (seed, found)
                seen["does not"] += 1
        except AllocationError:
            seen["error"] += 1
        except TooMany:
            seen["too many"] += 1
    assert seen["fits"] > CASES / 10, seen
    assert seen["does not"] > CASES / 10, seen
    assert seen["too many"] < CASES / 10, seen


def has_quirks(case: Case) -> bool:
    """Where upstream's answer is not what its own rules say: see `constraints`, `counters`."""
    return any(claim.constraints for claim in case.claims)


def test_compat_gives_the_first_combination_that_breaks_no_rule() -> None:
    seen: Counter[str] = Counter()
    for seed in range(CASES):
        try:
            case, pools, matching = prepared(seed)
            if has_quirks(case) or len({p.name for p in pools}) < len(pools):
                continue
            found = run(case, pools, matching)
            first = World(case, pools, matching).first()
        except (AllocationError, TooMany):
            continue
        if first is None:
            assert not isinstance(found, tuple), seed
            seen["does not"] += 1
        else:
            assert isinstance(found, tuple), (seed, found)
            expected = [(p.claim, p.sub.name, p.device.id) for p in first]
            got = [(i, r.request, r.id) for i, a in enumerate(found) for r in a.results]
            assert got == expected, seed
            seen["fits"] += 1
    assert min(seen["fits"], seen["does not"]) > CASES / 20, seen


def test_a_preference_never_changes_whether_it_fits() -> None:
    for seed in range(300):
        try:
            case, pools, matching = prepared(seed, "pack")
            plain = run(case, pools, matching)
            liked = allocate(
                case.claims,
                case.node,
                pools,
                case.held,
                classes=case.classes,
                matching=matching,
                order="pack",
                prefer=lambda device: (hash_of("liked", device) % 5,),
            )
        except AllocationError:
            continue
        assert isinstance(plain, tuple) == isinstance(liked, tuple), seed


def wide_case(devices: int, count: int) -> Case:
    """Devices no two of which agree, and a request that several shall."""
    listed = [{"name": f"d{i:02}", "attributes": {"x": {"int": i // 2}}} for i in range(devices)]
    body = {"deviceClassName": "any", "allocationMode": "ExactCount", "count": count}
    requests = [{"name": f"r{i}", "exactly": body} for i in range(6)]
    constraints = [{"matchAttribute": "d.io/x", "requests": [r["name"] for r in requests]}]
    return read_case(
        {
            "claims": [
                {
                    "metadata": {"name": "c"},
                    "spec": {"devices": {"requests": requests, "constraints": constraints}},
                }
            ],
            "classes": [{"metadata": {"name": "any"}}],
            "slices": [
                {
                    "metadata": {"name": "s"},
                    "spec": {
                        "driver": "d.io",
                        "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1},
                        "nodeName": "n",
                        "devices": listed,
                    },
                }
            ],
            "node": {"metadata": {"name": "n"}},
        }
    )


def test_a_search_that_takes_too_long_gives_up_and_says_so() -> None:
    case = wide_case(40, 1)
    near = case.slices.near("n", case.features)
    pools = gather(near, case.node, case.features, case.slices.of_pool)
    found = allocate(
        case.claims,
        case.node,
        pools,
        case.held,
        classes=case.classes,
        matching=Matching(Marked(), case.features),
        steps_max=500,
    )
    assert isinstance(found, Refusal)
    assert found.word == "SearchTooLong"
    assert "500 steps" in found.detail


def test_more_claims_than_the_stack_holds_are_refused_not_a_crash() -> None:
    case = wide_case(2, 1)
    many = [case.claims[0]] * 100_000
    pools: tuple[NodePool, ...] = ()
    empty = [type(claim)(()) for claim in many]
    found = allocate(
        empty,
        case.node,
        pools,
        case.held,
        classes=case.classes,
        matching=Matching(Marked(), case.features),
    )
    assert isinstance(found, Refusal)


@pytest.mark.parametrize("order", ["compat", "pack"])
def test_no_claims_are_satisfied_by_nothing(order: str) -> None:
    case = read_case({"node": {"metadata": {"name": "n"}}, "order": order})
    assert answer(case, Marked(), ()) == {"results": [], "reason": ""}


def test_the_answer_is_json() -> None:
    for seed in range(50):
        raw = CaseMaker(Random(seed)).case()
        json.dumps(answer(read_case(raw), Marked(), (str(i) for i in range(99))))
