"""Decisions per second of the scheduler's core at a million chips: topology, device ids, reasons.

    python bench/scheduling/library.py [--nodes 256000] [--large 1024000] [--slices 20000]

Library figures only. 256,000 nodes of 4 chips, 16 nodes to a rack, 32 racks to a block; pods and
claims are values made beforehand. A full decision is all that `place.py` does for a gang or pod
that fits: it finds the place, names every device, makes each claim's allocation, renders the API
operations (the claims' finalizers, allocations and consumers, the bindings) and takes the plan out
of the plan again. "Taken in" adds what follows the API's answer: the cluster's state holds the pods
as bound, so that the next decision stands on it; the answer's objects are read outside the clock.
No write leaves the process: end-to-end rates with API writes are in `embedded.py`.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import sys
import time
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from measuring import Figure, main

from mizzen.base.objects import Key
from mizzen.compose.shell import GC_THRESHOLDS
from mizzen.scheduler.core import render
from mizzen.scheduler.core.cluster.state import Cluster
from mizzen.scheduler.core.conventions.gang import Gang
from mizzen.scheduler.core.conventions.topology import TopologyRequest
from mizzen.scheduler.core.dra.model import ClaimRequest, DeviceClass, DeviceRequest, SubRequest
from mizzen.scheduler.core.explaining.reasons import message, no_fit
from mizzen.scheduler.core.explaining.smallest import changes
from mizzen.scheduler.core.placing.attempt import Attempt, Placer
from mizzen.scheduler.core.placing.scheduling_constraints import SchedulingConstraints
from mizzen.scheduler.core.placing.what_if import WhatIf
from mizzen.scheduler.core.preemption.victims import find_victims
from mizzen.scheduler.core.types import (
    Claim,
    Consumer,
    NodeView,
    Placement,
    PodClaim,
    PodShape,
    PodSpecView,
)
from mizzen.scheduler.core.units import Unit
from mizzen.scheduler.device_selectors import CelSelectors
from support.node_columns import MachineType, NodeColumns, add_nodes, load

NOW_NS = 1_789_000_000 * 10**9
CHIPS = 4
RACK, BLOCK = 16, 512  # nodes
LEVELS = ("topology.kubernetes.io/zone", "topology.mizzen.dev/block", "topology.mizzen.dev/rack")
DRIVER = "chips.example.com"
SHAPES = {cpu: PodShape((("cpu", cpu), ("pods", 1))) for cpu in (1000, 4000)}
MIXED = [8, 1, 64, 16, 2, 128, 512, 32]  # pods of the gangs that come in turn
REQUESTS = {
    n: ClaimRequest((DeviceRequest("chips", (SubRequest("chips", "chip", (), n),)),))
    for n in (1, 2, 4)
}


def slice_spec(node: str) -> dict[str, object]:
    devices = [
        {
            "name": f"chip-{i}",
            "attributes": {
                "model": {"string": "H200"},
                "uuid": {"string": f"{node}-{i:04d}-7f1c2f0e"},
                "pciAddress": {"string": f"0000:{i:02x}:00.0"},
                "numaNode": {"int": i // 2},
            },
            "capacity": {"memory": {"value": "141Gi"}},
        }
        for i in range(CHIPS)
    ]
    return {"driver": DRIVER, "devices": devices}


def labels(nodes: int) -> dict[str, list[str]]:
    return {
        LEVELS[0]: [f"zone-{i * 4 // nodes}" for i in range(nodes)],
        LEVELS[1]: [f"block-{i // BLOCK:05d}" for i in range(nodes)],
        LEVELS[2]: [f"rack-{i // RACK:06d}" for i in range(nodes)],
    }


def empty() -> Cluster:
    cluster = Cluster(CelSelectors())
    cluster.set_class(DeviceClass("chip", (f'device.driver == "{DRIVER}"',)))
    return cluster


def from_columns(nodes: int) -> Cluster:
    cluster = empty()
    machine_type = MachineType({"cpu": 192_000, "memory": 2 << 40, "pods": 110}, [slice_spec("n")])
    load(cluster, NodeColumns(_names(nodes), labels(nodes), [0] * nodes, [machine_type]))
    return cluster


def from_json(nodes: int) -> tuple[Cluster, float, float]:
    """The cluster, seconds taken for the nodes and for the slices."""
    names, columns = _names(nodes), labels(nodes)
    lines = [_slice_line(name) for name in names]
    began = time.perf_counter()
    cluster = empty()
    for line in lines:
        cluster.set_slice(json.loads(line), zlib.compress(line, 1))
    slices_s = time.perf_counter() - began
    allocatable = {"cpu": 192_000, "memory": 2 << 40, "pods": 110}
    views = (
        NodeView(name, {key: columns[key][i] for key in LEVELS}, (), allocatable, 192_000)
        for i, name in enumerate(names)
    )
    add_nodes(cluster, views)
    return cluster, time.perf_counter() - began - slices_s, slices_s


def _names(nodes: int) -> list[str]:
    return [f"node-{i:07d}" for i in range(nodes)]


def _slice_line(node: str) -> bytes:
    pool = {"name": node, "generation": 1, "resourceSliceCount": 1}
    metadata = {"name": f"{node}-chips", "uid": f"uid-{node}", "resourceVersion": "1"}
    spec = {**slice_spec(node), "nodeName": node, "pool": pool}
    kind = {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceSlice"}
    return json.dumps({**kind, "metadata": metadata, "spec": spec}).encode()


@dataclass
class Run:
    """Pods placed and bound one gang after the other; what each decision took."""

    cluster: Cluster
    what_if: WhatIf
    placer: Placer
    decided_s: list[float] = field(default_factory=list)
    bound_s: float = 0.0
    pods: int = 0
    serial: count[int] = field(default_factory=count)

    def pod(self, chips: int, gang: Key | None, priority: int = 0, cpu: int = 1000) -> PodSpecView:
        number = next(self.serial)
        key = Key("bench", f"pod-{number}")
        claim = Key("bench", f"claim-{number}")
        self.cluster.set_claim(Claim(claim, f"c{number}", "1", REQUESTS[chips], None, ()))
        entry = PodClaim("chips", claim, is_generated=False)
        pod = PodSpecView(key, f"u{number}", "1", SHAPES[cpu], (entry,), priority, 0, gang=gang)
        self.cluster.set_pod(pod, wants_place=True)
        return pod

    def gang(
        self,
        size: int,
        chips: int,
        constraints: SchedulingConstraints | None = None,
        priority: int = 0,
    ) -> Attempt:
        gang = Key("bench", f"gang-{next(self.serial)}") if size > 1 else None
        if gang is not None:
            self.cluster.set_gang(Gang(gang, size))
        pods = [self.pod(chips, gang, priority) for _ in range(size)]
        began = time.perf_counter()
        mark = self.what_if.mark()
        attempt = self.placer.place(pods, constraints or SchedulingConstraints())
        operations = render.bind_operations(self.cluster, attempt.placements, NOW_NS)
        self.what_if.rollback(mark)
        decided = time.perf_counter()
        assert len(operations) == 3 * len(attempt.placements)  # finalizer, allocation, binding
        answers = [self._answer(placement) for placement in attempt.placements]
        answered = time.perf_counter()
        for claim, pod in answers:
            self.cluster.set_claim(claim)
            self.cluster.set_pod(pod, wants_place=False)
        self.bound_s += time.perf_counter() - answered
        self.decided_s.append(decided - began)
        self.pods += size
        return attempt

    def _answer(self, placement: Placement) -> tuple[Claim, PodSpecView]:
        """The claim and the pod as the API would return them."""
        pod = placement.pod
        ((key, allocation),) = placement.allocations
        users = (Consumer(pod.key.name, pod.uid),)
        claim = replace(self.cluster.claims[key].claim, allocation=allocation, reserved_for=users)
        return claim, replace(pod, node=placement.node)

    def figures(
        self, name: str, at_least: float | None = None, p99_ms: float = 20.0
    ) -> Iterable[Figure]:
        total = sum(self.decided_s) + self.bound_s
        ordered = sorted(self.decided_s)
        rate = self.pods / sum(self.decided_s)
        yield Figure(f"{name}: full decisions", rate, "pods/s", None, at_least)
        yield Figure(f"{name}: decided and taken in", self.pods / total, "pods/s", None, at_least)
        yield Figure(f"{name}: p50 of a decision", ordered[len(ordered) // 2] * 1e3, "ms")
        p99 = ordered[int(len(ordered) * 0.99)] * 1e3
        yield Figure(f"{name}: p99 of a decision", p99, "ms", p99_ms)
        yield Figure(f"{name}: longest decision", ordered[-1] * 1e3, "ms")  # a collection is in it


def started(cluster: Cluster) -> Run:
    gc.collect()
    gc.freeze()  # as the roles do once they have started, with rarer collections
    gc.set_threshold(*GC_THRESHOLDS)
    what_if = WhatIf(cluster)
    return Run(cluster, what_if, Placer(what_if))


def fresh(run: Run) -> Run:
    """Measures from here on: the shapes that come are known already, as in a running cluster."""
    for chips in (4, 1, 2):
        run.gang(2, chips)
        run.gang(1, chips)
    return Run(run.cluster, run.what_if, run.placer, serial=run.serial)


def mixed(run: Run, sizes: Sequence[int]) -> None:
    for index, size in enumerate(sizes):
        run.gang(size, (4, 1, 2)[index % 3])


def reclaim_ms(nodes: int) -> float:
    """A gang of whole nodes in a cluster full of less important jobs: who leaves, verified."""
    run = started(from_columns(nodes))
    while True:
        if not run.gang(8, 4).fits:
            break
    gang = Key("bench", "large")
    size = max(8, min(512, nodes // 64 * 8))
    run.cluster.set_gang(Gang(gang, size))
    pods = tuple(run.pod(4, gang, priority=9) for _ in range(size))
    unit = Unit("large", pods, size, size, gang, size)
    gc.collect()
    began = time.perf_counter()
    found = find_victims(run.placer, unit, 0)
    seconds = time.perf_counter() - began
    assert found is not None and len({p.key for p in found.victims}) == size
    return seconds * 1e3


def measure(arguments: argparse.Namespace) -> list[Figure]:
    nodes = arguments.nodes
    chips = nodes * CHIPS
    figures: list[Figure] = []
    began = time.perf_counter()
    cluster = from_columns(nodes)
    built_s = time.perf_counter() - began
    figures.append(Figure(f"build {chips:,} chips from columns", built_s, "s", 5))
    run = started(cluster)
    began = time.perf_counter()
    run.gang(8, 4)
    first_ms = (time.perf_counter() - began) * 1e3
    figures.append(Figure(f"first decision of a new shape, {chips:,} chips", first_ms, "ms", 100))
    scale = max(1, nodes // 256)
    for name, sizes, least in (
        ("gangs of 8 pods", [8] * scale, 20_000),
        ("gangs of 1 to 512 pods", MIXED * max(1, scale // 20), 20_000),
        ("single pods", [1] * scale * 4, 10_000),
    ):
        run = fresh(run)
        mixed(run, sizes)
        figures += run.figures(f"{name}, {chips:,} chips", least)
    rack = SchedulingConstraints(
        TopologyRequest(LEVELS[1], subgroup_size=8, subgroup_required=LEVELS[2])
    )
    run.gang(64, 4, rack)
    run = fresh(run)
    for _ in range(max(1, scale // 8)):
        run.gang(64, 4, rack)
    figures += run.figures("64 pods in a block, each 8 in a rack", 20_000)
    figures += _reasons(run)
    figures.append(Figure(f"peak memory with {chips:,} chips", peak_gib(), "GiB", 2.0))
    del run
    for size, most in ((500, 50.0), (1000, 200.0), (nodes, 2000.0)):
        figures.append(
            Figure(f"reclaim for a large job, {size:,} nodes", reclaim_ms(size), "ms", most)
        )
    if arguments.slices:
        _, nodes_s, slices_s = from_json(arguments.slices)
        per_million = slices_s * 256_000 / arguments.slices
        figures.append(Figure("256,000 ResourceSlices from JSON", per_million, "s", 60))
        figures.append(Figure("256,000 nodes", nodes_s * 256_000 / arguments.slices, "s"))
    if arguments.large:
        figures += _large(arguments.large)
    return figures


def _large(nodes: int) -> Iterable[Figure]:
    """Four times as many chips cost four times as much to build, and no more per decision."""
    name = f"{nodes * CHIPS:,} chips"
    began = time.perf_counter()
    run = started(from_columns(nodes))
    yield Figure(f"build {name} from columns", time.perf_counter() - began, "s", 25)
    began = time.perf_counter()
    run.gang(8, 4)
    first_ms = (time.perf_counter() - began) * 1e3
    yield Figure(f"first decision of a new shape, {name}", first_ms, "ms", 200)
    for what, sizes, least in (
        ("gangs of 8 pods", [8] * 2000, 15_000),
        ("gangs of 1 to 512 pods", MIXED * 25, 15_000),
        ("single pods", [1] * 8000, 7_500),
    ):
        run = fresh(run)
        mixed(run, sizes)
        yield from run.figures(f"{what}, {name}", least, p99_ms=40.0)
    yield Figure(f"peak memory with {name}", peak_gib(), "GiB", 8.0)


def peak_gib() -> float:
    """The most memory this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _reasons(run: Run) -> Iterable[Figure]:
    """Why a gang of more chips than are left has no place, as a sentence."""
    gang = Key("bench", "too-large")
    pod = run.pod(4, gang, cpu=4000)
    shape = run.what_if.shape_of(pod)
    began = time.perf_counter()
    misfits = run.what_if.misfits(shape)
    said = message(no_fit("gang", len(run.cluster.nodes), misfits))
    assert said
    yield Figure("reasons over all nodes", (time.perf_counter() - began) * 1e3, "ms")
    size = RACK + 1
    run.cluster.set_gang(Gang(gang, size))
    pods = (pod, *(run.pod(4, gang, cpu=4000) for _ in range(RACK)))
    unit = Unit("gang", pods, size, size, gang, size, topology=TopologyRequest(LEVELS[2]))
    attempt = run.placer.place(pods, unit.constraints(()))
    began = time.perf_counter()
    found = changes(run.placer, unit, attempt)
    told = no_fit("gang", len(run.cluster.nodes), attempt.misfits, found)
    assert told.changes and told.changes[0].is_verified
    yield Figure("smallest change, tried", (time.perf_counter() - began) * 1e3, "ms")


if __name__ == "__main__":
    OPTIONS = (
        ("nodes", 256_000, "nodes of 4 chips"),
        ("large", 1_024_000, "nodes of the larger cluster, 0 for none"),
        ("slices", 20_000, "ResourceSlices read from JSON"),
    )
    raise SystemExit(main(__doc__ or "", measure, OPTIONS))
