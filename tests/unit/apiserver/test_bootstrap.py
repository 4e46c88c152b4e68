"""The Service `kubernetes` is there from the start, and Services follow their range."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from mizzen.apiserver.bootstrap import make_services
from mizzen.apiserver.context import SERVICE_RANGE_DEFAULT
from mizzen.store.memory import MemoryStore
from support.api_handlers import DEFAULT, an_api

KUBERNETES = f"{DEFAULT}/services/kubernetes"


async def test_the_first_address_is_the_api_servers_own() -> None:
    api = await an_api(MemoryStore())
    await make_services(api.server)
    code, service = await api.call("GET", KUBERNETES)
    assert code == 200 and service["spec"]["clusterIP"] == str(SERVICE_RANGE_DEFAULT[1])
    (port,) = service["spec"]["ports"]
    assert port["name"] == "https" and port["targetPort"] == api.server.config.port
    assert service["metadata"]["labels"] == {"component": "apiserver", "provider": "kubernetes"}
    ranges = "/apis/networking.k8s.io/v1/servicecidrs/kubernetes"
    _, made = await api.call("GET", ranges)
    assert made["spec"]["cidrs"] == [str(SERVICE_RANGE_DEFAULT)]
    assert made["status"]["conditions"][0]["status"] == "True"
    await make_services(api.server)
    assert (await api.call("GET", ranges))[1] == made
    assert (await api.call("GET", KUBERNETES))[1] == service  # nothing is written again


async def test_services_follow_the_instance_to_another_range() -> None:
    store = MemoryStore()
    before = await an_api(store)
    await make_services(before.server)
    path = f"{DEFAULT}/services"
    for name in ("a", "b"):
        await before.call(
            "POST", path, {"metadata": {"name": name}, "spec": {"ports": [{"port": 1}]}}
        )
    headless = {"metadata": {"name": "h"}, "spec": {"clusterIP": "None"}}
    await before.call("POST", path, headless)
    network = IPv4Network("127.7.0.0/24")
    after = await an_api(store, service_range=network)
    await make_services(after.server)
    _, listed = await after.call("GET", path)
    found = {each["metadata"]["name"]: each["spec"]["clusterIP"] for each in listed["items"]}
    assert found["kubernetes"] == "127.7.0.1" and found.pop("h") == "None"
    assert len(set(found.values())) == 3
    ranges = "/apis/networking.k8s.io/v1/servicecidrs/kubernetes"
    assert (await before.call("GET", ranges))[1]["spec"]["cidrs"] == ["127.7.0.0/24"]
    assert all(IPv4Address(each) in network for each in found.values())
