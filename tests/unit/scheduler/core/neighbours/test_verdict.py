"""Who may be near whom is what the objects say, asked of every pod for every node."""

from __future__ import annotations

import copy
import random

import pytest

from mizzen.base.objects import Obj
from mizzen.base.resources import NAMESPACES
from mizzen.scheduler.core.placing import exact
from mizzen.scheduler.core.placing.attempt import Placer
from mizzen.scheduler.core.types import Placement
from oracle.neighbours import allowed
from support.neighbour_cases import HOST, ZONE, namespace, random_pod, random_world
from support.scheduler_world import CREATED, World, node, pod, pod_group

pytestmark = pytest.mark.slow

WORLDS = 400


def there(world: World) -> list[Obj]:
    """Pods that count: on a node, and not finished."""
    pods = [obj for (kind, _), obj in world.objects.items() if kind == "Pod"]
    return [p for p in pods if p["spec"].get("nodeName") and p["status"]["phase"] != "Succeeded"]


def expected(world: World, waiting: Obj) -> set[str]:
    spaces = {n["metadata"]["name"]: n for n in world.others.get(NAMESPACES, ())}
    near = allowed(world.nodes, there(world), waiting, spaces)
    tolerated = {t.get("key") for t in waiting["spec"].get("tolerations") or ()}
    selector = waiting["spec"].get("nodeSelector") or {}
    return {
        n["metadata"]["name"]
        for n in world.nodes
        if n["metadata"]["name"] in near
        and not n["spec"].get("unschedulable")
        and all(t["key"] in tolerated for t in n["spec"].get("taints") or ())
        and all(n["metadata"]["labels"].get(k) == v for k, v in selector.items())
    }


@pytest.mark.parametrize("start", range(0, WORLDS, 50))
def test_every_node_says_what_the_oracle_says(start: int) -> None:
    for seed in range(start, start + 50):
        rng = random.Random(seed)
        world = random_world(rng)
        made = random_pod("w", rng)
        world.add(made)
        what_if = world.known()
        (view,) = what_if.cluster.waiting.values()
        shape = what_if.shape_of(view)
        nodes = what_if.cluster.nodes
        fits = {
            nodes.names[n]
            for n in nodes.live()
            if isinstance(exact.fit(what_if, view, shape, n), Placement)
        }
        assert fits == expected(world, made), seed
        mark = what_if.mark()
        attempt = Placer(what_if).place((view,))
        assert {p.node for p in attempt.placements} <= fits, seed
        assert attempt.fits == bool(fits), seed
        what_if.rollback(mark)


@pytest.mark.parametrize("start", range(0, 120, 30))
def test_whatever_is_bound_was_allowed_and_who_waits_has_no_place(start: int) -> None:
    """One pod after another, some leaving in between; kept by changes it is what there is."""
    for seed in range(start, start + 30):
        rng = random.Random(seed)
        world = random_world(rng)
        for obj in there(world):  # whoever waits for those that leave has a place kept
            obj["metadata"].pop("deletionTimestamp", None)
        for number in range(8):
            world.add(random_pod(f"w{number}", rng))
            if there(world) and rng.random() < 0.3:
                del world.objects["Pod", rng.choice(there(world))["metadata"]["name"]]
            churn(world, rng)
            while any(allowed_by_all(world, seed)):
                pass  # who is bound may be whom another one wants to be near
            waits = [o for (k, _), o in world.objects.items() if k == "Pod"]
            waits = [o for o in waits if not o["spec"].get("nodeName")]
            assert not any(expected(world, o) for o in waits), seed


def churn(world: World, rng: random.Random) -> None:
    """A node changes its labels, or goes with its pods still named to it, or comes back."""
    at = rng.randrange(len(world.nodes))
    if rng.random() < 0.25:
        other = copy.deepcopy(world.nodes[at])
        other["metadata"]["labels"][ZONE] = rng.choice("abc")
        world.nodes[at] = other
    elif rng.random() < 0.2 and len(world.nodes) > 1:
        gone = world.nodes.pop(at)
        if rng.random() < 0.5:
            world.known()
            world.nodes.append(gone)
    for obj in [o for (k, _), o in world.objects.items() if k == "Pod"]:
        if rng.random() < 0.05:
            changed = copy.deepcopy(obj)
            changed["metadata"]["labels"]["app"] = rng.choice("pq")
            world.objects["Pod", obj["metadata"]["name"]] = changed


def allowed_by_all(world: World, seed: int) -> list[bool]:
    """One plan, carried out; each pod bound is where it may be beside those bound before it."""
    before = World(world.nodes, others=world.others, objects=copy.deepcopy(world.objects))
    plan = world.run()
    placements = [placed for decision in plan.decisions for placed in decision.placements]
    for placed in placements:
        waiting = before.get("Pod", placed.pod.key.name)
        assert placed.node in expected(before, waiting), (seed, placed.pod.key)
        waiting["spec"]["nodeName"] = placed.node
    return [True for _ in placements]


# -- what operators write --------------------------------------------------------------------------


def zones(*names: str, cpu: str = "8") -> list[Obj]:
    return [
        node(f"n{i}", cpu=cpu, labels={ZONE: zone, HOST: f"n{i}"}) for i, zone in enumerate(names)
    ]


def term(key: str = HOST, **labels: str) -> list[Obj]:
    return [{"topologyKey": key, "labelSelector": {"matchLabels": labels or {"app": "x"}}}]


def asking(name: str, kind: str = "podAntiAffinity", key: str = HOST, **more: object) -> Obj:
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    made = pod(name, affinity={kind: {required: term(key)}}, **more)
    made["metadata"]["labels"]["app"] = "x"
    return made


