"""HTTP and TCP probes of addresses on which real servers listen, ours and a stranger's."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mizzen.node.checks import check
from support.stranger import needs_root, stranger_at_work

IP = "127.72.0.2"
SERVER = """
import os, signal, socket, threading
become()
listener = socket.create_server(("127.72.0.2", 0))
print(os.getpid(), listener.getsockname()[1], flush=True)
while True:
    line = listener.accept()[0]
    line.recv(1000)
    line.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
    line.close()
"""


def probes(port: int) -> list[dict[str, Any]]:
    return [{"httpGet": {"path": "/", "port": port}}, {"tcpSocket": {"port": port}}]


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1000)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    writer.close()


@pytest.fixture
async def ours() -> AsyncIterator[int]:
    async with await asyncio.start_server(answer, IP, 0) as server:
        yield server.sockets[0].getsockname()[1]


async def test_our_own_server_is_well(ours: int) -> None:
    for probe in probes(ours):
        assert (await check(probe, {}, IP, 5))[0]


async def test_a_socket_answers_in_place_of_the_port(tmp_path: Path) -> None:
    path = str(tmp_path / "a.sock")
    async with await asyncio.start_unix_server(answer, path):
        assert (await check(probes(1)[0], {}, IP, 5, path))[0]
    assert not (await check(probes(1)[0], {}, IP, 5, path))[0]


@needs_root
async def test_a_stranger_at_the_pods_address_is_not_the_pod() -> None:
    with stranger_at_work(SERVER) as said:
        pid, port = map(int, said.split())
        for probe in probes(port):
            ok, why = await check(probe, {}, IP, 5)
            assert (ok, why) == (False, f"{IP}:{port} is listened on by user 12345, a stranger")
            # a pod's own program that has changed its user
            assert (await check(probe, {}, IP, 5, pids=lambda: [os.getpid(), pid]))[0]
