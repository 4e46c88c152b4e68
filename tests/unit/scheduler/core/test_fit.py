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


@pytest.mark.parametrize("more", [{}, PINNED], ids=["by signature", "by node"])
def test_images_go_where_they_can_run(more: dict[str, Any]) -> None:
    agent, kubelet = (
        node(name, labels={"kubernetes.io/hostname": "n1"}) for name in ("agent", "kubelet")
    )
    agent["status"]["nodeInfo"] = {"containerRuntimeVersion": "process://0.1.0"}
    kubelet["status"]["nodeInfo"] = {"containerRuntimeVersion": "containerd://2.4.2"}
    world = World(nodes=[agent, kubelet])
    for name, image in (("own", "mizzen.dev/python"), ("path", "/bin/sh"), ("web", "nginx")):
        made = pod(name, cpu="10m", **more)
        made["spec"]["containers"][0]["image"] = image
        world.add(made)
    world.run()
    nodes = {
        name: world.get("Pod", name)["spec"].get("nodeName") for name in ("own", "path", "web")
    }
    assert nodes == {"own": "agent", "path": "agent", "web": "kubelet"}


def test_where_nothing_runs_an_image_it_is_said() -> None:
    agent = node("agent")
    agent["status"]["nodeInfo"] = {"containerRuntimeVersion": "process://0.1.0"}
    world = World(nodes=[agent])
    made = pod("web", cpu="10m")
    made["spec"]["containers"][0]["image"] = "nginx"
    world.add(made)
    world.run()
    assert "1 runs no containers, which its images are for" in world.condition("web")["message"]