def spread(name: str, key: str = ZONE, **more: object) -> Obj:
    one = {"topologyKey": key, "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule", **more}
    made = pod(
        name, topologySpreadConstraints=[{**one, "labelSelector": term()[0]["labelSelector"]}]
    )
    made["metadata"]["labels"]["app"] = "x"
    return made


def nodes_of(world: World) -> dict[str, str]:
    pods = {name: obj for (kind, name), obj in world.objects.items() if kind == "Pod"}
    return {name: o["spec"]["nodeName"] for name, o in pods.items() if o["spec"].get("nodeName")}


def test_pods_that_must_be_apart_get_a_node_each_and_the_last_is_told() -> None:
    world = World(nodes=zones("a", "a", "b"), slices=[])
    world.add(*(asking(f"p{n}") for n in range(4)))
    world.run()
    assert sorted(nodes_of(world).values()) == ["n0", "n1", "n2"]
    assert "must not be near" in world.condition("p3")["message"]
    assert HOST in world.condition("p3")["message"]


def test_a_pod_without_wishes_keeps_away_from_one_that_wants_to_be_alone() -> None:
    world = World(nodes=zones("a", "b"), slices=[])
    world.add(asking("lonely", key=ZONE, nodeSelector={ZONE: "a"}))
    world.run()
    plain = pod("plain")
    plain["metadata"]["labels"]["app"] = "x"
    world.add(plain)
    world.run()
    assert nodes_of(world) == {"lonely": "n0", "plain": "n1"}


def test_pods_are_spread_and_the_one_too_many_waits() -> None:
    world = World(nodes=zones("a", "b", cpu="2"), slices=[])
    world.add(*(spread(f"p{n}") for n in range(6)))
    world.run()
    assert sorted(nodes_of(world).values()) == ["n0"] * 3 + ["n1"] * 3
    world = World(nodes=zones("a", "b"), slices=[])
    world.nodes[1]["spec"]["unschedulable"] = True
    world.add(*(spread(f"p{n}") for n in range(2)))
    world.run()
    assert nodes_of(world) == {"p0": "n0"}
    assert "spread over zone" in world.condition("p1")["message"]


def test_one_of_two_pods_gets_a_host_port() -> None:
    world = World(nodes=zones("a"), slices=[])
    for name in ("p0", "p1"):
        made = pod(name)
        made["spec"]["containers"][0]["ports"] = [{"containerPort": 80, "hostPort": 8080}]
        world.add(made)
    world.run()
    assert nodes_of(world) == {"p0": "n0"}
    assert "host port 8080/TCP" in world.condition("p1")["message"]
    world.end("p0")
    world.run()
    assert nodes_of(world) == {"p1": "n0"}


def test_a_gang_that_wants_to_be_together_goes_where_all_of_it_fits() -> None:
    """The first member may go anywhere; only one zone has room for all."""
    world = World(nodes=zones("a", "b", "b", cpu="2"), slices=[])
    world.add(pod_group("g", 4))
    world.add(*(asking(f"g-{n}", "podAffinity", ZONE, gang="g", rank=n, cpu="1") for n in range(4)))
    world.run()
    assert set(nodes_of(world).values()) == {"n1", "n2"}
    assert len(nodes_of(world)) == 4


def test_a_gang_whose_members_are_apart_starts_whole_or_not_at_all() -> None:
    world = World(nodes=zones("a", "b", "b"), slices=[])
    world.add(pod_group("g", 4), *(asking(f"g-{n}", gang="g", rank=n) for n in range(4)))
    world.run()
    assert not nodes_of(world)
    world.nodes += zones("a", "a", "a", "c")[3:]
    world.run()
    assert sorted(nodes_of(world).values()) == ["n0", "n1", "n2", "n3"]


def test_a_more_important_pod_evicts_the_one_that_it_must_not_be_near() -> None:
    world = World(nodes=zones("a"), slices=[])
    world.add(asking("old"), asking("new", priority=10))
    world.objects["Pod", "old"]["spec"]["nodeName"] = "n0"
    world.run()
    assert world.get("Pod", "old")["metadata"].get("deletionTimestamp")
    world.end("old")
    world.run()
    assert nodes_of(world) == {"new": "n0"}


def test_namespaces_are_followed_by_their_labels() -> None:
    world = World(nodes=zones("a"), slices=[], others={NAMESPACES: [namespace("far")]})
    there_ = asking("there", nodeName="n0")
    there_["metadata"]["namespace"] = "far"
    waiting = asking("p")
    (one,) = waiting["spec"]["affinity"]["podAntiAffinity"].values()
    one[0]["namespaceSelector"] = {"matchLabels": {"team": "one"}}
    del there_["spec"]["affinity"]
    world.add(there_)
    world.others[NAMESPACES] = [namespace("far", team="one")]
    world.add(waiting)
    world.run()
    assert "p" not in nodes_of(world)
    world.others[NAMESPACES] = [namespace("far", team="two")]
    world.run()
    assert nodes_of(world)["p"] == "n0"


def test_nobody_is_left_in_the_index_once_all_are_gone() -> None:
    world = World(nodes=zones("a", "b"), slices=[])
    world.add(*(asking(f"p{n}") for n in range(2)), spread("s"))
    world.run()
    index = world.known().cluster.holdings.index
    assert index.repelling and any(index.selected.values())
    world.get("Pod", "s")["metadata"]["deletionTimestamp"] = CREATED
    for name in ("p0", "p1", "s"):
        world.end(name)
    world.known()
    assert not index.repelling and not any(index.selected.values()) and not index.ports
