"""Decisions per second of the scheduler's pure core. JSON on stdout, medians over rounds.

    python bench/scheduler.py [--nodes 500] [--pods 500] [--rounds 3]

Library figures only: snapshot from API objects, placing, rendering of all writes; no API server.
Cases: plain pods; one DRA device for each pod; gangs of 8; a gang that preempts one of every pod.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support.scheduler_world import (
    NOW_NS,
    World,
    claim,
    node,
    pod,
    pod_group,
    resource_slice,
)

DEVICES_PER_NODE = 8


def cluster(nodes: int) -> World:
    names = [f"n{index:05d}" for index in range(nodes)]
    devices = [
        {"name": f"gpu-{i}", "attributes": {"index": {"int": i}, "model": {"string": "H200"}}}
        for i in range(DEVICES_PER_NODE)
    ]
    world = World(
        nodes=[node(n, cpu="64", memory="512Gi") for n in names],
        slices=[resource_slice(n, devices, driver="sim.dev") for n in names],
    )
    world.classes[0]["spec"]["selectors"] = [
        {
            "cel": {
                "expression": 'device.driver == "sim.dev" && '
                'device.attributes["sim.dev"].model == "H200"'
            }
        }
    ]
    return world


def plain(world: World, pods: int) -> None:
    world.add(*(pod(f"p{index}", cpu="100m") for index in range(pods)))


def devices(world: World, pods: int) -> None:
    world.add_pods(f"p{index}" for index in range(pods))


def gangs(world: World, pods: int) -> None:
    for gang in range(pods // 8):
        world.add(pod_group(f"g{gang}", 8))
        world.add_pods([f"g{gang}-{index}" for index in range(8)], gang=f"g{gang}")


CASES: dict[str, Callable[[World, int], None]] = {
    "plain": plain,
    "device": devices,
    "gang_of_8": gangs,
}


def measure(case: str, nodes: int, pods: int) -> dict[str, float]:
    world = cluster(nodes)
    world.plan()  # the cluster is known before pods arrive
    CASES[case](world, pods)
    began = time.perf_counter()
    plan = world.plan()
    seconds = time.perf_counter() - began
    bound = sum(len(d.placements) for d in plan.decisions)
    assert bound == pods // 8 * 8 if case == "gang_of_8" else bound == pods
    return {"pods_per_s": bound / seconds, "ms_in_all": seconds * 1e3}


def measure_preemption(nodes: int) -> dict[str, float]:
    """A single pod that needs one device of a full cluster of elastic gangs."""
    world = cluster(nodes)
    for index in range(nodes):
        world.add(pod_group(f"g{index}", 1))
        world.add_pods([f"g{index}-{rank}" for rank in range(DEVICES_PER_NODE)], gang=f"g{index}")
    world.run()
    world.add(claim("late"), pod("late", claims=("late",), priority=9))
    began = time.perf_counter()
    plan = world.plan(NOW_NS)
    seconds = time.perf_counter() - began
    assert sum(len(d.victims) for d in plan.decisions) == 1
    return {"ms": seconds * 1e3}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--nodes", type=int, default=500)
    parser.add_argument("--pods", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    report: dict[str, object] = {
        "benchmark": "scheduler-core",
        "nodes": arguments.nodes,
        "pods": arguments.pods,
        "rounds": arguments.rounds,
        "python": platform.python_version(),
    }
    for case in CASES:
        report[case] = _median(
            [measure(case, arguments.nodes, arguments.pods) for _ in range(arguments.rounds)]
        )
    small = min(arguments.nodes, 50)
    report[f"preempt_one_of_{small}_nodes"] = _median(
        [measure_preemption(small) for _ in range(arguments.rounds)]
    )
    one = [measure_preemption(1) for _ in range(max(5, arguments.rounds))]
    report["preempt_on_one_node"] = _median(one)
    print(json.dumps(report, indent=2))


def _median(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(r[name] for r in rounds), 2) for name in rounds[0]}


if __name__ == "__main__":
    main()
