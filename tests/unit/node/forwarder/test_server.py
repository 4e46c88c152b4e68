"""The forwarder's process: what reaches an endpoint, what is refused, and what it holds."""

from __future__ import annotations

import errno
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from mizzen.node import forwarder
from mizzen.node.forwarder.connection import READ_BYTES

TIMEOUT_S = 10.0
_MAIN = Path(forwarder.__file__).with_name("__main__.py")
_numbers = iter(range(2, 250))


class Agent:
    """The agent's end."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair()
        self._channel.settimeout(TIMEOUT_S)
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_MAIN)], stdin=theirs, stdout=subprocess.DEVNULL
        )
        theirs.close()
        self._lines = self._channel.makefile("rb")

    def route(self, key: str, at: tuple[str, int], *to: tuple[str, int], **more: Any) -> None:
        line = {"key": key, "address": at[0], "port": at[1], "protocol": "TCP", "endpoints": to,
                "affinity_s": 0, **more}  # fmt: skip
        self._channel.sendall(json.dumps(line).encode() + b"\n")

    def told(self) -> dict[str, Any]:
        return json.loads(self._lines.readline())

    def listening(self, key: str, at: tuple[str, int], *to: tuple[str, int], **more: Any) -> None:
        self.route(key, at, *to, **more)
        assert self.told() == {"key": key, "error": 0}

    def close(self) -> None:
        self._lines.close()
        self._channel.close()
        self.process.wait(TIMEOUT_S)


@pytest.fixture
def agent() -> Iterator[Agent]:
    made = Agent()
    yield made
    made.close()


class Endpoint:
    """A server whose connections `handle` has, each in a thread."""

    def __init__(self, handle: Callable[[socket.socket], None]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.at: tuple[str, int] = self._listener.getsockname()[:2]
        self.count = 0
        self._handle = handle
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.count += 1
            threading.Thread(target=self._one, args=(client,), daemon=True).start()

    def _one(self, client: socket.socket) -> None:
        with client:
            self._handle(client)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def echo(client: socket.socket) -> None:
    while data := client.recv(65536):
        client.sendall(data)


@pytest.fixture
def endpoints() -> Iterator[Callable[[Callable[[socket.socket], None]], Endpoint]]:
    made: list[Endpoint] = []

    def make(handle: Callable[[socket.socket], None] = echo) -> Endpoint:
        made.append(Endpoint(handle))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def at() -> tuple[str, int]:
    """An address that no other test has."""
    return f"127.63.{os.getpid() % 250}.{next(_numbers)}", 8080


def ask(at: tuple[str, int], text: bytes = b"hello") -> bytes:
    with closing(socket.create_connection(at, TIMEOUT_S)) as client:
        client.sendall(text)
        client.shutdown(socket.SHUT_WR)
        found = b""
        while data := client.recv(65536):
            found += data
        return found


def test_bytes_go_there_and_back_whole(agent: Agent, endpoints: Any, at: Any) -> None:
    agent.listening("a", at, endpoints().at)
    large = os.urandom(8 << 20)
    with closing(socket.create_connection(at, TIMEOUT_S)) as client:
        sending = threading.Thread(
            target=lambda: (client.sendall(large), client.shutdown(socket.SHUT_WR))
        )
        sending.start()
        found = bytearray()
        while data := client.recv(1 << 20):
            found += data
        sending.join()
    assert bytes(found) == large


def test_endpoints_have_their_turns_and_one_that_refuses_is_passed_over(
    agent: Agent, endpoints: Any, at: Any
) -> None:
    first, second = endpoints(), endpoints()
    with socket.create_server(("127.0.0.1", 0)) as closed:
        dead = closed.getsockname()[:2]
    agent.listening("a", at, dead, first.at, second.at)
    assert [ask(at) for _ in range(9)] == [b"hello"] * 9
    assert first.count >= 3 and second.count >= 3


def test_without_an_endpoint_that_accepts_the_client_is_reset(
    agent: Agent, endpoints: Any, at: Any
) -> None:
    one = endpoints()
    one.close()
    agent.listening("a", at, one.at)
    with pytest.raises(ConnectionError):
        ask(at)


def test_with_affinity_a_client_stays_until_its_endpoint_goes(
    agent: Agent, endpoints: Any, at: Any
) -> None:
    first, second = endpoints(), endpoints()
    agent.listening("a", at, first.at, second.at, affinity_s=60)
    assert [ask(at) for _ in range(6)] == [b"hello"] * 6
    own, other = (first, second) if first.count else (second, first)
    assert (own.count, other.count) == (6, 0)
    agent.route("a", at, other.at, affinity_s=60)
    while other.count == 0:
        assert ask(at) == b"hello"


def test_no_endpoints_means_that_nobody_listens(agent: Agent, endpoints: Any, at: Any) -> None:
    one = endpoints()
    agent.listening("a", at, one.at)
    with closing(socket.create_connection(at, TIMEOUT_S)) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        agent.route("a", at)
        deadline = time.monotonic() + TIMEOUT_S
        while _accepts(at):
            assert time.monotonic() < deadline
        client.sendall(b"y")  # who is connected goes on
        assert client.recv(1) == b"y"
    agent.listening("a", at, one.at)
    assert ask(at) == b"hello"


def _accepts(at: tuple[str, int]) -> bool:
    try:
        socket.create_connection(at, TIMEOUT_S).close()
    except ConnectionError:  # refused, or taken by the listener in its last moment
        return False
    return True


def test_a_port_that_another_holds_is_told_and_had_once_it_is_free(
    agent: Agent, endpoints: Any, at: Any
) -> None:
    with socket.create_server(at):
        agent.route("a", at, endpoints().at)
        assert agent.told() == {"key": "a", "error": errno.EADDRINUSE}
    assert agent.told() == {"key": "a", "error": 0}
    assert ask(at) == b"hello"


def test_an_address_that_is_not_here_is_told(agent: Agent, endpoints: Any) -> None:
    agent.route("a", ("192.0.2.1", 80), endpoints().at)
    assert agent.told() == {"key": "a", "error": errno.EADDRNOTAVAIL}


def test_a_reset_is_passed_on(agent: Agent, endpoints: Any, at: Any) -> None:
    def reset(client: socket.socket) -> None:
        client.recv(1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    agent.listening("a", at, endpoints(reset).at)
    with closing(socket.create_connection(at, TIMEOUT_S)) as client:
        client.sendall(b"x")
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_slow_readers_hold_little_of_its_memory(agent: Agent, endpoints: Any, at: Any) -> None:
    """Thirty readers that never read: each holds at most one read's bytes, not all that is sent."""
    sent = threading.Semaphore(0)

    def flood(client: socket.socket) -> None:
        client.settimeout(1.0)
        try:
            while True:
                client.sendall(b"x" * (1 << 20))
        except OSError:
            sent.release()  # nothing moves any more

    agent.listening("a", at, endpoints(flood).at)
    before = _resident(agent.process.pid)
    clients = [socket.create_connection(at, TIMEOUT_S) for _ in range(30)]
    for _ in clients:
        assert sent.acquire(timeout=30)
    assert _resident(agent.process.pid) - before < 31 * READ_BYTES + (4 << 20)
    for client in clients:
        client.close()


def _resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_datagrams_go_there_and_back(agent: Agent, at: Any) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.settimeout(TIMEOUT_S)
        server.bind(("127.0.0.1", 0))
        agent.listening("u", at, server.getsockname(), protocol="UDP")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(TIMEOUT_S)
            client.connect(at)
            for text in (b"one", b"two"):
                client.send(text)
                data, peer = server.recvfrom(100)
                server.sendto(data.upper(), peer)
                assert client.recv(100) == text.upper()


def test_it_ends_with_its_agent_and_is_small(endpoints: Any, at: Any) -> None:
    agent = Agent()
    agent.listening("a", at, endpoints().at)
    assert _resident(agent.process.pid) < 20 << 20
    agent.close()
    assert agent.process.returncode == 0
    assert not _accepts(at)
