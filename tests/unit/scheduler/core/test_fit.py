"""What fits a node is one predicate: asked of a signature and of the node itself, it agrees."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.scheduler.core.fit import label_keys
from mizzen.scheduler.core.views import pod_view
from support.scheduler_world import World, claim, exactly, node, pod

PINNED = {"nodeSelector": {"kubernetes.io/hostname": "n1"}}


@pytest.mark.parametrize("more", [{}, PINNED], ids=["by signature", "by node"])
def test_devices_used_with_admin_access_take_no_cpu(more: dict[str, Any]) -> None:
    world = World(nodes=[node("n1", cpu="1", labels={"kubernetes.io/hostname": "n1"})])
    for item in world.slices:
        item["spec"]["nodeName"] = item["spec"]["pool"]["name"] = "n1"
    world.add(pod("plain", cpu="800m"))
    world.run()
    world.add(claim("look", exactly(adminAccess=True)), pod("look", claims=("look",), **more))
    world.run()
    assert set(world.bound()) == {"plain", "look"}, world.condition("look").get("message")


@pytest.mark.parametrize("more", [{}, PINNED], ids=["by signature", "by node"])
def test_devices_and_requests_share_the_cpu(more: dict[str, Any]) -> None:
    world = World(nodes=[node("n1", cpu="1", labels={"kubernetes.io/hostname": "n1"})])
    for item in world.slices:
        item["spec"]["nodeName"] = item["spec"]["pool"]["name"] = "n1"
    world.add(pod("plain", cpu="800m"))
    world.run()
    world.add(claim("core"), pod("core", claims=("core",), **more))
    world.run()
    assert set(world.bound()) == {"plain"}
    assert "want 500m, most free 200m" in world.condition("core")["message"]


def test_labels_that_decide_are_named() -> None:
    term = {"matchExpressions": [{"key": "rack", "operator": "Exists"}]}
    required = {"nodeSelectorTerms": [term]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    shape = pod_view(pod("p", nodeSelector={"zone": "a"}, affinity=affinity), {}).shape
    assert label_keys(shape) == {"zone", "rack"}
