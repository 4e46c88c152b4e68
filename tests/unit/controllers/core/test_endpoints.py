"""Slices and Endpoints say which pods are behind a Service, and change little."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.base.objects import Key, Obj
from mizzen.base.operations import Create, Delete, Patch
from mizzen.base.resources import ENDPOINT_SLICES, ENDPOINTS, NODES, PODS, SERVICES
from mizzen.controllers.core import (
    endpoint_slice_mirroring,
    endpoint_slices,
    endpoints,
    service_pods,
)
from support.controlled import Cluster, condition


def pod(name: str, ip: str, ready: bool = True, **more: Any) -> Obj:
    labels = more.pop("labels", {"app": "web"})
    spec: Obj = {"nodeName": "n", "containers": [
        {"name": "c", "ports": [{"name": "http", "containerPort": 8080}]}], **more}  # fmt: skip
    status = {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}],
              "conditions": [condition("Ready", "True" if ready else "False")]}  # fmt: skip
    return {"metadata": {"name": name, "namespace": "default", "labels": labels}, "spec": spec,
            "status": status}  # fmt: skip


def service(**spec: Any) -> Obj:
    port = {"name": "web", "port": 80, "targetPort": "http", "protocol": "TCP"}
    return {
        "metadata": {"name": "web", "namespace": "default", "labels": {"team": "a"}},
        "spec": {"type": "ClusterIP", "clusterIP": "127.2.0.9", "selector": {"app": "web"},
                 "ports": [port], "ipFamilies": ["IPv4"], **spec},
    }  # fmt: skip


@pytest.fixture
def cluster() -> Cluster:
    made = Cluster(endpoint_slices.CONTROLLER)
    made.add(NODES, {"metadata": {"name": "n", "labels": {"topology.kubernetes.io/zone": "z"}}})
    return made


def ready_addresses(cluster: Cluster) -> list[str]:
    return sorted(
        address
        for each in cluster.all(ENDPOINT_SLICES)
        for endpoint in each["endpoints"]
        if endpoint["conditions"]["ready"]
        for address in endpoint["addresses"]
    )


def test_a_slice_names_the_pods_with_their_ports_and_states(cluster: Cluster) -> None:
    cluster.add(SERVICES, service())
    cluster.add(PODS, pod("a", "127.64.0.2"))
    cluster.add(PODS, pod("b", "127.64.0.3", ready=False))
    cluster.add(PODS, pod("other", "127.64.0.4", labels={"app": "db"}))
    cluster.settle("web")
    (made,) = cluster.all(ENDPOINT_SLICES)
    assert made["addressType"] == "IPv4"
    assert made["ports"] == [{"name": "web", "protocol": "TCP", "port": 8080}]
    assert made["metadata"]["labels"] == {
        "team": "a",
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    (owner,) = made["metadata"]["ownerReferences"]
    assert owner["kind"] == "Service" and owner["controller"] is True
    first, second = made["endpoints"]
    assert first["conditions"] == {"ready": True, "serving": True, "terminating": False}
    assert second["conditions"] == {"ready": False, "serving": False, "terminating": False}
    assert first["targetRef"]["name"] == "a" and first["nodeName"] == "n" and first["zone"] == "z"
    assert cluster.reconcile("web") == []


def test_a_service_without_pods_has_an_empty_slice_that_is_filled_later(cluster: Cluster) -> None:
    cluster.add(SERVICES, service())
    cluster.settle("web")
    (empty,) = cluster.all(ENDPOINT_SLICES)
    assert empty["endpoints"] == [] and empty["ports"] == []
    cluster.add(PODS, pod("a", "127.64.0.2"))
    (patch,) = cluster.reconcile("web")
    assert isinstance(patch, Patch)  # and no second slice
    assert ready_addresses(cluster) == ["127.64.0.2"]
    cluster.vanish(PODS, "a")
    cluster.settle("web")
    assert len(cluster.all(ENDPOINT_SLICES)) == 1 and ready_addresses(cluster) == []


def test_a_pod_that_ends_serves_until_it_is_gone_but_is_not_ready(cluster: Cluster) -> None:
    cluster.add(SERVICES, service())
    cluster.add(PODS, pod("a", "127.64.0.2"))
    cluster.settle("web")
    cluster.change(PODS, "a", {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}})
    cluster.settle("web")
    (made,) = cluster.all(ENDPOINT_SLICES)
    states = made["endpoints"][0]["conditions"]
    assert states == {"ready": False, "serving": True, "terminating": True}


def test_unready_pods_that_are_to_be_published_are_ready(cluster: Cluster) -> None:
    cluster.add(SERVICES, service(publishNotReadyAddresses=True, clusterIP="None"))
    cluster.add(PODS, pod("a", "127.64.0.2", ready=False))
    cluster.settle("web")
    (made,) = cluster.all(ENDPOINT_SLICES)
    assert made["endpoints"][0]["conditions"]["ready"] is True
    assert made["metadata"]["labels"]["service.kubernetes.io/headless"] == ""


def test_a_hundred_to_a_slice_and_few_slices_change(cluster: Cluster) -> None:
    cluster.add(SERVICES, service())
    for index in range(250):
        cluster.add(PODS, pod(f"p{index:03}", f"127.64.1.{index}"))
    cluster.settle("web")
    sizes = sorted(len(each["endpoints"]) for each in cluster.all(ENDPOINT_SLICES))
    assert sizes == [50, 100, 100]
    cluster.add(PODS, pod("new", "127.64.2.2"))
    (patch,) = cluster.reconcile("web")
    assert isinstance(patch, Patch)
    cluster.vanish(PODS, "p000")
    (patch,) = cluster.reconcile("web")
    assert isinstance(patch, Patch)
    assert len(ready_addresses(cluster)) == 250


def test_pods_whose_named_port_differs_are_in_slices_of_their_own(cluster: Cluster) -> None:
    cluster.add(SERVICES, service())
    other = [{"name": "c", "ports": [{"name": "http", "containerPort": 9090}]}]
    cluster.add(PODS, pod("a", "127.64.0.2"))
    cluster.add(PODS, pod("b", "127.64.0.3", containers=other))
    cluster.settle("web")
    assert sorted(each["ports"][0]["port"] for each in cluster.all(ENDPOINT_SLICES)) == [8080, 9090]
    cluster.vanish(PODS, "b")
    (gone,) = cluster.reconcile("web")
    assert isinstance(gone, Delete)


def test_labels_of_the_service_reach_its_slices(cluster: Cluster) -> None:
    cluster.add(SERVICES, service())
    cluster.add(PODS, pod("a", "127.64.0.2"))
    cluster.settle("web")
    cluster.change(SERVICES, "web", {"metadata": {"labels": {"team": None, "tier": "b"}}})
    cluster.settle("web")
    (made,) = cluster.all(ENDPOINT_SLICES)
    assert made["metadata"]["labels"].get("tier") == "b"
    assert "team" not in made["metadata"]["labels"]


@pytest.mark.parametrize("spec", [{"selector": None}, {"type": "ExternalName"}])
def test_services_whose_endpoints_are_not_ours_are_left_alone(
    cluster: Cluster, spec: dict[str, Any]
) -> None:
    cluster.add(SERVICES, service(**spec))
    cluster.add(PODS, pod("a", "127.64.0.2"))
    assert cluster.reconcile("web") == []


def test_a_pod_concerns_the_services_that_select_it(cluster: Cluster) -> None:
    cluster.add(SERVICES, service())
    one = cluster.add(PODS, pod("a", "127.64.0.2"))
    assert service_pods.services_of(cluster.view(), one) == [Key("default", "web")]
    other = pod("b", "127.64.0.3", labels={"app": "db"})
    assert service_pods.services_of(cluster.view(), other) == []


# -- Endpoints -----------------------------------------------------------------------------------


@pytest.fixture
def legacy() -> Cluster:
    return Cluster(endpoints.CONTROLLER)


def test_endpoints_have_ready_and_other_addresses_by_ports(legacy: Cluster) -> None:
    legacy.add(SERVICES, service())
    legacy.add(PODS, pod("a", "127.64.0.10"))
    legacy.add(PODS, pod("b", "127.64.0.9"))
    legacy.add(PODS, pod("c", "127.64.0.3", ready=False))
    assert legacy.settle("web") == 1
    made = legacy.get(ENDPOINTS, "web")
    (subset,) = made["subsets"]
    assert [each["ip"] for each in subset["addresses"]] == ["127.64.0.9", "127.64.0.10"]
    assert [each["ip"] for each in subset["notReadyAddresses"]] == ["127.64.0.3"]
    assert subset["ports"] == [{"name": "web", "protocol": "TCP", "port": 8080}]
    assert made["metadata"]["labels"]["endpoints.kubernetes.io/managed-by"] == "endpoint-controller"


def test_endpoints_follow_their_service_and_go_with_it(legacy: Cluster) -> None:
    legacy.add(SERVICES, service())
    legacy.add(PODS, pod("a", "127.64.0.2"))
    legacy.settle("web")
    legacy.vanish(PODS, "a")
    legacy.settle("web")
    assert legacy.get(ENDPOINTS, "web")["subsets"] == []
    legacy.vanish(SERVICES, "web")
    (gone,) = legacy.reconcile("web")
    assert isinstance(gone, Delete)


def test_endpoints_that_people_wrote_stay_without_a_service(legacy: Cluster) -> None:
    legacy.add(ENDPOINTS, {"metadata": {"name": "web", "namespace": "default"}})
    assert legacy.reconcile("web") == []


def test_a_thousand_addresses_at_most_and_it_says_so(legacy: Cluster) -> None:
    legacy.add(SERVICES, service())
    for index in range(1001):
        legacy.add(PODS, pod(f"p{index}", f"127.64.{index // 250}.{index % 250}"))
    legacy.settle("web")
    made = legacy.get(ENDPOINTS, "web")
    assert len(made["subsets"][0]["addresses"]) == 1000
    notes = made["metadata"]["annotations"]
    assert notes == {"endpoints.kubernetes.io/over-capacity": "truncated"}


# -- mirroring -----------------------------------------------------------------------------------


@pytest.fixture
def mirrored() -> Cluster:
    made = Cluster(endpoint_slice_mirroring.CONTROLLER)
    made.add(SERVICES, service(selector=None))
    subset = {"addresses": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}],
              "notReadyAddresses": [{"ip": "10.0.0.2"}], "ports": [{"port": 80}]}  # fmt: skip
    made.add(ENDPOINTS, {"metadata": {"name": "web", "namespace": "default"}, "subsets": [subset]})
    return made


def test_endpoints_of_a_service_without_selector_are_mirrored_by_family(mirrored: Cluster) -> None:
    first = mirrored.reconcile("web")
    assert all(isinstance(each, Create) for each in first)
    assert mirrored.reconcile("web") == []
    found = {each["addressType"]: each for each in mirrored.all(ENDPOINT_SLICES)}
    assert found["IPv4"]["endpoints"] == [
        {"addresses": ["10.0.0.1"], "conditions": {"ready": True}},
        {"addresses": ["10.0.0.2"], "conditions": {"ready": False}},
    ]
    assert found["IPv6"]["endpoints"][0]["addresses"] == ["fd00::1"]
    labels = found["IPv4"]["metadata"]["labels"]
    assert labels["kubernetes.io/service-name"] == "web"


@pytest.mark.parametrize("how", ["labelled", "with a selector"])
def test_what_is_not_to_be_mirrored_is_not(mirrored: Cluster, how: str) -> None:
    mirrored.settle("web")
    if how == "labelled":
        label = {"endpointslice.kubernetes.io/skip-mirror": "true"}
        mirrored.change(ENDPOINTS, "web", {"metadata": {"labels": label}})
    else:
        mirrored.change(SERVICES, "web", {"spec": {"selector": {"a": "b"}}})
    mirrored.settle("web")
    assert mirrored.all(ENDPOINT_SLICES) == []
