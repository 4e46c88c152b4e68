"""What objects take of a quota."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.apiserver.core.quota_usage import difference, resources_behind, usage_of

Obj = dict[str, Any]
NOW_NS = 1_800_000_000 * 10**9


def nothing(resource: str, namespace: str, name: str) -> Obj | None:
    return None


def pod(requests: Obj | None = None, limits: Obj | None = None, **rest: Any) -> Obj:
    resources = {"requests": requests or {}, "limits": limits or {}}
    spec = {"containers": [{"name": "c", "resources": resources}]}
    return {"metadata": {"name": "p", "namespace": "d"}, "spec": spec, **rest}


def test_a_pod_is_charged_for_requests_limits_and_extended_resources() -> None:
    made = pod({"cpu": "1", "memory": "1Gi", "acme.com/gpu": "2"}, {"cpu": "2"})
    assert usage_of("pods", made, NOW_NS, nothing) == {
        "count/pods": "1", "pods": "1", "cpu": "1", "requests.cpu": "1", "limits.cpu": "2",
        "memory": "1Gi", "requests.memory": "1Gi", "requests.acme.com/gpu": "2",
    }  # fmt: skip


@pytest.mark.parametrize(
    "rest",
    [
        {"status": {"phase": "Succeeded"}},
        {
            "metadata": {
                "name": "p",
                "deletionTimestamp": "2020-01-01T00:00:00Z",
                "deletionGracePeriodSeconds": 30,
            }
        },
    ],
)
def test_a_pod_that_ended_or_is_stuck_in_its_deletion_only_counts_as_an_object(rest: Obj) -> None:
    assert usage_of("pods", pod({"cpu": "1"}, **rest), NOW_NS, nothing) == {"count/pods": "1"}


@pytest.mark.parametrize(
    ("spec", "node_ports", "balancers"),
    [
        ({}, "0", "0"),
        ({"type": "NodePort"}, "2", "0"),
        ({"type": "LoadBalancer"}, "2", "1"),
        ({"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False}, "1", "1"),
    ],
)
def test_services_take_node_ports_and_balancers(spec: Obj, node_ports: str, balancers: str) -> None:
    service = {"spec": {"ports": [{"port": 1, "nodePort": 30000}, {"port": 2}], **spec}}
    assert usage_of("services", service, NOW_NS, nothing) == {
        "count/services": "1", "services": "1",
        "services.nodeports": node_ports, "services.loadbalancers": balancers,
    }  # fmt: skip


def test_a_volume_claim_takes_storage_of_its_class_too() -> None:
    claim = {
        "metadata": {"name": "v"},
        "spec": {"storageClassName": "gold", "resources": {"requests": {"storage": "10Gi"}}},
    }
    assert usage_of("persistentvolumeclaims", claim, NOW_NS, nothing) == {
        "count/persistentvolumeclaims": "1",
        "persistentvolumeclaims": "1",
        "requests.storage": "10Gi",
        "gold.storageclass.storage.k8s.io/persistentvolumeclaims": "1",
        "gold.storageclass.storage.k8s.io/requests.storage": "10Gi",
    }


def test_a_claim_takes_the_most_devices_of_each_class_that_it_may_be_given() -> None:
    def lookup(resource: str, namespace: str, name: str) -> Obj | None:
        return {"spec": {"extendedResourceName": "acme.com/gpu"}} if name == "gpu" else None

    claim = {
        "metadata": {"name": "c", "namespace": "d"},
        "spec": {"devices": {"requests": [
            {"exactly": {"deviceClassName": "gpu", "allocationMode": "ExactCount", "count": 2}},
            {"firstAvailable": [
                {"deviceClassName": "gpu", "allocationMode": "ExactCount", "count": 1},
                {"deviceClassName": "nic", "allocationMode": "All"},
            ]},
        ]}},
    }  # fmt: skip
    assert usage_of("resourceclaims.resource.k8s.io", claim, NOW_NS, lookup) == {
        "count/resourceclaims.resource.k8s.io": "1",
        "gpu.deviceclass.resource.k8s.io/devices": "3",
        "nic.deviceclass.resource.k8s.io/devices": "32",
        "requests.deviceclass.resource.kubernetes.io/gpu": "3",
        "requests.deviceclass.resource.kubernetes.io/nic": "32",
        "requests.acme.com/gpu": "3",
    }


@pytest.mark.parametrize(
    ("name", "resources"),
    [
        ("pods", ("pods",)),
        ("limits.cpu", ("pods",)),
        ("requests.storage", ("persistentvolumeclaims",)),
        ("gold.storageclass.storage.k8s.io/requests.storage", ("persistentvolumeclaims",)),
        ("services.nodeports", ("services",)),
        ("secrets", ("secrets",)),
        ("count/jobs.batch", ("jobs.batch",)),
        ("gpu.deviceclass.resource.k8s.io/devices", ("resourceclaims.resource.k8s.io",)),
        ("requests.acme.com/gpu", ("pods", "resourceclaims.resource.k8s.io")),
    ],
)
def test_a_name_says_which_objects_are_counted(name: str, resources: tuple[str, ...]) -> None:
    assert resources_behind(name) == resources


def test_a_difference_leaves_out_what_did_not_change() -> None:
    assert difference({"a": "2", "b": "1Gi"}, {"a": "2", "c": "1"}) == {"b": "1Gi", "c": "-1"}
