"""Events go once they are old, by their last write; nothing else does."""

from __future__ import annotations

import asyncio
from pathlib import Path

from mizzen.apiserver import operations
from mizzen.apiserver.bootstrap import make_namespaces
from mizzen.apiserver.catalog import Catalog
from mizzen.apiserver.context import ApiServerConfig
from mizzen.apiserver.core.patching import Patch
from mizzen.apiserver.core.user import User
from mizzen.apiserver.expiry import EventExpiry
from mizzen.apiserver.server import Server
from mizzen.base.clock import rfc3339
from mizzen.kinds.registry import builtin_kinds, virtual_kinds
from mizzen.store.memory import MemoryStore
from support.api_handlers import NO_NODES

NS = 1_000_000_000
EPOCH_NS = 1_800_000_000 * NS


class Clock:
    def __init__(self) -> None:
        self.ns = EPOCH_NS

    def now_ns(self) -> int:
        return self.ns

    monotonic_ns = now_ns


async def a_server() -> tuple[Server, Clock]:
    clock = Clock()
    config = ApiServerConfig("", 0, Path(), Path(), {}, NO_NODES)
    server = Server(config, MemoryStore(), Catalog(builtin_kinds(), virtual_kinds()), clock)
    await make_namespaces(server)
    return server, clock


async def create(server: Server, plural: str, name: str, **fields: object) -> None:
    served = server.catalog.find("", "v1", plural)
    assert served is not None
    body = {"metadata": {"name": name, "namespace": "default"}, **fields}
    draft = server.draft(User("admin"))
    operations.create(draft, served, "default", body)
    done = draft.commit()
    assert done is not None
    await done


async def event(server: Server, name: str, at_ns: int) -> None:
    await create(server, "events", name, involvedObject={}, lastTimestamp=rfc3339(at_ns))


def names(server: Server) -> set[str]:
    return {stored.key.name for stored in server.store.list("events").items}


async def until_deleted(server: Server, since: int, name: str) -> None:
    events = server.store.watch("events", since=since)
    async with asyncio.timeout(10):
        while True:
            for each in await events.next_batch():
                if each.type == "DELETED" and each.key.name == name:
                    return


async def test_old_events_go_and_young_ones_stay() -> None:
    server, clock = await a_server()
    await create(server, "configmaps", "old")
    await event(server, "old", EPOCH_NS - 7200 * NS)
    await event(server, "young", EPOCH_NS - 60 * NS)
    clock.ns += 1
    since = server.store.revision
    task = asyncio.create_task(EventExpiry(server, slack_s=0).run())
    await until_deleted(server, since, "old")
    assert names(server) == {"young"}
    assert [stored.key.name for stored in server.store.list("configmaps").items] == ["old"]
    task.cancel()


async def test_an_event_that_happens_again_stays_and_many_go_at_once() -> None:
    server, clock = await a_server()
    expiry = EventExpiry(server, keep_s=100, slack_s=0)
    task = asyncio.create_task(expiry.run())
    await asyncio.sleep(0)  # it subscribes
    for number in range(1200):
        await event(server, f"e{number:04d}", clock.ns)
    clock.ns += 60 * NS
    served = server.catalog.find("", "v1", "events")
    assert served is not None
    draft = server.draft(User("admin"))
    operations.patch(draft, served, "default", "e0007", Patch({"count": 2}))
    done = draft.commit()
    assert done is not None
    await done
    clock.ns += 50 * NS
    since = server.store.revision
    await event(server, "wakes", clock.ns)
    await until_deleted(server, since, "e1199")
    assert names(server) == {"e0007", "wakes"}
    task.cancel()
