"""Decisions per second of the scheduler's pure core; medians over rounds.

    python bench/scheduler.py [--nodes 500] [--pods 500] [--rounds 3]

Library figures only: snapshot from API objects, placing, rendering of all writes; no API server.
Cases: plain pods; one DRA device for each pod; gangs of 8; a gang that preempts one of every pod.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from measuring import Figure, main, medians

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
    "a device each": devices,
    "gangs of 8": gangs,
}


def measure_case(case: str, nodes: int, pods: int) -> dict[str, float]:
    world = cluster(nodes)
    world.plan()  # the cluster is known before pods arrive
    CASES[case](world, pods)
    began = time.perf_counter()
    plan = world.plan()
    seconds = time.perf_counter() - began
    bound = sum(len(d.placements) for d in plan.decisions)
    assert bound == pods // 8 * 8 if case == "gangs of 8" else bound == pods
    return {"pods_per_s": bound / seconds}


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


def measure(arguments: argparse.Namespace) -> list[Figure]:
    nodes, pods, rounds = arguments.nodes, arguments.pods, arguments.rounds
    figures: list[Figure] = []
    for case in CASES:
        found = medians([measure_case(case, nodes, pods) for _ in range(rounds)])
        figures.append(Figure(f"{case}, {pods} pods on {nodes} nodes", found["pods_per_s"], "1/s"))
    small = min(nodes, 50)
    for count, repeats in ((small, rounds), (1, max(5, rounds))):
        found = medians([measure_preemption(count) for _ in range(repeats)])
        figures.append(Figure(f"preempt one of {count * DEVICES_PER_NODE}", found["ms"], "ms"))
    return figures


if __name__ == "__main__":
    options = (("nodes", 500, "nodes"), ("pods", 500, "pending pods"), ("rounds", 3, "rounds"))
    raise SystemExit(main(__doc__ or "", measure, options))
