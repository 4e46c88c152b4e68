"""Snapshots: remembered views, and objects that cannot be read."""

from __future__ import annotations

from support.scheduler_world import World, claim, halves, pod, resource_slice


def test_views_and_catalogue_are_kept_while_objects_stay_the_same() -> None:
    world = World()
    world.add_pods(["a"])
    first, _, catalogue = world.snapshot()
    second, _, same = world.snapshot()
    assert catalogue is same
    assert all(second.pods[key] is view for key, view in first.pods.items())
    world.slices.append(halves("n2"))
    assert world.snapshot()[2] is not catalogue


def test_one_unreadable_object_does_not_stop_the_others() -> None:
    world = World()
    broken = claim("broken")
    del broken["spec"]["devices"]["requests"][0]["name"]
    world.add(broken, pod("hurt", claims=("broken",), cpu="lots"))
    world.slices.append(resource_slice("n1", [{"attributes": {}}], driver="bad.dev"))
    world.add_pods(["fine"])
    world.run()
    assert list(world.bound()) == ["fine"]
    assert sorted(world.builder.unreadable) == [
        'Pod "default/hurt"',
        'ResourceClaim "default/broken"',
        'ResourceSlice "bad.dev-n1"',
    ]


def test_a_changed_priority_class_is_seen() -> None:
    world = World()
    world.add(pod("a", priorityClassName="p"))
    assert world.snapshot()[1].pods[0].priority == 0
    world.priority_classes.append({"metadata": {"name": "p"}, "value": 7})
    assert world.snapshot()[1].pods[0].priority == 7
