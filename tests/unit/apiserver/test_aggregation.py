"""Groups that other API servers answer, behind Services: asked in the name of who asks."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mizzen.apiserver.http import Request, Stream
from mizzen.base.errors import ApiError
from mizzen.host import pki
from mizzen.host.clock import RealClock
from mizzen.host.home import Home
from mizzen.host.pki import Pki
from mizzen.store.memory import MemoryStore
from support.api_handlers import Api, an_api
from support.other_server import OtherServer, other_server
from support.waiting import until

ADDRESS = "127.77.3.5"
SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
NAME = "v1.other.example.com"
Obj = dict[str, Any]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    home = Home.locate(str(tmp_path_factory.mktemp("pki")), {})
    home.make()
    service = "others.default.svc"
    return pki.ensure(home, RealClock(), listen=service, port=1)


def _answer(request: Obj) -> tuple[int, dict[str, str], bytes] | None:
    if request["target"] == "/apis/other.example.com/v1":
        listed = {"kind": "APIResourceList", "resources": [
            {"name": "things", "singularName": "thing", "namespaced": True, "kind": "Thing",
             "verbs": ["get", "list"], "shortNames": ["th"]},
            {"name": "things/status", "namespaced": True, "kind": "Thing", "verbs": ["get"]},
        ]}  # fmt: skip
        return 200, {}, json.dumps(listed).encode()
    if request["target"] == "/openapi/v3":
        url = "/openapi/v3/apis/other.example.com/v1?hash=X"
        paths = {"apis/other.example.com/v1": {"serverRelativeURL": url}}
        return 200, {}, json.dumps({"paths": paths}).encode()
    return None


class World:
    def __init__(self, api: Api, other: OtherServer, keys: Pki) -> None:
        self.api, self.other, self.keys = api, other, keys

    async def register(self, **spec: Any) -> None:
        ports = [{"port": 443, "targetPort": self.other.port}]
        service = {"metadata": {"name": "others"}, "spec": {"ports": ports}}
        path = "/api/v1/namespaces/default/services"
        assert (await self.api.call("POST", path, service))[0] == 201
        slice_ = {
            "metadata": {"name": "s", "labels": {"kubernetes.io/service-name": "others"}},
            "addressType": "IPv4", "endpoints": [{"addresses": [ADDRESS]}],
            "ports": [{"name": "", "port": self.other.port}],
        }  # fmt: skip
        path = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
        assert (await self.api.call("POST", path, slice_))[0] == 201
        reference = {"name": "others", "namespace": "default"}
        whole = {"group": "other.example.com", "version": "v1", "groupPriorityMinimum": 100,
                 "versionPriority": 10, "service": reference, **spec}  # fmt: skip
        body = {"metadata": {"name": NAME}, "spec": whole}
        code, made = await self.api.call("POST", SERVICES, body)
        assert code == 201, made

    def condition(self) -> Obj:
        stored = self.api.store.list("apiservices.apiregistration.k8s.io").items
        status = stored[0].object().get("status") or {}
        return (status.get("conditions") or [{}])[0]

    async def ask(self, method: str, path: str, body: bytes = b"") -> Any:
        headers = {"authorization": "Bearer test"}
        path, _, query = path.partition("?")
        request = Request(method, path, {}, headers, body, query=query)
        self.api.app.authenticate(request)
        made = await self.api.app.answer(request)
        assert isinstance(made, Stream)
        return json.loads(b"".join([chunk async for chunk in made.chunks]))


@pytest_asyncio.fixture
async def world(keys: Pki, tmp_path: Path) -> AsyncIterator[World]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=keys.front_proxy.ca_file)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(keys.cert_file, keys.key_file)
    async with other_server(ADDRESS, _answer, tls=context) as other:
        api = await an_api(MemoryStore(), front_proxy=keys.front_proxy, ca_file=keys.ca_file)
        task = asyncio.create_task(api.server.aggregation.run())
        try:
            yield World(api, other, keys)
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def test_what_is_asked_goes_on_with_who_asks(world: World) -> None:
    bundle = base64.b64encode(world.keys.ca_file.read_bytes()).decode()
    await world.register(caBundle=bundle)
    await until(lambda: world.condition().get("status") == "True", "it is available")
    told = await world.ask("POST", "/apis/other.example.com/v1/namespaces/d/things?x=1", b"{}")
    assert (told["method"], told["body"]) == ("POST", "{}")
    assert told["target"] == "/apis/other.example.com/v1/namespaces/d/things?x=1"
    assert told["headers"]["x-remote-user"] == "admin"
    assert "authorization" not in told["headers"]


async def test_discovery_and_openapi_are_one(world: World) -> None:
    await world.register(insecureSkipTLSVerify=True)
    await until(lambda: world.condition().get("status") == "True", "it is available")
    call = world.api.call
    _, groups = await call("GET", "/apis")
    assert "other.example.com" in {each["name"] for each in groups["groups"]}
    _, group = await call("GET", "/apis/other.example.com")
    assert group["preferredVersion"]["version"] == "v1"
    listed = await world.ask("GET", "/apis/other.example.com/v1")
    assert listed["resources"][0]["name"] == "things"
    _, paths = await call("GET", "/openapi/v3")
    url = paths["paths"]["apis/other.example.com/v1"]["serverRelativeURL"]
    assert (await world.ask("GET", url))["target"] == url
    found = world.api.app._discovery._version("other.example.com", "v1")  # pyright: ignore[reportPrivateUsage]
    assert found["freshness"] == "Current"
    assert found["resources"][0]["subresources"][0]["subresource"] == "status"


async def test_who_is_not_there_is_told_and_refused(world: World) -> None:
    await world.register(insecureSkipTLSVerify=True)
    await until(lambda: world.condition().get("status") == "True", "it is available")
    await world.api.call("DELETE", "/api/v1/namespaces/default/services/others")
    await until(lambda: world.condition().get("reason") == "ServiceNotFound", "it is told")
    with pytest.raises(ApiError) as caught:
        await world.ask("GET", "/apis/other.example.com/v1/things")
    assert caught.value.code == 503
    await world.api.call("DELETE", f"{SERVICES}/{NAME}")

    async def code() -> int:
        return (await world.api.call("GET", "/apis/other.example.com/v1/things"))[0]

    for _ in range(200):
        if await code() == 404:
            break
        await asyncio.sleep(0)
    assert await code() == 404


async def test_a_change_of_the_registration_interrupts_nobody(world: World) -> None:
    await world.register(insecureSkipTLSVerify=True)
    await until(lambda: world.condition().get("status") == "True", "it is available")
    for priority in (400, 500):
        change = {"spec": {"versionPriority": priority}}
        kind = "application/merge-patch+json"
        path = f"{SERVICES}/{NAME}"
        assert (await world.api.call("PATCH", path, change, content_type=kind))[0] == 200
        for _ in range(5):
            await asyncio.sleep(0)  # it is read, and looked at again
            told = await world.ask("GET", "/apis/other.example.com/v1/things")
            assert "headers" in told


async def test_others_know_by_which_certificate(world: World) -> None:
    path = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
    name = "extension-apiserver-authentication"
    maps = world.api.store.list
    await until(
        lambda: name in {each.key.name for each in maps("configmaps", "kube-system").items},
        "it is told",
    )
    _, told = await world.api.call("GET", path)
    assert told["data"]["requestheader-allowed-names"] == '["front-proxy-client"]'
    assert told["data"]["requestheader-client-ca-file"].startswith("-----BEGIN CERTIFICATE")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": "v2"}, 'must be `spec.version+"."+spec.group`'),
        ({"groupPriorityMinimum": 0}, "must be positive and less than 20000"),
        ({"service": None, "insecureSkipTLSVerify": True}, "local APIServices may not have"),
        ({"service": {"name": "x"}}, "spec.service.namespace: Required value"),
    ],
)
async def test_what_cannot_be_is_refused(change: Obj, said: str) -> None:
    api = await an_api(MemoryStore())
    spec = {"group": "other.example.com", "version": "v1", "groupPriorityMinimum": 100,
            "versionPriority": 10, "service": {"name": "o", "namespace": "d"}, **change}  # fmt: skip
    code, status = await api.call("POST", SERVICES, {"metadata": {"name": NAME}, "spec": spec})
    assert code == 422 and said in status["message"], status
