"""What selectors may cost the scheduler while others wait for it."""

from __future__ import annotations

from mizzen.base.objects import Obj
from mizzen.base.resources import (
    DEVICE_CLASSES,
    NODES,
    PODS,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
    Resource,
)
from mizzen.scheduler.core.cluster.objects import Feed
from mizzen.scheduler.core.dra.model import SelectorsBusy
from mizzen.scheduler.core.place import BUSY_S, place
from mizzen.scheduler.core.placing.what_if import WhatIf
from mizzen.scheduler.core.types import Plan
from mizzen.scheduler.device_selectors import (
    COMPILING_COST,
    EVALUATION_COST_MAX,
    TURN_COST_MAX,
    CelSelectors,
)
from support.scheduler_world import CORE, NOW_NS, claim, device_class, exactly, halves, node, pod

OBJECTS = tuple[tuple[Resource, Obj], ...]
STAGE: OBJECTS = (
    (DEVICE_CLASSES, device_class()),
    (NODES, node("n1", cpu="8")),
    (RESOURCE_SLICES, halves("n1", 4)),
)
DEAR = 5000  # numbers; about 30,000 of cost
PER_TURN = TURN_COST_MAX // 30_000 + 1


def asking(name: str, *cel: str) -> OBJECTS:
    request = exactly("r", CORE, 1, *cel)
    return (RESOURCE_CLAIMS, claim(name, request)), (PODS, pod(name, claims=(name,)))


def dear(number: int) -> str:
    return f"lists.range({DEAR + number}).all(x, x >= 0)"


class Loop:
    """As the scheduler's: a turn, then what could not be told is told again."""

    def __init__(self, *objects: tuple[Resource, Obj]) -> None:
        self.selectors = CelSelectors(is_patient=False)
        self.feed = Feed(self.selectors)
        self.what_if = WhatIf(self.feed.cluster)
        self.untold = [*STAGE, *objects]

    def turn(self) -> Plan:
        self.selectors.begin_turn()
        waiting: list[tuple[Resource, Obj]] = []
        for resource, obj in self.untold:
            try:
                self.feed.upsert(resource, obj)
            except SelectorsBusy:
                waiting.append((resource, obj))
        self.untold = waiting
        self.selectors.begin_turn()
        self.feed.settle()
        return place(self.what_if, NOW_NS)


def bound(plan: Plan) -> set[str]:
    return {p.pod.key.name for d in plan.decisions for p in d.placements}


def told(plan: Plan) -> dict[str, str]:
    return {d.subject: d.unschedulable.word for d in plan.decisions if d.unschedulable}


def test_many_dear_selectors_take_turns_and_others_go_first() -> None:
    many = [entry for number in range(12) for entry in asking(f"dear-{number:02}", dear(number))]
    loop = Loop(*many, *asking("plain"))
    plans: list[Plan] = []
    while not plans or len(bound(plans[-1])) < 8:
        before = loop.selectors.evaluations
        plans.append(loop.turn())
        assert loop.selectors.evaluations - before <= PER_TURN * 8  # devices of each
        assert not plans[-1].failures and "plain" in bound(plans[-1])
    assert 1 < len(plans) < 20
    for plan in plans[:-1]:
        assert plan.recheck_after_s == BUSY_S and set(told(plan).values()) == {"SelectorsBusy"}


def test_what_is_known_is_free_though_the_turn_is_spent() -> None:
    loop = Loop(*asking("known", "device.driver != 'x'"))
    assert bound(loop.turn()) == {"known"}
    loop.untold = [entry for n in range(9) for entry in asking(f"dear-{n}", dear(n))]
    assert "known" in bound(loop.turn())


def test_an_evaluation_that_costs_too_much_is_told_of_and_does_not_come_back() -> None:
    loop = Loop(*asking("bomb", f"lists.range({EVALUATION_COST_MAX}).all(x, x >= 0)"))
    for _ in range(2):
        plan = loop.turn()
        (decision,) = plan.decisions
        assert decision.unschedulable and "cost limit" in decision.unschedulable.reasons[0].detail
        assert decision.unschedulable.word == "SelectorError" and not plan.recheck_after_s
    assert loop.selectors.evaluations == 2  # the class has a selector, too


def test_claims_that_are_long_to_read_wait_untold_and_are_called_so() -> None:
    def long(number: int) -> str:
        return f"device.driver != '{number}{'x' * 9000}'"

    count = 8
    loop = Loop(*(e for n in range(count) for e in asking(f"long-{n}", long(n))), *asking("plain"))
    plan = loop.turn()
    a_turn = TURN_COST_MAX // (9000 * COMPILING_COST) + 1
    assert len(loop.untold) == count - a_turn
    assert "plain" in bound(plan) and "SelectorsBusy" in told(plan).values()
    for _ in range(count):
        plan = loop.turn()
    assert not loop.untold and len(bound(plan)) == 8


def test_patience_knows_no_turns() -> None:
    selectors = CelSelectors()
    for number in range(6):
        assert not selectors.problem(f"device.driver != '{number}{'x' * 9000}'")
