"""A change costs the same whatever the size of the cluster: lines run are counted, not time."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from mizzen.base.resources import PODS, RESOURCE_CLAIMS
from mizzen.scheduler.core.place import place
from support.scheduler_world import NOW_NS, World, claim, halves, node, pod, resource_slice

pytestmark = pytest.mark.slow


def lines_run(act: Callable[[], object]) -> int:
    count = 0

    def trace(_frame: FrameType, _event: str, _arg: Any) -> Any:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    gc.collect()
    gc.disable()  # finalizers of other tests' leftovers run lines, too
    sys.settrace(trace)
    try:
        act()
    finally:
        sys.settrace(before)
        gc.enable()
    return count


def costs(nodes: int) -> dict[str, int]:
    names = [f"n{index}" for index in range(nodes)]
    world = World(nodes=[node(n) for n in names], slices=[halves(n) for n in names])
    world.add_pods(["a"])
    world.run()
    world.end("a")
    world.known()
    feed = world.feed
    found = {
        "claim": lines_run(lambda: feed.upsert(RESOURCE_CLAIMS, claim("b"))),
        "pod": lines_run(lambda: feed.upsert(PODS, pod("b", claims=("b",)))),
        "settle": lines_run(feed.settle),
        "plan": lines_run(lambda: world_plan(world)),
        "node": lines_run(lambda: feed.cluster.delete_node("n9")),
        "slice": lines_run(lambda: feed.cluster.set_slice(resource_slice("n7", [], generation=2))),
    }
    assert "b" in {p.key.name for p in feed.cluster.waiting.values()}
    return found


def world_plan(world: World) -> None:
    assert world.what_if is not None
    (decision,) = place(world.what_if, NOW_NS).decisions
    assert decision.placements


def test_a_change_costs_the_same_in_a_larger_cluster() -> None:
    costs(60)  # what is remembered for good is there
    small, large = costs(60), costs(300)
    assert {what for what, lines in large.items() if lines > 1.2 * small[what]} == set()
