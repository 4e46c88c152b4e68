"""Places found by counting, against asking every node; and the state kept by changes, against one
that was told everything at once."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzen.base.objects import Key, Obj
from mizzen.scheduler.core.conventions.topology import TopologyRequest
from mizzen.scheduler.core.placing.attempt import Attempt, Placer
from mizzen.scheduler.core.placing.scheduling_constraints import SchedulingConstraints
from mizzen.scheduler.core.placing.what_if import WhatIf
from mizzen.scheduler.core.types import PodSpecView
from oracle.placing import count_on, fits_on, totals
from support.cluster_state import state
from support.scheduler_world import World, claim, exactly, node, pod, resource_slice

pytestmark = pytest.mark.slow


ZONE, RACK = "topology.kubernetes.io/zone", "topology.mizzen.dev/rack"
TAINT = {"key": "dedicated", "value": "infer", "effect": "NoSchedule"}


@dataclass
class Case:
    """A world partly filled, and pods all alike that want places."""

    world: World
    names: list[str] = field(default_factory=list)

    def asked(self) -> tuple[WhatIf, list[PodSpecView]]:
        what_if = self.world.known()
        return what_if, [what_if.cluster.pods[Key("default", name)] for name in self.names]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    nodes: list[Obj] = []
    slices: list[Obj] = []
    for index in range(draw(st.integers(1, 6))):
        name = f"n{index}"
        labels = {}
        if draw(st.booleans()) or index == 0:
            labels = {ZONE: draw(st.sampled_from("ab")), RACK: draw(st.sampled_from("xyz"))}
        spec = {"taints": [TAINT]} if draw(st.integers(0, 4)) == 0 else {}
        nodes.append(node(name, cpu=draw(st.sampled_from(["2", "4"])), labels=labels, **spec))
        devices = [
            {"name": f"d{i}", "attributes": {"uuid": {"string": f"{name}-{i}"}}}
            for i in range(draw(st.integers(0, 4)))
        ]
        slices.append(resource_slice(name, devices, driver="sim.dev"))
    world = World(nodes=nodes, slices=slices)
    world.classes[0]["spec"]["selectors"] = [{"cel": {"expression": 'device.driver == "sim.dev"'}}]
    for index in range(draw(st.integers(0, 4))):
        occupy(world, f"old{index}", draw(st.integers(0, 2)), draw(st.sampled_from(["", "500m"])))
    world.run()
    return world


def occupy(world: World, name: str, devices: int, cpu: str) -> None:
    if devices:
        world.add(claim(name, exactly(count=devices)))
    world.add(pod(name, claims=(name,) if devices else (), cpu=cpu))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    case = Case(draw(worlds()))
    devices, cpu = draw(st.sampled_from([(1, ""), (2, "500m"), (4, ""), (0, "1"), (0, "700m")]))
    for index in range(draw(st.integers(1, 7))):
        case.names.append(f"new{index}")
        occupy(case.world, f"new{index}", devices, cpu)
    return case


@settings(max_examples=120, deadline=None)
@given(case=cases())
def test_counts_are_what_every_node_says(case: Case) -> None:
    what_if, pods = case.asked()
    nodes = what_if.cluster.nodes
    counts = what_if.counts(what_if.shape_of(pods[0]), nodes.default_tree())
    for index in nodes.live():
        assert min(counts.per_node[index], len(pods)) == count_on(what_if, pods, index)
    assert counts.totals[0] == sum(counts.per_node)


@settings(max_examples=120, deadline=None)
@given(case=cases())
def test_a_pod_finds_a_place_if_any_node_takes_it(case: Case) -> None:
    what_if, pods = case.asked()
    possible = any(fits_on(what_if, pods[0], index) for index in what_if.cluster.nodes.live())
    before = state(what_if.cluster)
    mark = what_if.mark()
    assert Placer(what_if).place(pods[:1]).fits == possible
    what_if.rollback(mark)
    assert state(what_if.cluster) == before


@settings(max_examples=150, deadline=None)
@given(case=cases(), level=st.sampled_from([ZONE, RACK]), is_exact=st.booleans())
def test_a_gang_gets_the_tightest_domain_that_takes_all(
    case: Case, level: str, is_exact: bool
) -> None:
    """Of the level it prefers; asked for nothing, it goes as far in as it fits."""
    what_if, pods = case.asked()
    if level not in {key for view in what_if.cluster.node_views() for key in view.labels}:
        return
    # A rack is known by its zone too: the same name in two zones is two racks.
    keyed = pair_totals(what_if, pods) if level == RACK else totals(what_if, pods, ZONE)
    enough = {domain for domain, total in keyed.items() if total >= len(pods)}
    spaces = space(what_if, pods[0], level)
    mark = what_if.mark()
    preferred = level if is_exact else ""
    attempt = Placer(what_if).place(
        pods, SchedulingConstraints(TopologyRequest(required=level, preferred=preferred))
    )
    assert attempt.fits == bool(enough)
    if not attempt.fits:
        assert what_if.mark() == mark, "nothing of a gang that does not fit is left behind"
        return
    (domain,) = {where(what_if, p.node, level) for p in attempt.placements}
    assert_no_device_twice(what_if, attempt)
    what_if.rollback(mark)
    if is_exact:
        assert spaces[domain] == min(spaces[other] for other in enough)


def space(what_if: WhatIf, one: PodSpecView, level: str) -> dict[str, int]:
    """How many pods each domain takes, however many there are to place."""
    nodes = what_if.cluster.nodes
    counts = what_if.counts(what_if.shape_of(one), nodes.default_tree())
    found: dict[str, int] = {}
    for index in nodes.live():
        if level in nodes.views[index].labels:
            domain = where(what_if, nodes.names[index], level)
            found[domain] = found.get(domain, 0) + counts.per_node[index]
    return found


def pair_totals(what_if: WhatIf, pods: list[PodSpecView]) -> dict[str, int]:
    nodes = what_if.cluster.nodes
    found: dict[str, int] = {}
    for index in nodes.live():
        if RACK in nodes.views[index].labels:
            domain = where(what_if, nodes.names[index], RACK)
            found[domain] = found.get(domain, 0) + count_on(what_if, pods, index)
    return found


def where(what_if: WhatIf, name: str, level: str) -> str:
    labels = what_if.cluster.node(name).labels
    return labels[ZONE] if level == ZONE else f"{labels.get(ZONE)}/{labels[RACK]}"


def assert_no_device_twice(what_if: WhatIf, attempt: Attempt) -> None:
    given_out = [r.id for p in attempt.placements for _, a in p.allocations for r in a.results]
    assert len(given_out) == len(set(given_out))
    assert all(what_if.cluster.holdings.times_held(device) == 1 for device in given_out)


# -- kept by changes -----------------------------------------------------------------------------

steps = st.one_of(
    st.tuples(st.just("pod"), st.integers(0, 2), st.sampled_from(["", "500m"])),
    st.tuples(st.just("end"), st.integers(0, 9), st.sampled_from(["pod", "all"])),
    st.tuples(st.just("finish"), st.integers(0, 9), st.just("")),
    st.tuples(st.just("node"), st.integers(0, 9), st.sampled_from(["gone", "new", "cpu", "zone"])),
    st.tuples(st.just("slice"), st.integers(0, 9), st.sampled_from(["gone", "new", "fewer"])),
    st.tuples(st.just("plan"), st.just(0), st.just("")),
)


@settings(max_examples=150, deadline=None)
@given(world=worlds(), history=st.lists(steps, max_size=12))
def test_the_state_kept_by_changes_is_the_state_of_what_there_is(
    world: World, history: list[tuple[str, int, str]]
) -> None:
    for number, (what, x, y) in enumerate(history):
        change(world, number, what, x, y)
        world.known()
    kept = state(world.known().cluster)
    world.forget()
    assert kept == state(world.known().cluster)


def change(world: World, number: int, what: str, x: int, y: str) -> None:
    names = sorted(name for kind, name in world.objects if kind == "Pod")
    if what == "pod":
        occupy(world, f"p{number}", x, y)
    elif what == "plan":
        world.run()
    elif what == "node" and y == "new":
        world.nodes.append(node(f"m{number}", cpu="4", labels={ZONE: "c"}))
    elif what == "slice" and y == "new":
        world.slices.append(resource_slice(f"m{x}", [{"name": "d0"}], driver="sim.dev"))
        world.slices = list({s["metadata"]["name"]: s for s in world.slices}.values())
    elif what == "node" and world.nodes:
        chosen = world.nodes[x % len(world.nodes)]
        if y == "gone":
            world.nodes.remove(chosen)
        elif y == "cpu":
            chosen["status"]["capacity"]["cpu"] = "3"
        else:
            chosen["metadata"]["labels"] = {ZONE: "c"}
    elif what == "slice" and world.slices:
        chosen = world.slices[x % len(world.slices)]
        if y == "gone":
            world.slices.remove(chosen)
        else:
            chosen["spec"]["devices"] = chosen["spec"]["devices"][1:]
    elif what == "end" and names:
        name = names[x % len(names)]
        world.end(name, with_claim=y == "all")
    elif what == "finish" and names:
        chosen = world.get("Pod", names[x % len(names)])
        if chosen["spec"].get("nodeName"):
            chosen["status"]["phase"] = "Succeeded"
