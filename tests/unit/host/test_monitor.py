"""What a process tells of itself, and to whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mizzen.base.errors import Unauthorized
from mizzen.host import get_server
from mizzen.host import monitor as monitor_module
from mizzen.host.get_server import Get
from mizzen.host.monitor import Monitor
from mizzen.host.sockets import SocketFolder


@asynccontextmanager
async def listening(monitor: Monitor, folder: Path) -> AsyncIterator[SocketFolder]:
    sockets = SocketFolder(folder)
    await monitor.open(sockets.listen("role", 4))
    try:
        yield sockets
    finally:
        await monitor.close()
        sockets.close()


async def ask(sockets: SocketFolder, path: str, head: str = "") -> tuple[int, str]:
    reader, writer = await asyncio.open_unix_connection(sockets.path("role"))
    try:
        writer.write(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
        async with asyncio.timeout(10):
            answer = (await reader.read()).decode()
    finally:
        writer.close()
    return int(answer.split(" ", 2)[1]), answer.partition("\r\n\r\n")[2]


async def test_metrics_are_those_registered_and_the_processs_own(tmp_path: Path) -> None:
    monitor = Monitor()
    monitor.metrics.register(lambda page: page.add("hits_total", "counter", "Hits.", 3))
    async with listening(monitor, tmp_path / "s") as sockets:
        status, text = await ask(sockets, "/metrics")
    assert status == 200
    assert "\nhits_total 3\n" in text and "\nprocess_open_fds " in text


async def test_it_is_alive_before_it_is_ready(tmp_path: Path) -> None:
    monitor = Monitor()
    async with listening(monitor, tmp_path / "s") as sockets:
        assert [(await ask(sockets, path))[0] for path in ("/livez", "/healthz")] == [200, 200]
        status, text = await ask(sockets, "/readyz")
        assert (status, text) == (503, "it is starting: it does not know yet all there is")
        monitor.is_ready = True
        assert (await ask(sockets, "/readyz"))[0] == 200
        assert (await ask(sockets, "/debug/pprof"))[0] == 404


async def test_health_is_for_everybody_and_metrics_for_those_let_in(tmp_path: Path) -> None:
    async def admit(request: Get) -> None:
        if request.headers.get("authorization") != "Bearer right":
            raise Unauthorized("who are you")

    monitor = Monitor(admit)
    async with listening(monitor, tmp_path / "s") as sockets:
        assert (await ask(sockets, "/livez"))[0] == 200
        assert await ask(sockets, "/metrics") == (401, "who are you")
        assert (await ask(sockets, "/metrics", "authorization:Bearer wrong\r\n"))[0] == 401
        assert (await ask(sockets, "/metrics", "Authorization: Bearer right\r\n"))[0] == 200


async def test_who_waits_to_be_let_in_keeps_no_probe_from_its_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor_module, "SCRAPES_MAX", 2)
    let_in = asyncio.Event()

    async def admit(request: Get) -> None:
        await let_in.wait()

    async with listening(Monitor(admit), tmp_path / "s") as sockets:
        waiting = [asyncio.create_task(ask(sockets, "/metrics")) for _ in range(3)]
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED, timeout=10)
        status, text = done.pop().result()
        assert status == 429 and "2 requests for metrics are under way, of at most 2" in text
        assert (await ask(sockets, "/livez"))[0] == 200
        let_in.set()
        found = [await task for task in waiting]
        assert sorted(status for status, _ in found) == [200, 200, 429]


async def test_requests_under_way_are_bounded_and_silent_connections_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening(Monitor(), tmp_path / "s") as sockets:
        silent = [await asyncio.open_unix_connection(sockets.path("role")) for _ in range(3)]
        monkeypatch.setattr(get_server, "REQUESTS_MAX", 1)
        assert (await ask(sockets, "/livez"))[0] == 200
        monkeypatch.setattr(get_server, "REQUESTS_MAX", 0)
        status, text = await ask(sockets, "/livez")
        for _, writer in silent:
            writer.close()
    assert status == 429 and "1 requests are under way here, of at most 0" in text
