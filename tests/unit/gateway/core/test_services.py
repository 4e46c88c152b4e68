from __future__ import annotations

from typing import Any

import pytest

from mizzen.base.objects import Key, Obj
from mizzen.gateway.core.services import Route, ServiceError, in_turn, is_ready, parse, resolve

ROUTE = Route(Key("default", "web"), "", "/")


def service(**spec: Any) -> Obj:
    port = {"port": 80, "targetPort": 8000, "protocol": "TCP"}
    full = {"type": "ClusterIP", "clusterIP": "None", "selector": {"app": "web"}, "ports": [port]}
    return {"metadata": {"namespace": "default", "name": "web"}, "spec": {**full, **spec}}


def pod(name: str, *, ready: bool | None = True, labels: Obj | None = None, **status: Any) -> Obj:
    conditions = [] if ready is None else [{"type": "Ready", "status": str(ready)}]
    ports = [{"name": "http", "containerPort": 9000}]
    return {
        "metadata": {"namespace": "default", "name": name, "labels": labels or {"app": "web"}},
        "spec": {"containers": [{"name": "c", "ports": ports}]},
        "status": {
            "phase": "Running", "podIP": f"127.70.0.{name[-1]}", "conditions": conditions, **status
        },
    }  # fmt: skip


def refusal(route: Route, found: Obj | None, pods: list[Obj]) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        resolve(route, found, pods)
    return caught.value


@pytest.mark.parametrize(
    ("path", "key", "port", "rest"),
    [
        ("/services/default/web", "default/web", "", "/"),
        ("/services/default/web/", "default/web", "", "/"),
        ("/services/default/web:80/a%2Fb/c", "default/web", "80", "/a%2Fb/c"),
        ("/services/default/web%3Ahttp/a", "default/web", "http", "/a"),
    ],
)
def test_reads_a_path(path: str, key: str, port: str, rest: str) -> None:
    route = parse(path)
    assert (str(route.key), route.port, route.path) == (key, port, rest)


def test_a_path_without_a_service_is_not_found() -> None:
    for path in ("/services/", "/services/default", "/services/default/", "/services/default/:80"):
        with pytest.raises(ServiceError) as caught:
            parse(path)
        assert caught.value.status == 404


def test_finds_ready_pods_by_name_and_leaves_out_the_others() -> None:
    pods = [
        pod("p2"),
        pod("p1"),
        pod("p3", ready=False),
        pod("p4", labels={"app": "other"}),
        pod("p5", phase="Pending"),
        pod("p6", podIP=""),
    ]
    leaving, foreign = pod("p7"), pod("p8")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    foreign["metadata"]["namespace"] = "other"
    found = resolve(ROUTE, service(), [*pods, leaving, foreign])
    assert [(b.pod, b.url) for b in found] == [
        ("p1", "http://127.70.0.1:8000"),
        ("p2", "http://127.70.0.2:8000"),
    ]


def test_a_running_pod_without_probe_or_verdict_is_ready() -> None:
    assert is_ready(pod("p1", ready=None))
    probed = pod("p1", ready=None)
    probed["spec"]["containers"][0]["readinessProbe"] = {"tcpSocket": {"port": 1}}
    assert not is_ready(probed)


def test_not_ready_addresses_are_published_on_request() -> None:
    found = resolve(ROUTE, service(publishNotReadyAddresses=True), [pod("p1", ready=False)])
    assert [b.pod for b in found] == ["p1"]


def test_ports_by_number_and_by_name() -> None:
    ports = [
        {"name": "first", "port": 80, "targetPort": 8000, "protocol": "TCP"},
        {"name": "second", "port": 81, "targetPort": "http", "protocol": "TCP"},
        {"name": "third", "port": 82, "targetPort": 8002, "protocol": "UDP"},
    ]
    several, key = service(ports=ports), ROUTE.key
    for said, number in (("80", 8000), ("first", 8000), ("81", 9000), ("second", 9000)):
        (found,) = resolve(Route(key, said, "/"), several, [pod("p1")])
        assert found.url == f"http://127.70.0.1:{number}"
    assert refusal(ROUTE, several, [pod("p1")]).code == "port_required"
    assert "80 (first), 81 (second)" in refusal(ROUTE, several, []).message
    assert refusal(Route(key, "9", "/"), several, []).status == 404
    assert refusal(Route(key, "third", "/"), several, []).code == "port_not_tcp"


def test_without_ports_the_pods_port_is_said_by_number() -> None:
    bare = service(ports=[])
    (found,) = resolve(Route(ROUTE.key, "7000", "/"), bare, [pod("p1")])
    assert found.url == "http://127.70.0.1:7000"
    for port in ("", "http", "0", "070", "65536", "٣"):
        assert refusal(Route(ROUTE.key, port, "/"), bare, [pod("p1")]).status == 400


def test_an_ipv6_address_is_bracketed() -> None:
    (found,) = resolve(ROUTE, service(), [pod("p1", podIP="fd00::1")])
    assert found.url == "http://[fd00::1]:8000"


def test_says_why_nobody_answers() -> None:
    assert refusal(ROUTE, None, []).status == 404
    external = service(type="ExternalName", externalName="example.org")
    assert refusal(ROUTE, external, []).status == 403
    assert refusal(ROUTE, service(selector={}), []).status == 503
    nobody = refusal(ROUTE, service(), [])
    assert (nobody.status, nobody.retry_after_s) == (503, 1)
    assert "matches no pod" in nobody.message
    assert "0 of its 1 pods" in refusal(ROUTE, service(), [pod("p1", ready=False)]).message
    ports = [{"port": 80, "targetPort": "grpc", "protocol": "TCP"}]
    assert 'named "grpc"' in refusal(ROUTE, service(ports=ports), [pod("p1")]).message


def test_every_backend_has_its_turn() -> None:
    backends = resolve(ROUTE, service(), [pod("p1"), pod("p2"), pod("p3")])
    assert [in_turn(backends, turn)[0].pod for turn in range(4)] == ["p1", "p2", "p3", "p1"]
    assert [b.pod for b in in_turn(backends, 1)] == ["p2", "p3", "p1"]
