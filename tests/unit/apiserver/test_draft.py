"""A draft sees its own writes and knows what it read; what one commit deletes is bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from mizzen.apiserver import operations
from mizzen.apiserver.collector import Collector
from mizzen.apiserver.core.patching import Patch
from mizzen.apiserver.core.stamping import DeleteOptions
from mizzen.apiserver.core.user import User
from mizzen.apiserver.draft import DELETED_AT_ONCE, DELETED_BYTES_AT_ONCE, at_once
from mizzen.base.errors import InsufficientStorage
from mizzen.base.objects import name_of
from mizzen.store.memory import MemoryStore
from mizzen.store.store import ObjectKey, Remove, Stored, Write
from support import waiting
from support.api_handlers import Api, an_api

MEGABYTE = 1_000_000
MAPS = "/api/v1/namespaces/full/configmaps"


async def filled(store: MemoryStore) -> Api:
    """A namespace with twice as much as may be deleted at once, in few objects."""
    api = await an_api(store)
    await api.call("POST", "/api/v1/namespaces", {"metadata": {"name": "full"}})
    for number in range(2 * DELETED_BYTES_AT_ONCE // MEGABYTE):
        body = {"metadata": {"name": f"c{number}"}, "data": {"v": "x" * (MEGABYTE - 1000)}}
        assert (await api.call("POST", MAPS, body))[0] == 201
    return api


def noting(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many objects each commit from now on takes away."""
    removed: list[int] = []
    commit = store.commit

    def noted(writes: Sequence[Write], **more: Any) -> Any:
        removed.append(sum(isinstance(write, Remove) for write in writes))
        return commit(writes, **more)

    monkeypatch.setattr(store, "commit", noted)
    return removed


async def test_a_collection_is_deleted_some_bytes_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = MemoryStore()
    api = await filled(store)
    removed = noting(store, monkeypatch)
    assert (await api.call("DELETE", MAPS))[0] == 200
    assert not store.list("configmaps", "full").items
    assert max(removed) <= DELETED_BYTES_AT_ONCE // MEGABYTE + 1


async def test_a_namespace_is_emptied_some_bytes_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    api = await filled(store)
    removed = noting(store, monkeypatch)
    running = asyncio.create_task(Collector(api.server).run())
    try:
        await api.call("DELETE", "/api/v1/namespaces/full")
        await waiting.until(lambda: not store.list("configmaps", "full").items, "it is empty")
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert max(removed) <= DELETED_BYTES_AT_ONCE // MEGABYTE + 1


async def test_small_objects_are_deleted_by_the_hundred() -> None:
    api = await an_api(MemoryStore())
    for number in range(2):
        await api.call(
            "POST", "/api/v1/namespaces/default/configmaps", {"metadata": {"name": f"c{number}"}}
        )
    one, other = api.store.list("configmaps", "default").items[:2]
    sizes = [len(some) for some in at_once([one, other] * DELETED_AT_ONCE)]
    assert sizes == [DELETED_AT_ONCE, DELETED_AT_ONCE]
    assert list(at_once([])) == []


async def test_a_list_is_the_stores_with_the_drafts_own_writes() -> None:
    api = await an_api(MemoryStore())
    maps = "/api/v1/namespaces/default/configmaps"
    for name in ("a", "c"):
        await api.call("POST", maps, {"metadata": {"name": name}})
    served = api.server.catalog.by_key("configmaps")
    assert served is not None
    draft = api.server.draft(User("jane"))
    assert [name_of(each) for each in draft.list("configmaps")] == ["a", "c"]
    operations.create(draft, served, "default", {"metadata": {"name": "b"}})
    operations.create(draft, served, "kube-system", {"metadata": {"name": "z"}})
    operations.delete(draft, served, "default", "c", DeleteOptions())
    change = {"data": {"k": "v"}}
    operations.patch(draft, served, "default", "a", Patch(change))
    found = draft.list("configmaps", "default")
    assert [(name_of(each), each.get("data")) for each in found] == [
        ("a", {"k": "v"}),
        ("b", None),
    ]
    assert [name_of(each) for each in draft.list("configmaps")] == ["a", "b", "z"]
    operations.delete(draft, served, "default", "b", DeleteOptions())  # made and unmade
    assert [name_of(each) for each in draft.list("configmaps", "default")] == ["a"]


