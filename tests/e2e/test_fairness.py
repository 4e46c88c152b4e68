"""A greedy client over real connections starves nobody: its own requests wait and are refused.

Nothing here is a matter of time: who is served, who is refused, and in which order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from support.api_process import ApiServer, running
from support.http_users import HttpUser, Line, Told, service_account
from support.waiting import until

pytestmark = pytest.mark.slow
MAPS = "/api/v1/namespaces/default/configmaps"
MAP_BYTES, MAP_COUNT = 100_000, 200
CONNECTIONS = 400  # more than a hand of queues and all seats have room for
GETS = 30
# All seats are 256, a list of 20 MB takes ten of them: so many of the greedy may have been let in
# before, and as many again once their queues' turns come while one get waits.
PASSED_BY_MAX = 2 * 256 // 10


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with running(tmp_path_factory.mktemp("home")) as server:
        for number in range(MAP_COUNT):
            body = {"metadata": {"name": f"m{number}"}, "data": {"x": "y" * MAP_BYTES}}
            assert server.call("POST", MAPS, body)[0] == 201
        yield server


@dataclass
class Crowd:
    """What became of the requests of one user's many connections."""

    served: int = 0
    refused: list[Told] = field(default_factory=list[Told])


@asynccontextmanager
async def greedy(
    user: HttpUser, ask: Callable[[Line, Crowd], Awaitable[Told]]
) -> AsyncIterator[Crowd]:
    """So many connections, each of which asks again and again; refused ones pause for a moment."""
    crowd = Crowd()

    async def one() -> None:
        async with user.line() as line:
            while True:
                told = await ask(line, crowd)
                if told.status == 200:
                    crowd.served += 1
                else:
                    crowd.refused.append(told)
                    await asyncio.sleep(1)

    tasks = [asyncio.create_task(one()) for _ in range(CONNECTIONS)]
    try:
        await until(lambda: bool(crowd.refused), "the greedy have more than there is room for")
        yield crowd
        broken = [task.exception() for task in tasks if task.done()]
        assert not broken, broken[0]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def look_on(user: HttpUser, crowd: Crowd) -> int:
    """Asks for small things one after the other; the most of the crowd served during one of them."""
    most = 0
    async with user.line() as line:
        for number in range(GETS):
            before = crowd.served
            told = await line.get(f"{MAPS}/m{number}")
            assert told.status == 200, told
            most = max(most, crowd.served - before)
    return most


def assert_refused_as_upstream(crowd: Crowd) -> None:
    for told in crowd.refused:
        assert told.status == 429 and 1 <= int(told.headers["retry-after"]) <= 32, told
        assert told.headers["x-kubernetes-pf-flowschema-uid"], told


async def all_of_them(line: Line, _: Crowd) -> Told:
    return await line.get(MAPS)


async def test_many_long_lists_wait_behind_themselves(server: ApiServer) -> None:
    user = service_account(server, "quiet")
    async with greedy(service_account(server, "greedy"), all_of_them) as crowd:
        assert await look_on(user, crowd) <= PASSED_BY_MAX
    assert_refused_as_upstream(crowd)


async def test_who_never_reads_a_long_list_keeps_nobody_out(server: ApiServer) -> None:
    async def ask(line: Line, crowd: Crowd) -> Told:
        await line.ask(MAPS)
        told = await line.head()
        if told.status == 200:
            crowd.served += 1
            await asyncio.Event().wait()  # the rest is never read
        return await line.whole(told)

    user = service_account(server, "patient")
    async with greedy(service_account(server, "deaf"), ask) as crowd:
        assert await look_on(user, crowd) <= PASSED_BY_MAX
    assert_refused_as_upstream(crowd)


async def test_many_watches_that_begin_with_all_objects_keep_nobody_out(server: ApiServer) -> None:
    async def ask(line: Line, _: Crowd) -> Told:
        query = "?watch=true&allowWatchBookmarks=true&timeoutSeconds=1"
        return await line.get(f"{MAPS}{query}")

    user = service_account(server, "reader")
    async with greedy(service_account(server, "watcher"), ask) as crowd:
        assert await look_on(user, crowd) <= PASSED_BY_MAX
    assert_refused_as_upstream(crowd)
