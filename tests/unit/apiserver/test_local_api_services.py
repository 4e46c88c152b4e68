"""What this server answers itself has APIServices, which are put right, and taken by who wants one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from mizzen.apiserver.custom import CustomKinds
from mizzen.apiserver.local_api_services import LocalApiServices
from mizzen.base.resources import Resource
from mizzen.store.memory import MemoryStore
from support.api_handlers import Api, an_api
from support.custom_kinds import definition

Obj = dict[str, Any]
SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MERGE = "application/merge-patch+json"
MANAGED = "kube-aggregator.kubernetes.io/automanaged"
LOCAL = {
    "type": "Available", "status": "True", "reason": "Local",
    "message": "Local APIServices are always available",
}  # fmt: skip


@contextlib.asynccontextmanager
async def running(api: Api) -> AsyncIterator[None]:
    kinds = CustomKinds(api.server)  # without it, no definition is ever gone
    await kinds.load()
    tasks = [asyncio.create_task(each.run()) for each in (kinds, LocalApiServices(api.server))]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def until(api: Api, name: str, holds: Callable[[int, Obj], bool]) -> Obj:
    async with asyncio.timeout(10):
        while True:
            status, found = await api.call("GET", f"{SERVICES}/{name}")
            if holds(status, found):
                return found
            await asyncio.sleep(0.01)


def is_there(status: int, found: Obj) -> bool:
    return status == 200


def is_gone(status: int, found: Obj) -> bool:
    return status == 404


async def test_each_version_of_a_group_has_one() -> None:
    api = await an_api(MemoryStore())
    async with running(api):
        found = await until(api, "v2.autoscaling", is_there)
        assert found["spec"] == {
            "group": "autoscaling", "version": "v2", "groupPriorityMinimum": 17500,
            "versionPriority": 30,
        }  # fmt: skip
        assert found["metadata"]["labels"] == {MANAGED: "onstart"}
        (condition,) = found["status"]["conditions"]
        assert condition.items() >= LOCAL.items()
        core = await until(api, "v1.", is_there)
        assert "group" not in core["spec"]
        _, all_ = await api.call("GET", SERVICES)
        names = {each["metadata"]["name"] for each in all_["items"]}
        assert "v1.apps" in names and "v1.apiregistration.k8s.io" not in names


async def test_what_was_changed_is_put_right_when_the_server_starts() -> None:
    api = await an_api(MemoryStore())
    async with running(api):
        for name in ("v1.apps", "v1.batch", "v1.policy"):
            await until(api, name, is_there)
        patch = {"spec": {"versionPriority": 3}}
        await api.call("PATCH", f"{SERVICES}/v1.apps", patch, content_type=MERGE)
        await api.call("DELETE", f"{SERVICES}/v1.batch")
    taken = {"metadata": {"labels": None}, "spec": {"versionPriority": 4}}
    await api.call("PATCH", f"{SERVICES}/v1.policy", taken, content_type=MERGE)
    _, found = await api.call("GET", f"{SERVICES}/v1.apps")
    assert found["spec"]["versionPriority"] == 3
    async with running(api):
        await until(api, "v1.batch", is_there)
        await until(api, "v1.apps", lambda _, found: found["spec"]["versionPriority"] == 15)
        _, found = await api.call("GET", f"{SERVICES}/v1.policy")
        assert found["spec"]["versionPriority"] == 4, "who takes the label off keeps it"


async def test_custom_kinds_have_theirs_for_as_long_as_they_are_served() -> None:
    api = await an_api(MemoryStore())
    crd = definition(Resource("example.com", "v7", "things", "Thing", namespaced=True))
    async with running(api):
        assert (await api.call("POST", CRDS, crd))[0] == 201
        found = await until(api, "v7.example.com", is_there)
        assert found["metadata"]["labels"] == {MANAGED: "true"}
        assert (found["spec"]["groupPriorityMinimum"], found["spec"]["versionPriority"]) == (
            1000, 100,
        )  # fmt: skip
        await api.call("DELETE", f"{SERVICES}/v7.example.com")
        await until(api, "v7.example.com", is_there)
        await api.call("DELETE", f"{CRDS}/things.example.com")
        await until(api, "v7.example.com", is_gone)