async def test_a_draft_knows_what_it_read_and_at_which_revision() -> None:
    api = await an_api(MemoryStore())
    maps = "/api/v1/namespaces/default/configmaps"
    _, old = await api.call("POST", maps, {"metadata": {"name": "old"}})
    pods = api.server.catalog.by_key("pods")
    served = api.server.catalog.by_key("configmaps")
    assert pods is not None and served is not None
    draft = api.server.draft(User("jane"))
    operations.patch(draft, served, "default", "old", Patch({"data": {"k": "v"}}))
    operations.create(draft, served, "default", {"metadata": {"name": "new"}})
    spec = {"containers": [{"name": "main", "image": "i"}]}
    operations.create(draft, pods, "default", {"metadata": {"name": "p"}, "spec": spec})
    read = draft.read_set()
    namespace = ObjectKey("namespaces", "", "default")
    stored = api.store.peek(namespace)
    account = api.store.peek(ObjectKey("serviceaccounts", "default", "default"))
    assert stored is not None and account is not None
    assert read.keys == {
        ObjectKey("configmaps", "default", "old"): int(old["metadata"]["resourceVersion"]),
        ObjectKey("configmaps", "default", "new"): 0,
        ObjectKey("pods", "default", "p"): 0,
        ObjectKey("serviceaccounts", "default", "default"): account.revision,
        namespace: stored.revision,
    }
    assert read.lists == {
        ("priorityclasses.scheduling.k8s.io", ""),
        ("limitranges", "default"),
        ("resourcequotas", "default"),
    }
    assert read.revision == api.store.assigned


class _FullDisk(MemoryStore):
    """Accepts writes, which do not reach the disk."""

    def commit(
        self, writes: Sequence[Write], *, identity: str, now_ns: int, plan: str = ""
    ) -> asyncio.Future[list[Stored]]:
        lost = asyncio.get_running_loop().create_future()
        lost.set_exception(InsufficientStorage("no space"))
        return lost


@pytest.mark.parametrize(("is_full", "calls"), [(True, ["lost"]), (False, [])])
async def test_writes_that_do_not_reach_the_disk_are_told(is_full: bool, calls: list[str]) -> None:
    api = await an_api(MemoryStore())
    served = api.server.catalog.by_key("configmaps")
    assert served is not None
    draft = api.server.draft(User("jane"))
    operations.create(draft, served, "default", {"metadata": {"name": "m"}})
    told: list[str] = []
    draft.on_lost(lambda: told.append("lost"))
    if is_full:
        draft._store = _FullDisk()  # pyright: ignore[reportPrivateUsage]
    done = draft.commit()
    assert done is not None
    await asyncio.wait([done])
    await asyncio.sleep(0)
    assert told == calls
    assert bool(done.exception()) is is_full


async def test_what_is_only_looked_at_is_parsed_once_and_as_new_as_what_is_read() -> None:
    api = await an_api(MemoryStore())
    await api.call("POST", "/api/v1/namespaces", {"metadata": {"name": "a"}})
    key = ObjectKey("namespaces", "", "a")
    draft, later = api.server.draft(User("jane")), api.server.draft(User("jane"))
    found = draft.look(key)
    assert found is not None and later.look(key) is found
    assert draft.look_at_all("namespaces")[0] is found
    assert draft.read_set().keys[key] and draft.read_set().lists == {("namespaces", "")}
    change = {"metadata": {"labels": {"a": "b"}}}
    media = "application/merge-patch+json"
    await api.call("PATCH", "/api/v1/namespaces/a", change, content_type=media)
    seen = later.look(key)
    assert seen is not None and seen["metadata"]["labels"]["a"] == "b"
    served = api.server.catalog.by_key("namespaces")
    assert served is not None
    operations.delete(later, served, "", "a", DeleteOptions())
    changed = later.look(key)
    assert changed is not None and changed["metadata"]["deletionTimestamp"]
    assert later.look_at_all("namespaces")[0]["metadata"]["deletionTimestamp"]
    assert later.look(ObjectKey("namespaces", "", "none")) is None
