"""Watches of kinds that come and go while somebody watches."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from mizzen.apiserver.custom import CustomKinds
from mizzen.base.resources import Resource
from mizzen.store.memory import MemoryStore
from support import waiting
from support.api_handlers import Api, an_api
from support.custom_kinds import definition

THINGS = Resource("example.com", "v1", "things", "Thing", namespaced=True)
PATH = "/apis/example.com/v1/namespaces/default/things"
TYPE = {"apiVersion": "example.com/v1", "kind": "Thing"}
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CRD = f"{CRDS}/things.example.com"


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    made = await an_api(MemoryStore())
    custom = CustomKinds(made.server)
    await custom.load()
    task = asyncio.create_task(custom.run())
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def is_served(api: Api, path: str = PATH, code: int = 200) -> None:
    for _ in range(1000):
        if (await api.call("GET", path))[0] == code:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"{path} is not answered with {code}")


async def told(chunks: AsyncIterator[bytes]) -> list[Any]:
    """Everything until the watch ends."""
    async with asyncio.timeout(10):
        text = b"".join([chunk async for chunk in chunks])
    return [json.loads(line) for line in text.splitlines()]


async def test_a_watch_from_the_first_moment_of_a_kind_sees_its_first_object(api: Api) -> None:
    for life in range(2):
        assert (await api.call("POST", CRDS, definition(THINGS)))[0] == 201
        await is_served(api)
        chunks = await api.watch(PATH)
        assert await anext(chunks) == b""
        assert (await api.call("POST", PATH, {**TYPE, "metadata": {"name": "first"}}))[0] == 201
        event = json.loads(await anext(chunks))
        assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "first")
        _, listed = await api.call("GET", PATH)
        assert [item["metadata"]["name"] for item in listed["items"]] == ["first"], life
        assert (await api.call("DELETE", CRD))[0] == 200
        await is_served(api, code=404)
        # Its objects' deletions are told, then it ends: nothing of the next life is.
        assert [event["type"] for event in await told(chunks)] == ["DELETED"]


async def test_a_watch_outlives_a_changed_schema_but_not_its_version(api: Api) -> None:
    crd = definition(THINGS)
    versions = crd["spec"]["versions"]
    versions.append({**versions[0], "name": "v2", "storage": False})
    assert (await api.call("POST", CRDS, crd))[0] == 201
    newer = PATH.replace("v1", "v2")
    await is_served(api, newer)
    kept, ended = await api.watch(PATH), await api.watch(newer)
    assert await anext(kept) == await anext(ended) == b""
    versions[1]["served"] = False
    patch = {"spec": {"versions": versions}}
    kind = "application/merge-patch+json"
    assert (await api.call("PATCH", CRD, patch, content_type=kind))[0] == 200
    assert await told(ended) == []
    assert (await api.call("POST", PATH, {**TYPE, "metadata": {"name": "a"}}))[0] == 201
    assert json.loads(await anext(kept))["type"] == "ADDED"
    assert api.store.statistics()["watchers"] == 2
    await kept.aclose()  # type: ignore[attr-defined]
    await waiting.until(lambda: api.store.statistics()["watchers"] == 1, "it is closed")


async def test_watchers_of_one_class_are_told_what_is_theirs(api: Api) -> None:
    """Some follow a namespace, some all of them: what is encoded for one may serve another."""
    for name in ("a", "b"):
        await api.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    since = api.store.revision
    paths = {"": "/api/v1/configmaps", "a": "/api/v1/namespaces/a/configmaps",
             "b": "/api/v1/namespaces/b/configmaps"}  # fmt: skip
    streams = [
        (name, await api.watch(f"{path}?resourceVersion={since}"))
        for name, path in paths.items()
        for _ in range(2)
    ]
    for _, stream in streams:
        await anext(stream)
    rounds = ["a", "ab", "ba", "b", "aab"]
    for number, names in enumerate(rounds):
        made = [(f"m{number}-{index}", name) for index, name in enumerate(names)]
        await asyncio.gather(
            *(
                api.call("POST", f"/api/v1/namespaces/{name}/configmaps", {"metadata": {"name": m}})
                for m, name in made
            )
        )
        for wanted, stream in streams:
            mine = [m for m, name in made if wanted in ("", name)]
            lines = (await anext(stream)).splitlines() if mine else []
            assert [json.loads(line)["object"]["metadata"]["name"] for line in lines] == mine
    for _, stream in streams:
        await stream.aclose()  # type: ignore[attr-defined]
    assert not api.server.watched


async def lines(chunks: AsyncIterator[bytes], count: int) -> list[Any]:
    """The first events of a watch."""
    found: list[Any] = []
    async with asyncio.timeout(10):
        while len(found) < count:
            found += [json.loads(line) for line in (await anext(chunks)).splitlines()]
    return found


PODS = "/api/v1/namespaces/default/pods"


async def test_a_pod_is_told_to_be_leaving_before_it_is_gone(api: Api) -> None:
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a", "image": "a"}]}}
    assert (await api.call("POST", PODS, pod))[0] == 201
    chunks = await api.watch(PODS)
    assert (await api.call("DELETE", f"{PODS}/p"))[0] == 200
    added, marked, gone = await lines(chunks, 3)
    assert [each["type"] for each in (added, marked, gone)] == ["ADDED", "MODIFIED", "DELETED"]
    last, before = gone["object"]["metadata"], marked["object"]["metadata"]
    assert before["deletionTimestamp"]
    assert int(last["resourceVersion"]) == int(before["resourceVersion"]) + 1
    assert {**last, "resourceVersion": ""} == {**before, "resourceVersion": ""}


async def test_what_leaves_a_selection_is_told_as_it_was(api: Api) -> None:
    maps = "/api/v1/namespaces/default/configmaps"
    body = {"metadata": {"name": "m", "labels": {"a": "1"}}}
    assert (await api.call("POST", maps, body))[0] == 201
    chunks = await api.watch(f"{maps}?labelSelector=a")
    change = {"metadata": {"labels": {"a": None}}}
    merge = "application/merge-patch+json"
    _, changed = await api.call("PATCH", f"{maps}/m", change, content_type=merge)
    _, left = await lines(chunks, 2)
    metadata = left["object"]["metadata"]
    assert (left["type"], metadata["labels"]) == ("DELETED", {"a": "1"})
    assert metadata["resourceVersion"] == changed["metadata"]["resourceVersion"]


async def test_a_watch_that_begins_with_what_is_there_marks_its_end(api: Api) -> None:
    chunks = await api.watch(f"{PODS}?allowWatchBookmarks=true")
    (mark,) = await lines(chunks, 1)
    assert mark["type"] == "BOOKMARK"
    shown = mark["object"]
    assert shown["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert (shown["spec"], shown["status"]) == ({"containers": None}, {})
