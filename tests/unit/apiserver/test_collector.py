"""What follows a deletion, with the collector at work over a store in memory."""

from __future__ import annotations

import asyncio
import contextlib
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from mizzen.apiserver.collector import Collector
from mizzen.apiserver.custom import CustomKinds
from mizzen.base.resources import Resource
from mizzen.store import state, watchers
from mizzen.store.memory import MemoryStore
from mizzen.store.store import ObjectKey, Put
from support import waiting
from support.api_handlers import DEFAULT, Api, an_api
from support.custom_kinds import definition

CORE = "/api/v1/namespaces"
THINGS = Resource("example.com", "v1", "things", "Thing", namespaced=True)
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WAIT_S = 30


@contextlib.asynccontextmanager
async def collecting(store: MemoryStore) -> AsyncIterator[Api]:
    """As `run.serve` does, without HTTP."""
    api = await an_api(store)
    custom = CustomKinds(api.server)
    await custom.load()
    tasks = [asyncio.create_task(custom.run()), asyncio.create_task(Collector(api.server).run())]
    try:
        yield api
        for task in tasks:
            assert not task.done(), task.exception()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    async with collecting(MemoryStore()) as made:
        yield made


async def until(is_so: Callable[[], bool]) -> None:
    await waiting.until(is_so, "the collector is done", WAIT_S)


async def settled(api: Api) -> None:
    """Until nothing has been written for a while of the loop's own turns."""
    quiet = 0
    while quiet < 50:
        before = api.store.revision
        await asyncio.sleep(0)
        quiet = quiet + 1 if api.store.revision == before else 0


def count(api: Api, resource: str, namespace: str = "") -> int:
    return len(api.store.list(resource, namespace).items)


async def make(api: Api, path: str, name: str, *owners: Any, **fields: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name}
    if owners:
        metadata["ownerReferences"] = list(owners)
    metadata.update(fields.pop("metadata", {}))
    status, made = await api.call("POST", path, {"metadata": metadata, **fields})
    assert status == 201, made
    return made


def owner(obj: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "name": obj["metadata"]["name"],
            "uid": obj["metadata"]["uid"], **changes}  # fmt: skip


async def fill(api: Api, number: int, namespace: str = "default", *owners: Any) -> None:
    for first in range(0, number, 1000):
        await api.plan(
            *(
                {"op": "create", "resource": "configmaps",
                 "object": {"apiVersion": "v1", "metadata": {
                     "name": f"m{n}", "namespace": namespace, "ownerReferences": list(owners)}}}
                for n in range(first, min(first + 1000, number))
            )
        )  # fmt: skip


async def test_what_has_no_namespace_outlives_an_owner_that_has(api: Api) -> None:
    mine = await make(api, f"{DEFAULT}/configmaps", "own")
    await make(api, CORE, "v", owner(mine))
    await make(api, f"{CORE}/v/configmaps", "inside")
    await settled(api)
    assert (await api.call("GET", f"{CORE}/v/configmaps/inside"))[0] == 200
    assert (await api.call("DELETE", f"{DEFAULT}/configmaps/own"))[0] == 200
    await settled(api)
    status, namespace = await api.call("GET", f"{CORE}/v")
    assert status == 200 and "deletionTimestamp" not in namespace["metadata"]


async def test_an_owner_in_a_version_that_is_not_served_counts_as_alive(api: Api) -> None:
    mine = await make(api, f"{DEFAULT}/configmaps", "own")
    await make(api, f"{DEFAULT}/configmaps", "kept", owner(mine, apiVersion="v9"))
    await make(api, f"{DEFAULT}/configmaps", "gone", owner(mine))
    assert (await api.call("DELETE", f"{DEFAULT}/configmaps/own"))[0] == 200
    await until(lambda: count(api, "configmaps", "default") == 1)
    await settled(api)
    assert (await api.call("GET", f"{DEFAULT}/configmaps/kept"))[0] == 200


