"""What is deleted in one commit is bounded by its bytes, whoever deletes it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from mizzen.apiserver.collector import Collector
from mizzen.apiserver.draft import DELETED_AT_ONCE, DELETED_BYTES_AT_ONCE, at_once
from mizzen.store.memory import MemoryStore
from mizzen.store.store import Remove, Write
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
