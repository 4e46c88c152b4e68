"""Each cluster IP has an IPAddress, which comes and goes in the commit of its Service."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from mizzen.apiserver import operations
from mizzen.apiserver.bootstrap import make_services
from mizzen.apiserver.core.stamping import DeleteOptions
from mizzen.apiserver.core.user import API_SERVER
from mizzen.apiserver.ip_addresses import IpAddresses
from mizzen.store.memory import MemoryStore
from support.api_handlers import DEFAULT, Api, an_api

Obj = dict[str, Any]
ADDRESSES = "/apis/networking.k8s.io/v1/ipaddresses"
SERVICES = f"{DEFAULT}/services"


def service(name: str, **spec: Any) -> Obj:
    return {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], **spec}}


async def owners(api: Api) -> dict[str, str]:
    _, found = await api.call("GET", ADDRESSES)
    return {each["metadata"]["name"]: each["spec"]["parentRef"]["name"] for each in found["items"]}


async def test_it_says_whose_the_address_is() -> None:
    api = await an_api(MemoryStore())
    await make_services(api.server)
    status, made = await api.call("POST", SERVICES, service("a"))
    assert status == 201
    address = made["spec"]["clusterIP"]
    revision = made["metadata"]["resourceVersion"]
    _, found = await api.call("GET", f"{ADDRESSES}/{address}")
    assert found["spec"] == {
        "parentRef": {"resource": "services", "namespace": "default", "name": "a"}
    }
    assert found["metadata"]["labels"] == {
        "ipaddress.kubernetes.io/ip-family": "IPv4",
        "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
    }
    assert abs(int(found["metadata"]["resourceVersion"]) - int(revision)) == 1, "one commit"
    assert sorted((await owners(api)).values()) == ["a", "kubernetes"]
    assert (await api.call("DELETE", f"{SERVICES}/a"))[0] == 200
    assert sorted((await owners(api)).values()) == ["kubernetes"]


async def test_a_dry_run_and_a_headless_service_have_none() -> None:
    api = await an_api(MemoryStore())
    assert (await api.call("POST", f"{SERVICES}?dryRun=All", service("a")))[0] == 201
    assert (await api.call("POST", SERVICES, service("b", clusterIP="None")))[0] == 201
    assert await owners(api) == {}


async def test_a_change_of_type_gives_the_address_back() -> None:
    api = await an_api(MemoryStore())
    _, made = await api.call("POST", SERVICES, service("a"))
    address = made["spec"]["clusterIP"]
    for name in ("clusterIP", "clusterIPs"):
        del made["spec"][name]
    made["spec"].update(type="ExternalName", externalName="example.com")
    status, made = await api.call("PUT", f"{SERVICES}/a", made)
    assert status == 200 and await owners(api) == {}
    assert (await api.call("POST", SERVICES, service("b", clusterIP=address)))[0] == 201
    assert await owners(api) == {address: "b"}


async def test_an_address_of_something_else_is_given_to_no_service() -> None:
    api = await an_api(MemoryStore())
    _, made = await api.call("POST", SERVICES, service("a"))
    address = made["spec"]["clusterIP"]
    await api.call("DELETE", f"{SERVICES}/a")
    reference = {"resource": "gateways", "group": "example.com", "name": "g"}
    body = {"metadata": {"name": address}, "spec": {"parentRef": reference}}
    assert (await api.call("POST", ADDRESSES, body))[0] == 201
    status, told = await api.call("POST", SERVICES, service("b", clusterIP=address))
    assert status == 422 and "already allocated" in told["message"], told
    _, made = await api.call("POST", SERVICES, service("a"))
    assert made["spec"]["clusterIP"] != address


async def test_what_is_deleted_or_left_over_is_put_right() -> None:
    api = await an_api(MemoryStore())
    _, made = await api.call("POST", SERVICES, service("a"))
    address = made["spec"]["clusterIP"]
    task = asyncio.create_task(IpAddresses(api.server).run())
    await asyncio.sleep(0)
    assert (await api.call("DELETE", f"{ADDRESSES}/{address}"))[0] == 200
    async with asyncio.timeout(5):
        while await owners(api) != {address: "a"}:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert (await api.call("DELETE", f"{ADDRESSES}/{address}"))[0] == 200
    stale = {
        "metadata": {"name": "127.9.9.9", "labels": {
            "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
        }},
        "spec": {"parentRef": {"resource": "services", "namespace": "default", "name": "gone"}},
    }  # fmt: skip
    assert (await api.call("POST", ADDRESSES, stale))[0] == 201
    await make_services(api.server)
    found = await owners(api)
    assert found.pop(address) == "a"
    assert list(found.values()) == ["kubernetes"]


async def test_an_address_that_one_commit_takes_from_one_and_gives_to_another_is_the_others() -> (
    None
):
    api = await an_api(MemoryStore())
    _, made = await api.call("POST", SERVICES, service("a"))
    address = made["spec"]["clusterIP"]
    task = asyncio.create_task(IpAddresses(api.server).run())
    await asyncio.sleep(0)
    served = api.server.catalog.by_place(("", "services"))
    assert served is not None
    draft = api.server.draft(API_SERVER)
    operations.delete(draft, served, "default", "a", DeleteOptions())
    operations.create(draft, served, "default", service("b", clusterIP=address))
    done = draft.commit()
    assert done is not None
    await done
    async with asyncio.timeout(5):
        while await owners(api) != {address: "b"}:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
