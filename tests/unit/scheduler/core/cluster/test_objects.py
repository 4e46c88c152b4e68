"""API objects in, one by one: what is remembered, and objects that cannot be read."""

from __future__ import annotations

from mizzen.base.objects import Key
from mizzen.base.resources import PODS
from support.scheduler_world import (
    CORE,
    DRIVER,
    World,
    claim,
    device_class,
    exactly,
    halves,
    node,
    pod,
    resource_slice,
)


def test_nodes_of_one_make_share_a_signature_and_a_layout() -> None:
    names = ("n1", "n2", "n3")
    world = World(nodes=[node(n) for n in names], slices=[halves(n) for n in names])
    nodes = world.known().cluster.nodes
    assert len({id(signature) for signature in nodes.sigs}) == 1
    world.add_pods(["a"])
    world.run()
    world.known()
    assert sorted(signature.nodes for signature in nodes.groups()) == [1, 2]


def test_nodes_are_told_apart_by_what_selectors_read_and_by_no_more() -> None:
    """A domain that a macro binds is followed: reading its core does not mean reading its serial."""
    names = ("n1", "n2", "n3")
    slices = [halves(n) for n in names]
    for number, item in enumerate(slices):
        for device in item["spec"]["devices"]:
            device["attributes"]["serial"] = {"string": f"{number}"}
    macro = f'cel.bind(a, device.attributes["{DRIVER}"], a.type == "cpu-core")'
    world = World(
        nodes=[node(n) for n in names], slices=slices, classes=[device_class(CORE, macro)]
    )
    assert len({id(signature) for signature in world.known().cluster.nodes.sigs}) == 1
    serial = f'device.attributes["{DRIVER}"].serial == "2"'
    world.classes.append(device_class("third", serial))
    assert len({id(signature) for signature in world.known().cluster.nodes.sigs}) == 3
    world.add(claim("c", exactly(cls="third")), pod("a", claims=("c",)))
    world.run()
    assert world.get("Pod", "a")["spec"]["nodeName"] == "n3"


def test_one_unreadable_object_does_not_stop_the_others() -> None:
    world = World()
    broken = claim("broken")
    del broken["spec"]["devices"]["requests"][0]["name"]
    world.add(broken, pod("hurt", claims=("broken",), cpu="lots"))
    world.slices.append(resource_slice("n1", [{"attributes": {}}], driver="bad.dev"))
    world.add_pods(["fine"])
    world.run()
    assert list(world.bound()) == ["fine"]
    assert sorted(world.feed.unreadable) == [
        'Pod "default/hurt"',
        'ResourceClaim "default/broken"',
        'ResourceSlice "bad.dev-n1"',
    ]


def test_a_changed_priority_class_is_seen() -> None:
    world = World()
    world.add(pod("a", priorityClassName="p"))
    key = Key("default", "a")
    assert world.known().cluster.waiting[key].priority == 0
    world.priority_classes.append({"metadata": {"name": "p"}, "value": 7})
    assert world.known().cluster.waiting[key].priority == 7


def test_of_pods_that_are_settled_no_more_is_kept_than_their_views_say() -> None:
    feed = World().feed
    started = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    for number in range(3):
        waiting = pod(f"p{number}", priority=0)
        waiting["metadata"]["labels"] = {"app": "web", "tier": "front"}
        feed.upsert(PODS, waiting)
        assert Key("default", f"p{number}") in feed._read
        spec = {**waiting["spec"], "nodeName": "n"}
        status = {"phase": "Running", "conditions": [dict(started)]}
        feed.upsert(PODS, {**waiting, "spec": spec, "status": status})
    assert not feed._read
    first, second, _ = feed.cluster.pods.values()
    assert first.labels == {"app": "web", "tier": "front"}
    assert first.labels is second.labels
    assert first.conditions == (started,)
    assert first.conditions[0] is second.conditions[0]


def test_a_pod_bound_with_a_plugins_devices_stays_bound_when_a_claim_goes() -> None:
    """Its container asks for devices by a name that no DeviceClass serves."""
    world = World()
    world.nodes[0]["status"]["allocatable"]["example.com/gpu"] = "2"
    gpu = pod("gpu")
    gpu["spec"]["containers"][0]["resources"] = {"limits": {"example.com/gpu": "2"}}
    world.add(gpu)
    world.add_pods(["other"])
    world.run()
    assert set(world.bound()) == {"gpu", "other"}
    assert world.plan().decisions == ()
    world.end("other")
    assert world.plan().decisions == ()
