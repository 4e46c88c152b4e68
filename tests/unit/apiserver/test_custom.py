"""When a definition's new default shows: on every object that was written without it, no other."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mizzen.apiserver.collector import Collector
from mizzen.apiserver.core.user import User
from mizzen.apiserver.custom import CustomKinds
from mizzen.apiserver.operations import create
from mizzen.base.resources import Resource
from mizzen.store.memory import MemoryStore
from mizzen.store.store import ObjectKey, Put
from support import waiting
from support.api_handlers import DEFAULT, Api, an_api
from support.custom_kinds import definition

THINGS = Resource("example.com", "v1", "things", "Thing", namespaced=True)
CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
PATH = "/apis/example.com/v1/namespaces/default/things"
TYPE = {"apiVersion": "example.com/v1", "kind": "Thing"}
MERGE = "application/merge-patch+json"
SCHEMA = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def with_default(value: Any) -> dict[str, Any]:
    return {**SCHEMA, "properties": {"n": {"type": "integer", "default": value}}}


async def serving(store: MemoryStore) -> tuple[Api, CustomKinds]:
    """A server that has just started, and notices definitions only when it is told to `load`."""
    api = await an_api(store)
    custom = CustomKinds(api.server)
    await custom.load()
    return api, custom


async def define(api: Api, schema: dict[str, Any]) -> None:
    crd = definition(THINGS)
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = schema
    status, answer = await api.call("POST", CRD, crd)
    if status == 409:
        spec = {"spec": crd["spec"]}
        status, answer = await api.call(
            "PATCH", f"{CRD}/things.example.com", spec, content_type=MERGE
        )
    assert status in (200, 201), answer


async def others_write(api: Api, count: int) -> None:
    writes = [
        Put(ObjectKey("configmaps", "default", f"c{n}"), {"metadata": {"name": f"c{n}"}}, "create")
        for n in range(count)
    ]
    await api.store.commit(writes, identity="x", now_ns=1)


async def make(api: Api, name: str, **metadata: Any) -> dict[str, Any]:
    status, made = await api.call("POST", PATH, {**TYPE, "metadata": {"name": name, **metadata}})
    assert status == 201, made
    return made


async def shown(api: Api, name: str) -> Any:
    status, found = await api.call("GET", f"{PATH}/{name}")
    assert status == 200
    return found.get("n")


@pytest.mark.parametrize("restarted", [False, True])
async def test_however_late_a_new_default_is_noticed(restarted: bool) -> None:
    store = MemoryStore()
    api, custom = await serving(store)
    await define(api, SCHEMA)
    await custom.load()
    await define(api, with_default(7))
    await others_write(api, 6000)
    await make(api, "old")  # the former schema is what is served yet
    assert await shown(api, "old") is None
    if restarted:
        api, custom = await serving(store)
    else:
        await custom.load()
    assert await shown(api, "old") == 7


async def test_a_write_that_is_still_on_its_way_counts_too() -> None:
    api, custom = await serving(MemoryStore())
    await define(api, SCHEMA)
    await custom.load()
    await define(api, with_default(7))
    draft = api.server.draft(User("admin"))
    served = api.server.catalog.find("example.com", "v1", "things")
    assert served is not None
    create(draft, served, "default", {"metadata": {"name": "old"}})
    written = draft.commit()
    await custom.load()
    assert written is not None
    await written
    assert await shown(api, "old") == 7


async def test_newer_objects_are_read_as_they_lie() -> None:
    store = MemoryStore()
    api, custom = await serving(store)
    await define(api, with_default(7))
    await custom.load()
    await others_write(api, 100)
    made = await make(api, "new")
    served = api.server.catalog.find("example.com", "v1", "things")
    assert served is not None
    assert served.complete_after < int(made["metadata"]["resourceVersion"])


async def test_a_definition_is_as_its_writers_made_it() -> None:
    api, custom = await serving(MemoryStore())
    await define(api, with_default(7))
    await custom.load()
    crd = (await api.call("GET", f"{CRD}/things.example.com"))[1]
    assert "finalizers" not in crd["metadata"]
    owners = {each["manager"]: each for each in crd["metadata"]["managedFields"]}
    fields = owners["kube-apiserver"]["fieldsV1"]["f:status"]
    assert owners["kube-apiserver"]["subresource"] == "status"
    assert set(fields) == {"f:acceptedNames", "f:conditions"}
    _, marked = await api.call("DELETE", f"{CRD}/things.example.com")
    assert marked["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    assert marked["status"]["conditions"][-1]["reason"] == "InstanceDeletionPending"
    await custom.load()
    assert (await api.call("GET", f"{CRD}/things.example.com"))[0] == 404


async def test_what_the_collector_writes_has_the_default_too() -> None:
    store = MemoryStore()
    api, custom = await serving(store)
    await define(api, SCHEMA)
    await custom.load()
    owners: list[dict[str, Any]] = []
    for name in ("a", "b"):
        _, made = await api.call("POST", f"{DEFAULT}/configmaps", {"metadata": {"name": name}})
        owners.append({"apiVersion": "v1", "kind": "ConfigMap", "name": name,
                       "uid": made["metadata"]["uid"]})  # fmt: skip
    await make(api, "old", ownerReferences=owners)
    await define(api, with_default(7))
    await custom.load()
    collecting = asyncio.create_task(Collector(api.server).run())
    try:
        await api.call("DELETE", f"{DEFAULT}/configmaps/a")
        key = ObjectKey("things.example.com", "default", "old")

        def has_one_owner() -> bool:
            stored = store.get(key)
            return stored is not None and len(stored.object()["metadata"]["ownerReferences"]) == 1

        await waiting.until(has_one_owner, "the owner that is gone is forgotten", 30)
    finally:
        collecting.cancel()
        await asyncio.gather(collecting, return_exceptions=True)
    assert await shown(api, "old") == 7


async def test_a_definition_stored_with_a_default_that_does_not_fit_can_be_mended() -> None:
    """As one was before defaults were checked."""
    store = MemoryStore()
    api, custom = await serving(store)
    await define(api, SCHEMA)
    await custom.load()
    key = ObjectKey("customresourcedefinitions.apiextensions.k8s.io", "", "things.example.com")
    stored = store.get(key)
    assert stored is not None
    crd = stored.object()
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = with_default("seven")
    await store.commit([Put(key, crd, "update", stored.revision)], identity="x", now_ns=1)
    await custom.load()
    path = f"{CRD}/things.example.com"
    label = {"metadata": {"labels": {"a": "b"}}}
    assert (await api.call("PATCH", path, label, content_type=MERGE))[0] == 200
    column = {"name": "N", "type": "integer", "jsonPath": ".n"}
    change = [{"op": "add", "path": "/spec/versions/0/additionalPrinterColumns", "value": [column]}]
    json_patch = "application/json-patch+json"
    assert (await api.call("PATCH", path, change, content_type=json_patch))[0] == 200
    worse = [{"op": "add", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/m",
              "value": {"type": "integer", "default": "eight"}}]  # fmt: skip
    status, answer = await api.call("PATCH", path, worse, content_type=json_patch)
    assert status == 422 and "properties[m].default" in answer["message"]
    await define(api, with_default(7))
    await custom.load()
    made = await make(api, "new")
    assert made["n"] == 7


async def test_two_definitions_cannot_have_one_kind() -> None:
    store = MemoryStore()
    api, custom = await serving(store)
    await define(api, SCHEMA)
    await custom.load()
    second = definition(Resource("example.com", "v1", "others", "Thing", namespaced=True))
    assert (await api.call("POST", CRD, second))[0] == 201
    third = definition(Resource("example.com", "v1", "more", "More", namespaced=True))
    third["spec"]["names"]["shortNames"] = ["thing"]
    assert (await api.call("POST", CRD, third))[0] == 201

    async def accepted(custom: CustomKinds) -> dict[str, str]:
        await custom.load()
        found: dict[str, str] = {}
        for item in (await api.call("GET", CRD))[1]["items"]:
            (names,) = [c for c in item["status"]["conditions"] if c["type"] == "NamesAccepted"]
            found[item["spec"]["names"]["plural"]] = names["status"]
        return found

    expected = {"things": "True", "others": "False", "more": "False"}
    assert await accepted(custom) == expected
    assert (await api.call("GET", "/apis/example.com/v1/others"))[0] == 404
    # A server that starts anew, which finds them in the order of their names, says the same.
    api = await an_api(store)
    assert await accepted(CustomKinds(api.server)) == expected


async def test_a_name_that_is_given_up_goes_to_who_wants_it() -> None:
    store = MemoryStore()
    api, custom = await serving(store)
    running = asyncio.create_task(custom.run())
    try:
        await define(api, SCHEMA)
        second = definition(Resource("example.com", "v1", "others", "Thing", namespaced=True))

        def is_served(plural: str) -> bool:
            return api.server.catalog.find("example.com", "v1", plural) is not None

        await waiting.until(lambda: is_served("things"), "things are served")
        assert (await api.call("POST", CRD, second))[0] == 201
        await api.call("DELETE", f"{CRD}/things.example.com")
        await waiting.until(lambda: is_served("others"), "others are served")
        assert not is_served("things")
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