async def test_foreground_deletion_asked_for_twice_ends(api: Api) -> None:
    path = f"{DEFAULT}/serviceaccounts"
    others = count(api, "serviceaccounts")
    await make(api, path, "a", metadata={"finalizers": ["example.com/x"]})
    for _ in range(2):
        body = {"propagationPolicy": "Foreground"}
        assert (await api.call("DELETE", f"{path}/a", body))[0] == 200
        await settled(api)
    _, found = await api.call("GET", f"{path}/a")
    assert found["metadata"]["finalizers"] == ["example.com/x"]
    nothing = {"metadata": {"finalizers": None}}
    kind = "application/merge-patch+json"
    assert (await api.call("PATCH", f"{path}/a", nothing, content_type=kind))[0] == 200
    await until(lambda: count(api, "serviceaccounts") == others)


async def test_an_owner_waits_for_none_that_another_keeps(api: Api) -> None:
    path = f"{DEFAULT}/configmaps"
    goes, stays = [await make(api, path, name) for name in ("goes", "stays")]
    both = [owner(goes, blockOwnerDeletion=True), owner(stays)]
    for name, owners in (("shared", both), ("own", both[:1])):
        await make(api, path, name, metadata={"ownerReferences": owners})
    await settled(api)
    body = {"propagationPolicy": "Foreground"}
    assert (await api.call("DELETE", f"{path}/goes", body))[0] == 200
    await until(lambda: count(api, "configmaps", "default") == 2)
    _, shared = await api.call("GET", f"{path}/shared")
    assert [each["name"] for each in shared["metadata"]["ownerReferences"]] == ["stays"]
    assert "deletionTimestamp" not in shared["metadata"]


@pytest.mark.parametrize("changes", [None, {"blockOwnerDeletion": False}])
async def test_who_lets_go_of_an_owner_that_waits_for_it_wakes_it(api: Api, changes: Any) -> None:
    path = f"{DEFAULT}/configmaps"
    goes = await make(api, path, "goes")
    blocking = owner(goes, blockOwnerDeletion=True)
    await make(api, path, "held", blocking, metadata={"finalizers": ["example.com/x"]})
    await settled(api)
    body = {"propagationPolicy": "Foreground"}
    assert (await api.call("DELETE", f"{path}/goes", body))[0] == 200
    await settled(api)
    assert count(api, "configmaps", "default") == 2
    left = [owner(goes, **changes)] if changes else None
    patch = {"metadata": {"ownerReferences": left}}
    merge = "application/merge-patch+json"
    assert (await api.call("PATCH", f"{path}/held", patch, content_type=merge))[0] == 200
    await settled(api)
    assert (await api.call("GET", f"{path}/goes"))[0] == 404


async def test_a_circle_of_owners_is_no_deadlock(api: Api) -> None:
    path = f"{DEFAULT}/configmaps"
    made = [await make(api, path, name) for name in ("a", "b", "c")]
    for index, each in enumerate(made):
        blocking = owner(made[index - 1], blockOwnerDeletion=True, controller=True)
        patch = {"metadata": {"ownerReferences": [blocking]}}
        merge = "application/merge-patch+json"
        where = f"{path}/{each['metadata']['name']}"
        assert (await api.call("PATCH", where, patch, content_type=merge))[0] == 200
    body = {"propagationPolicy": "Foreground"}
    assert (await api.call("DELETE", f"{path}/a", body))[0] == 200
    await until(lambda: count(api, "configmaps", "default") == 0)


async def test_a_namespace_waits_for_the_finalizers_of_others(api: Api) -> None:
    made = (await api.call("POST", CORE, {"metadata": {"name": "held"}}))[1]
    held = [*made["spec"]["finalizers"], "example.com/mine"]
    code, told = await api.call(
        "PUT", f"{CORE}/held/finalize", {**made, "spec": {"finalizers": held}}
    )
    assert (code, told["spec"]["finalizers"]) == (200, ["kubernetes", "example.com/mine"])
    assert told["status"] == made["status"]
    code, _ = await api.call(
        "PUT", f"{CORE}/held/finalize", {**told, "spec": {"finalizers": ["x"]}}
    )
    assert code == 422
    assert (await api.call("DELETE", f"{CORE}/held"))[0] == 200
    await settled(api)
    _, left = await api.call("GET", f"{CORE}/held")
    assert left["spec"]["finalizers"] == ["example.com/mine"]
    assert (await api.call("PUT", f"{CORE}/held", {**left, "spec": {}}))[1]["spec"] == left["spec"]
    _, left = await api.call("GET", f"{CORE}/held")
    assert (await api.call("PUT", f"{CORE}/held/finalize", {**left, "spec": {}}))[0] == 200
    assert (await api.call("GET", f"{CORE}/held"))[0] == 404


