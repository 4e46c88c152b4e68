"""The addresses of Services lead to ready endpoints of the right port."""

from __future__ import annotations

from typing import Any

from mizzen.node.core.service_routes import Route, routes

PORT = {"name": "web", "port": 80, "protocol": "TCP", "targetPort": 8080}


def service(**spec: Any) -> Any:
    return {"metadata": {"name": "s", "namespace": "default"},
            "spec": {"type": "ClusterIP", "clusterIP": "127.2.0.9", "ports": [PORT], **spec}}  # fmt: skip


def slice_of(*endpoints: Any, name: str = "web", port: int = 8080, protocol: str = "TCP") -> Any:
    return {"addressType": "IPv4", "ports": [{"name": name, "port": port, "protocol": protocol}],
            "endpoints": list(endpoints)}  # fmt: skip


def endpoint(address: str, node: str = "n", **conditions: bool) -> Any:
    return {"addresses": [address], "nodeName": node, "conditions": conditions}


def found(of: Any, *slices: Any) -> list[Route]:
    return list(routes(of, slices, "n", "127.0.0.1"))


def test_ready_endpoints_of_the_ports_name() -> None:
    slices = (
        slice_of(endpoint("127.64.0.3", ready=True), endpoint("127.64.0.2")),
        slice_of(endpoint("127.64.0.4", ready=False, serving=False)),
        slice_of(endpoint("127.64.0.5", ready=True), name="other"),
        slice_of(endpoint("127.64.0.6", ready=True), protocol="UDP"),
    )
    (route,) = found(service(), *slices)
    assert route == Route("127.2.0.9", 80, "TCP", (("127.64.0.2", 8080), ("127.64.0.3", 8080)), 0)
    assert route.key == "127.2.0.9:80/TCP"


def test_where_none_is_ready_those_that_end_still_serve() -> None:
    ending = endpoint("127.64.0.2", ready=False, serving=True, terminating=True)
    gone = endpoint("127.64.0.3", ready=False, serving=False, terminating=True)
    assert found(service(), slice_of(ending, gone))[0].endpoints == (("127.64.0.2", 8080),)
    ready = endpoint("127.64.0.4", ready=True)
    assert found(service(), slice_of(ending, ready))[0].endpoints == (("127.64.0.4", 8080),)


def test_node_ports_lead_there_too() -> None:
    of = service(type="NodePort", ports=[{**PORT, "nodePort": 30080}])
    inner, outer = found(of, slice_of(endpoint("127.64.0.2", ready=True)))
    assert (outer.address, outer.port, outer.endpoints) == ("127.0.0.1", 30080, inner.endpoints)


def test_local_means_this_node() -> None:
    slices = slice_of(endpoint("127.64.0.2", "n"), endpoint("127.65.0.2", "m"))
    of = service(
        type="NodePort", ports=[{**PORT, "nodePort": 30080}], internalTrafficPolicy="Local"
    )
    inner, outer = found(of, slices)
    assert inner.endpoints == (("127.64.0.2", 8080),) and len(outer.endpoints) == 2
    of["spec"] |= {"internalTrafficPolicy": "Cluster", "externalTrafficPolicy": "Local"}
    inner, outer = found(of, slices)
    assert len(inner.endpoints) == 2 and outer.endpoints == (("127.64.0.2", 8080),)


def test_affinity_and_what_has_no_address() -> None:
    config = {"clientIP": {"timeoutSeconds": 7}}
    of = service(sessionAffinity="ClientIP", sessionAffinityConfig=config)
    assert found(of)[0].affinity_s == 7
    assert found(service(clusterIP="None")) == []
    assert found(service(clusterIP="10.96.0.9")) == []  # kube-proxy carries it
    assert found(service(type="ExternalName", clusterIP="")) == []
