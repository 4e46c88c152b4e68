"""Services get addresses and ports of their own in the commit that writes them."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
import pytest_asyncio

from mizzen.apiserver.context import SERVICE_RANGE_DEFAULT
from mizzen.store.memory import MemoryStore
from support.api_handlers import DEFAULT, Api, an_api

SERVICES = f"{DEFAULT}/services"
PORTS = [{"name": "http", "port": 80}]


@pytest_asyncio.fixture
async def api() -> Api:
    return await an_api(MemoryStore())


def service(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"ports": PORTS, **spec}}


async def test_a_service_gets_an_address_of_its_own_in_the_range(api: Api) -> None:
    made = [await api.call("POST", SERVICES, service(f"s{i}")) for i in range(20)]
    assert [code for code, _ in made] == [201] * 20
    addresses = {body["spec"]["clusterIP"] for _, body in made}
    assert len(addresses) == 20
    assert all(IPv4Address(each) in SERVICE_RANGE_DEFAULT for each in addresses)
    spec = made[0][1]["spec"]
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    assert spec["ipFamilies"] == ["IPv4"] and spec["ipFamilyPolicy"] == "SingleStack"
    assert spec["internalTrafficPolicy"] == "Cluster" and spec["sessionAffinity"] == "None"
    assert made[0][1]["status"] == {"loadBalancer": {}}


async def test_writes_at_the_same_moment_share_no_address(api: Api) -> None:
    wanted = str(SERVICE_RANGE_DEFAULT[77])
    both = await asyncio.gather(
        api.call("POST", SERVICES, service("a", clusterIP=wanted)),
        api.call("POST", SERVICES, service("b", clusterIP=wanted)),
    )
    assert sorted(code for code, _ in both) == [201, 422]


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("10.0.0.1", "the provided network does not match the current range"),
        (str(SERVICE_RANGE_DEFAULT[0]), "is not in the valid range"),
        (str(SERVICE_RANGE_DEFAULT[5]), "provided IP is already allocated"),
        ("300.1.1.1", "must be a valid IP address"),
    ],
)
async def test_an_address_that_cannot_be_had_is_refused(
    api: Api, address: str, problem: str
) -> None:
    await api.call("POST", SERVICES, service("has", clusterIP=str(SERVICE_RANGE_DEFAULT[5])))
    code, status = await api.call("POST", SERVICES, service("wants", clusterIP=address))
    assert code == 422 and problem in status["message"]


async def test_the_address_of_a_deleted_service_is_free(api: Api) -> None:
    wanted = str(SERVICE_RANGE_DEFAULT[9])
    assert (await api.call("POST", SERVICES, service("a", clusterIP=wanted)))[0] == 201
    assert (await api.call("DELETE", f"{SERVICES}/a"))[0] == 200
    assert (await api.call("POST", SERVICES, service("b", clusterIP=wanted)))[0] == 201


async def test_a_dry_run_reserves_nothing(api: Api) -> None:
    wanted = str(SERVICE_RANGE_DEFAULT[9])
    code, made = await api.call("POST", f"{SERVICES}?dryRun=All", service("a", clusterIP=wanted))
    assert code == 201 and made["spec"]["clusterIP"] == wanted
    assert (await api.call("POST", SERVICES, service("b", clusterIP=wanted)))[0] == 201


async def test_an_address_stays_for_life(api: Api) -> None:
    _, made = await api.call("POST", SERVICES, service("a"))
    code, again = await api.call("PUT", f"{SERVICES}/a", service("a"))  # the manifest once more
    assert code == 200 and again["spec"] == made["spec"]
    other = service("a", clusterIP=str(SERVICE_RANGE_DEFAULT[3]))
    code, status = await api.call("PUT", f"{SERVICES}/a", other)
    assert code == 422 and "may not change once set" in status["message"]
    code, status = await api.call("PUT", f"{SERVICES}/a", service("a", clusterIP="None"))
    assert code == 422 and "may not change once set" in status["message"]


async def test_an_external_name_gives_its_address_back_and_gets_another(api: Api) -> None:
    _, made = await api.call("POST", SERVICES, service("a"))
    external = {"metadata": {"name": "a"}, "spec": {**made["spec"], "type": "ExternalName",
                "externalName": "example.com"}}  # fmt: skip
    code, body = await api.call("PUT", f"{SERVICES}/a", external)
    assert code == 200 and "clusterIP" not in body["spec"] and "ipFamilies" not in body["spec"]
    code, _ = await api.call("POST", SERVICES, service("b", clusterIP=made["spec"]["clusterIP"]))
    assert code == 201
    code, body = await api.call("PUT", f"{SERVICES}/a", service("a"))
    assert code == 200 and body["spec"]["clusterIP"] != made["spec"]["clusterIP"]


async def test_node_ports_are_given_kept_and_refused(api: Api) -> None:
    code, made = await api.call("POST", SERVICES, service("a", type="NodePort"))
    assert code == 201
    (port,) = made["spec"]["ports"]
    assert 30_000 <= port["nodePort"] <= 32_767
    _, again = await api.call("PUT", f"{SERVICES}/a", service("a", type="NodePort"))
    assert again["spec"]["ports"] == [port]
    wanted = [{"port": 80, "nodePort": port["nodePort"]}]
    code, status = await api.call("POST", SERVICES, service("b", type="NodePort", ports=wanted))
    assert code == 422 and "provided port is already allocated" in status["message"]
    wanted = [{"port": 80, "nodePort": 80}]
    code, status = await api.call("POST", SERVICES, service("b", type="NodePort", ports=wanted))
    assert code == 422
    assert "The range of valid ports is 30000-32767" in status["message"]
    _, plain = await api.call("PUT", f"{SERVICES}/a", {**made, "spec": {**made["spec"],
                              "type": "ClusterIP"}})  # fmt: skip
    assert "nodePort" not in plain["spec"]["ports"][0]
    assert "externalTrafficPolicy" not in plain["spec"]


async def test_a_port_of_two_protocols_has_one_node_port(api: Api) -> None:
    ports = [{"name": "t", "port": 53}, {"name": "u", "port": 53, "protocol": "UDP"}]
    _, made = await api.call("POST", SERVICES, service("dns", type="NodePort", ports=ports))
    assert len({port["nodePort"] for port in made["spec"]["ports"]}) == 1


async def test_a_load_balancer_is_stored_and_waits(api: Api) -> None:
    code, made = await api.call("POST", SERVICES, service("a", type="LoadBalancer"))
    assert code == 201
    assert made["spec"]["allocateLoadBalancerNodePorts"] is True
    assert made["spec"]["ports"][0]["nodePort"]
    body = service("b", type="LoadBalancer", externalTrafficPolicy="Local")
    _, local = await api.call("POST", SERVICES, body)
    assert local["spec"]["healthCheckNodePort"] in range(30_000, 32_768)
    body = service("c", type="LoadBalancer", allocateLoadBalancerNodePorts=False)
    _, bare = await api.call("POST", SERVICES, body)
    assert "nodePort" not in bare["spec"]["ports"][0]


async def test_headless_services_have_no_address(api: Api) -> None:
    body = service("a", clusterIP="None", selector={"a": "b"})
    code, made = await api.call("POST", SERVICES, body)
    assert code == 201 and made["spec"]["clusterIPs"] == ["None"]
    assert made["spec"]["ipFamilies"] == ["IPv4"]
    _, alone = await api.call("POST", SERVICES, {"metadata": {"name": "b"},
                              "spec": {"clusterIP": "None"}})  # fmt: skip
    assert alone["spec"]["ipFamilyPolicy"] == "RequireDualStack"
    assert alone["spec"]["ipFamilies"] == ["IPv4", "IPv6"]


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"ipFamilyPolicy": "RequireDualStack"}, "not configured for dual-stack services"),
        ({"ipFamilies": ["IPv6"]}, "not configured on this cluster"),
        ({"clusterIPs": ["127.2.0.7"]}, "must be empty when `clusterIP` is not specified"),
        ({"clusterIP": "fd00::1"}, "IPv6 is not configured on this cluster"),
    ],
)
async def test_families_that_are_not_here_are_refused(
    api: Api, spec: dict[str, Any], problem: str
) -> None:
    code, status = await api.call("POST", SERVICES, service("a", **spec))
    assert code == 422 and problem in status["message"]


async def test_a_full_range_says_so() -> None:
    api = await an_api(MemoryStore(), service_range=IPv4Network("127.2.0.0/29"))
    codes = [(await api.call("POST", SERVICES, service(f"s{i}")))[0] for i in range(6)]
    assert codes == [201] * 5 + [500]  # 8 addresses without the ends and the API server's
