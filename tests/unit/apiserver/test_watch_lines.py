"""Events go straight to clients that take them; whoever does not has a task that waits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mizzen.apiserver import watch_lines
from mizzen.apiserver.http import Request, Stream
from mizzen.store.memory import MemoryStore
from support import waiting
from support.api_handlers import Api, an_api

MAPS = "/api/v1/namespaces/default/configmaps"


class Client:
    """The HTTP server's side of one watch. `is_slow`: it takes nothing before `takes` is set."""

    def __init__(self, stream: Stream, *, is_slow: bool = False) -> None:
        self.got: list[bytes] = []
        self.by_its_task = 0  # chunks that were not sent straight
        self.takes = asyncio.Event()
        self.is_slow = is_slow
        assert stream.outlet is not None
        self.outlet, self._chunks = stream.outlet, stream.chunks
        self.task = asyncio.create_task(self._run())

    async def _send(self, data: bytes) -> None:
        self.got.append(data)
        if self.is_slow:
            await self.takes.wait()

    async def _run(self) -> None:
        self.outlet.send = self._send
        async for chunk in self._chunks:
            self.by_its_task += 1
            await self._send(chunk)

    @property
    def names(self) -> list[str]:
        events = [json.loads(line) for chunk in self.got for line in chunk.splitlines()]
        return [
            event["object"]["metadata"]["name"] for event in events if "metadata" in event["object"]
        ]

    async def leave(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self._chunks.aclose()  # type: ignore[attr-defined]


async def watching(
    api: Api, count: int = 1, *, accept: str = "", is_slow: bool = False
) -> list[Client]:
    headers = {"authorization": "Bearer test", "accept": accept}
    found: list[Client] = []
    for _ in range(count):
        request = Request(
            "GET", MAPS, {"watch": "1", "resourceVersion": str(api.store.revision)}, headers, b""
        )
        api.app.authenticate(request)
        stream = await api.app.answer(request)
        assert isinstance(stream, Stream)
        found.append(Client(stream, is_slow=is_slow))
    for client in found:
        await waiting.until(lambda client=client: bool(client.got), "it has begun")
    return found


async def make(api: Api, *names: str) -> None:
    await asyncio.gather(*(api.call("POST", MAPS, {"metadata": {"name": name}}) for name in names))


async def until(client: Client, *names: str) -> None:
    await waiting.until(lambda: client.names == list(names), f"{names} have been told")


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    yield await an_api(MemoryStore())


async def test_all_watchers_of_a_class_are_sent_the_same_bytes_without_waking_their_tasks(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_lines, "_AT_ONCE", 2)
    clients = await watching(api, 5)
    await make(api, "a", "b")
    await make(api, "c")
    for client in clients:
        await until(client, "a", "b", "c")
        assert client.by_its_task == 1  # the empty chunk that begins it
        assert client.got == clients[0].got
    assert api.server.watch_events["configmaps"] == 15
    for client in clients:
        await client.leave()
    assert not api.server.watched and not api.store.statistics()["watchers"]
    await make(api, "d")


async def test_the_next_events_wait_for_each_other_after_many_were_told(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_lines, "_PAUSE_S", 0.25)
    monkeypatch.setattr(watch_lines, "_PAUSE_S_MAX", 0.5)
    clients = await watching(api, 3)
    await make(api, "a")
    for client in clients:
        await until(client, "a")
    await make(api, "b")
    await make(api, "c")
    for client in clients:
        await until(client, "a", "b", "c")
        assert len(client.got) == 3, "one for b and c"
        await client.leave()


async def test_whoever_takes_nothing_is_waited_for_and_told_all_in_order(api: Api) -> None:
    (slow,), (quick,) = await watching(api), await watching(api)
    slow.is_slow = True
    for name in "abc":
        await make(api, name)
        await until(quick, *"abc"[: "abc".index(name) + 1])
    assert slow.names == ["a"]  # one is on its way, the others wait
    slow.is_slow = False
    slow.takes.set()
    await until(slow, "a", "b", "c")
    await make(api, "d")
    await until(slow, "a", "b", "c", "d")
    for client in (slow, quick):
        await client.leave()


async def test_what_cannot_be_sent_ends_the_stream_of_that_client_alone(api: Api) -> None:
    broken, whole = await watching(api, 2)

    async def send(data: bytes) -> None:
        raise ConnectionError("it is gone")

    broken.outlet.send = send
    await make(api, "a")
    await until(whole, "a")
    with pytest.raises(ConnectionError):
        await broken.task
    await whole.leave()


async def test_a_client_that_leaves_while_it_is_waited_for_is_let_go(api: Api) -> None:
    (client,) = await watching(api)
    client.is_slow = True
    await make(api, "a")
    await until(client, "a")
    await client.leave()
    assert not api.store.statistics()["watchers"]


async def test_a_table_has_its_columns_once(api: Api) -> None:
    (client,) = await watching(api, accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    for name in "abc":
        await make(api, name)
    await waiting.until(lambda: len(b"".join(client.got).splitlines()) == 3, "all are told")
    lines = [json.loads(line)["object"] for line in b"".join(client.got).splitlines()]
    assert [bool(line["columnDefinitions"]) for line in lines] == [True, False, False]
    assert client.by_its_task == 2
    await client.leave()


def _steps(count: int) -> Any:
    async def work() -> None:
        for _ in range(count):
            await asyncio.sleep(0)

    return work()


async def test_work_is_begun_at_once_and_goes_on_where_it_waits() -> None:
    assert watch_lines.begun(_steps(0)) is None
    rest = watch_lines.begun(_steps(3))
    assert rest is not None
    await rest
    failing: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def handles() -> None:
        with pytest.raises(KeyError):
            await failing
        await asyncio.sleep(0)

    handled = watch_lines.begun(handles())
    failing.set_exception(KeyError())
    assert handled is not None
    await handled
    cancelled = watch_lines.begun(asyncio.Event().wait())
    assert cancelled is not None

    async def wait() -> None:
        await cancelled

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