async def test_a_namespace_says_what_it_waits_for(api: Api) -> None:
    await make(api, CORE, "t")
    await make(api, f"{CORE}/t/configmaps", "held", metadata={"finalizers": ["example.com/x"]})
    await make(api, f"{CORE}/t/secrets", "free")
    assert (await api.call("DELETE", f"{CORE}/t"))[0] == 200
    await until(lambda: not count(api, "secrets", "t"))
    await settled(api)
    _, namespace = await api.call("GET", f"{CORE}/t")
    told = {c["type"]: c for c in namespace["status"]["conditions"]}
    assert "configmaps. has 1 resource" in told["NamespaceContentRemaining"]["message"]
    assert "example.com/x in 1 resource" in told["NamespaceFinalizersRemaining"]["message"]
    status, answer = await api.call("POST", f"{CORE}/t/configmaps", {"metadata": {"name": "new"}})
    assert status == 403
    assert answer["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    await api.call("PUT", f"{CORE}/t", {"metadata": {"name": "t"}, "spec": {"finalizers": []}})
    assert (await api.call("GET", f"{CORE}/t"))[0] == 200
    nothing = {"metadata": {"finalizers": None}}
    kind = "application/merge-patch+json"
    await api.call("PATCH", f"{CORE}/t/configmaps/held", nothing, content_type=kind)
    await until(lambda: count(api, "namespaces") == 5)
    await make(api, CORE, "t")
    await make(api, f"{CORE}/t/configmaps", "held")
    await settled(api)
    assert count(api, "configmaps", "t") == 1


@pytest.mark.parametrize("way", ["collection", "namespace", "owner", "definition"])
async def test_many_deletions_at_once_stop_nobody(
    api: Api, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchers, "QUEUE_EVENTS", 100)  # everybody lags
    number = 2000
    resource, namespace = "configmaps", "default"
    if way == "collection":
        await fill(api, number)
        assert (await api.call("DELETE", f"{DEFAULT}/configmaps"))[0] == 200
    elif way == "namespace":
        namespace = "t"
        await make(api, CORE, "t")
        await fill(api, number, "t")
        assert (await api.call("DELETE", f"{CORE}/t"))[0] == 200
    elif way == "owner":
        mine = await make(api, f"{DEFAULT}/configmaps", "own")
        await fill(api, number, "default", owner(mine, blockOwnerDeletion=True))
        body = {"propagationPolicy": "Foreground"}
        assert (await api.call("DELETE", f"{DEFAULT}/configmaps/own", body))[0] == 200
    else:
        resource = "things.example.com"
        assert (await api.call("POST", CRDS, definition(THINGS)))[0] == 201
        await until(lambda: api.server.catalog.by_key(resource) is not None)
        for first in (0, 1000):
            await api.plan(
                *(
                    {"op": "create", "resource": "things", "object": {
                        "apiVersion": "example.com/v1",
                        "metadata": {"name": f"t{n}", "namespace": "default"}}}
                    for n in range(first, first + 1000)
                )
            )  # fmt: skip
        assert (await api.call("DELETE", f"{CRDS}/things.example.com"))[0] == 200
        await until(lambda: api.server.catalog.by_key(resource) is None)
    await until(lambda: not count(api, resource, namespace))
    if way == "namespace":
        await until(lambda: count(api, "namespaces") == 5)
    assert api.store.statistics()["watchers"] == 2


async def test_a_collector_that_lags_behind_the_history_begins_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watchers, "QUEUE_EVENTS", 10)
    monkeypatch.setattr(state, "RECENT_EVENTS", 10)
    async with collecting(MemoryStore(keep=20)) as api:
        mine = await make(api, f"{DEFAULT}/configmaps", "own")
        await make(api, f"{DEFAULT}/configmaps", "held", owner(mine))
        assert (await api.call("POST", CRDS, definition(THINGS)))[0] == 201
        await settled(api)
        await fill(api, 500)  # one plan: its events are more than history keeps
        await settled(api)
        assert (await api.call("DELETE", f"{DEFAULT}/configmaps/own"))[0] == 200
        await until(lambda: count(api, "configmaps") == 500)
        assert (await api.call("DELETE", f"{CRDS}/things.example.com"))[0] == 200
        await until(lambda: api.server.catalog.by_key("things.example.com") is None)


