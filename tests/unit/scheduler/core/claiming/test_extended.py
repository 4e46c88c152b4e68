"""Extended resources that DeviceClasses stand for."""

from __future__ import annotations

from typing import Any

from mizzen.base.objects import Key, Obj
from mizzen.scheduler.core.claiming.extended import (
    CLASS_PREFIX,
    classes_by_resource,
    extended_of,
    extended_requests_of,
)
from support.scheduler_world import DRIVER, World, device_class, node, pod, resource_slice

GPU = "nvidia.com/gpu"
CLASSES = {GPU: "gpu", "example.com/nic": "nic"}


def container(name: str, gpus: int = 0, **more: Any) -> Obj:
    requests = {**({GPU: str(gpus)} if gpus else {}), **more.pop("requests", {})}
    return {"name": name, "resources": {"requests": requests}, **more}


def spec_of(pod_spec: Obj, **allocatable: int) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Devices by request, and (container, request), for a node that advertises `allocatable`."""
    extended = extended_of(extended_requests_of(pod_spec), CLASSES)
    assert extended is not None
    spec, mappings = extended.spec_on(allocatable)
    counts = {r["name"]: r["exactly"]["count"] for r in spec["devices"]["requests"]}
    return counts, [(m.container, m.request) for m in mappings]


def test_each_container_has_a_request_named_by_its_place() -> None:
    both = {"example.com/nic": "1", "cpu": "1"}
    containers = [container("a", 1), container("b", 2, requests=both)]
    counts, mappings = spec_of({"containers": containers})
    # Names in order: cpu, example.com/nic, nvidia.com/gpu.
    assert counts == {
        "container-0-request-0": 1,
        "container-1-request-1": 1,
        "container-1-request-2": 2,
    }
    assert mappings == [
        ("b", "container-1-request-1"),
        ("a", "container-0-request-0"),
        ("b", "container-1-request-2"),
    ]


def test_init_containers_use_what_later_ones_hold() -> None:
    init = [container("i0", 1), container("i1", 4), container("i2", 5)]
    counts, mappings = spec_of(
        {"initContainers": init, "containers": [container("a", 2), container("b", 1)]}
    )
    # i1 lacks 1 beside the 3 of a and b, i2 lacks 2: one request of 2 serves both.
    assert counts == {
        "container-2-request-0": 2,
        "container-3-request-0": 2,
        "container-4-request-0": 1,
    }
    assert [request for name, request in mappings if name == "i0"] == ["container-3-request-0"]
    assert [request for name, request in mappings if name == "i1"] == [
        "container-3-request-0",
        "container-4-request-0",
        "container-2-request-0",
    ]


def test_sidecars_hold_what_they_have() -> None:
    init = [container("s", 1, restartPolicy="Always"), container("i", 1)]
    counts, mappings = spec_of({"initContainers": init, "containers": [container("a", 1)]})
    assert counts == {"container-0-request-0": 1, "container-2-request-0": 1}
    assert ("i", "container-2-request-0") in mappings  # the sidecar before it keeps its own


def test_what_a_device_plugin_offers_is_not_claimed() -> None:
    pod_spec = {"containers": [container("a", 1, requests={"example.com/nic": "1"})]}
    counts, _ = spec_of(pod_spec, **{GPU: 8})
    assert counts == {"container-0-request-0": 1}  # the NIC
    extended = extended_of(extended_requests_of(pod_spec), CLASSES)
    assert extended is not None
    assert extended.request_on({GPU: 8, "example.com/nic": 1}) is None
    assert extended.request_on({GPU: 0}) is not None


def test_no_wish_without_a_class() -> None:
    assert extended_of(extended_requests_of({"containers": [container("a", 1)]}), {}) is None
    native = {"cpu": "1", "hugepages-2Mi": "1", "x.kubernetes.io/y": "1"}
    assert extended_requests_of({"containers": [container("a", requests=native)]}) == ()


def test_the_newest_class_stands_for_a_resource() -> None:
    def made(name: str, when: str) -> Obj:
        found = device_class(name, extendedResourceName=GPU)
        found["metadata"]["creationTimestamp"] = when
        return found

    old, new = made("a", "2027-01-01T00:00:00Z"), made("b", "2027-01-02T00:00:00Z")
    assert classes_by_resource([new, old])[GPU] == "b"
    assert classes_by_resource([made("d", "t"), made("c", "t")])[GPU] == "c"
    assert classes_by_resource([old])[f"{CLASS_PREFIX}a"] == "a"


# -- the loop -----------------------------------------------------------------------------


def gpus(node_name: str, count: int = 2) -> Obj:
    return resource_slice(node_name, [{"name": f"gpu-{index}"} for index in range(count)])


def world(**more: Any) -> World:
    return World(
        nodes=[node("n1"), node("n2")],
        slices=[gpus("n2")],
        classes=[device_class("gpu", f'device.driver == "{DRIVER}"', extendedResourceName=GPU)],
        **more,
    )


def asking(name: str, resource: str = GPU, count: int = 1) -> Obj:
    made = pod(name)
    made["spec"]["containers"][0]["resources"] = {"requests": {resource: str(count)}}
    return made


def test_a_pod_that_asks_by_name_gets_devices_and_a_claim() -> None:
    cluster = world()
    cluster.add(asking("a", count=2), asking("b"))
    cluster.run()
    assert cluster.bound() == {"a": ["gpu-0", "gpu-1"]}
    status = cluster.get("Pod", "a")["status"]["extendedResourceClaimStatus"]
    assert status["requestMappings"] == [
        {"containerName": "main", "resourceName": GPU, "requestName": "container-0-request-0"}
    ]
    claim = cluster.get("ResourceClaim", status["resourceClaimName"])
    metadata = claim["metadata"]
    assert metadata["annotations"] == {"resource.kubernetes.io/extended-resource-claim": "true"}
    assert metadata["ownerReferences"][0]["uid"] == "pod-a"
    assert metadata["finalizers"] == ["resource.kubernetes.io/delete-protection"]
    assert [c["uid"] for c in claim["status"]["reservedFor"]] == ["pod-a"]
    assert cluster.condition("b")["status"] == "False"
    cluster.run()
    assert cluster.bound() == {"a": ["gpu-0", "gpu-1"]}  # held, so b still waits
    del cluster.objects["ResourceClaim", status["resourceClaimName"]]
    cluster.end("a", with_claim=False)
    cluster.run()
    assert cluster.bound() == {"b": ["gpu-0"]}


def test_a_class_is_asked_for_by_its_implicit_name() -> None:
    cluster = world()
    cluster.add(asking("a", f"{CLASS_PREFIX}gpu"))
    cluster.run()
    assert cluster.bound() == {"a": ["gpu-0"]}


def test_a_node_that_advertises_the_resource_keeps_it() -> None:
    cluster = world()
    for amounts in ("capacity", "allocatable"):
        cluster.nodes[0]["status"][amounts][GPU] = "1"
    cluster.add(asking("a"), asking("b"))
    cluster.run()
    assert cluster.get("Pod", "a")["spec"]["nodeName"] == "n1"
    assert "extendedResourceClaimStatus" not in cluster.get("Pod", "a")["status"]
    assert cluster.get("Pod", "b")["spec"]["nodeName"] == "n2"
    assert cluster.bound() == {"a": [], "b": ["gpu-0"]}


def test_a_claim_that_an_attempt_left_is_used() -> None:
    cluster = world()
    cluster.add(asking("a"))
    plan = cluster.plan()
    create = plan.decisions[0].operations[0]
    cluster.carry_out(create)  # and then the scheduler was killed
    cluster.run()
    assert cluster.bound() == {"a": ["gpu-0"]}


def test_names_are_the_same_each_time() -> None:
    first, second = world(), world()
    for cluster in (first, second):
        cluster.add(asking("a"))
        cluster.run()
    assert {key for key in first.objects if key[0] == "ResourceClaim"} == {
        key for key in second.objects if key[0] == "ResourceClaim"
    }
    assert Key("default", "a") in first.known().cluster.pods