async def test_orphans_of_many_are_let_go_in_turns(api: Api) -> None:
    mine = await make(api, f"{DEFAULT}/configmaps", "own")
    await fill(api, 500, "default", owner(mine))
    body = {"propagationPolicy": "Orphan"}
    assert (await api.call("DELETE", f"{DEFAULT}/configmaps/own", body))[0] == 200
    await until(lambda: count(api, "configmaps", "default") == 500)
    left = [s.object()["metadata"] for s in api.store.list("configmaps").items]
    assert not any("ownerReferences" in metadata for metadata in left)


async def test_twenty_thousand_owners_cost_linear_time(api: Api) -> None:
    mine = await make(api, f"{DEFAULT}/configmaps", "own")
    many = [owner(mine, uid=f"u{n}", name=f"o{n}") for n in range(20_000)]
    begun = time.process_time()  # others on the machine do not count
    await make(api, f"{DEFAULT}/configmaps", "held", *many, owner(mine))
    await until(lambda: b'"u1"' not in api.store.list("configmaps", "default").items[0].data)
    await until(lambda: count(api, "configmaps", "default") == 2)
    assert (await api.call("DELETE", f"{DEFAULT}/configmaps/own"))[0] == 200
    await until(lambda: not count(api, "configmaps", "default"))
    assert time.process_time() - begun < 10  # quadratic: a minute


async def test_owners_of_many_are_not_kept_parsed_at_a_start() -> None:
    """Each pod owns the claims made for it, and there may be a hundred thousand."""
    store, words = MemoryStore(), {f"k{n}": "v" for n in range(300)}
    for n in range(1_000):
        head = {"apiVersion": "v1", "kind": "ConfigMap"}
        metadata = {"name": f"o{n}", "namespace": "default", "uid": f"u{n}"}
        reference = {**head, "name": f"o{n}", "uid": f"u{n}"}
        owned = {"name": f"d{n}", "namespace": "default", "uid": f"d{n}"}
        objects = (
            {**head, "metadata": metadata, "data": words},
            {**head, "metadata": {**owned, "ownerReferences": [reference]}},
        )
        keys = (ObjectKey("configmaps", "default", o["metadata"]["name"]) for o in objects)
        writes = [Put(key, obj, "create", 0) for key, obj in zip(keys, objects, strict=True)]
        await store.commit(writes, identity="x", now_ns=1)
    collector = Collector((await an_api(store)).server)
    tracemalloc.start()
    await collector._learn_all()  # pyright: ignore[reportPrivateUsage]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12_000_000  # all of them parsed: three times that; the loop's garbage wavers


async def test_one_object_that_breaks_the_collector_stops_nothing_else(
    api: Api, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault is made up: none is known, which is why the boundary is there."""
    mine = await make(api, f"{DEFAULT}/configmaps", "own")
    look = Collector._look  # pyright: ignore[reportPrivateUsage]

    def breaking(self: Collector, draft: Any, key: Any) -> None:
        if key.name == "bad":
            raise KeyError("a bug")
        look(self, draft, key)

    monkeypatch.setattr(Collector, "_look", breaking)
    for name in ("bad", "good"):
        await make(api, f"{DEFAULT}/configmaps", name, owner(mine))
    assert (await api.call("DELETE", f"{DEFAULT}/configmaps/own"))[0] == 200
    await until(lambda: count(api, "configmaps", "default") == 1)
    assert "bad: it is set aside" in caplog.text
