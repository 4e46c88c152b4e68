"""Connections that say nothing, say it slowly, say half of it, or are too many."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from random import Random

from attack.stage import Attack, Stage, descriptors
from mizzen.compose import settings

MANY = 2500
BODY_BYTES = 2_900_000
PATIENT_S = 5.0  # within which a stranger is answered while others misbehave


def attacks(stage: Stage) -> Iterator[Attack]:
    yield Attack("bodies without a token, many and half", lambda: _half_bodies(stage))
    yield Attack("TCP connections that say nothing", lambda: _idle(stage, _api_port(stage)))
    yield Attack("gateway: connections that say nothing", lambda: _idle(stage, _gateway(stage)))
    yield Attack("heads that come a byte at a time", lambda: _slow_heads(stage))
    yield Attack("broken chunk sizes", lambda: _chunks(stage))
    yield Attack("watchers that never read", lambda: _deaf_watchers(stage))


def generated(stage: Stage, chance: Random) -> Iterator[Attack]:
    number = 0
    while True:
        number += 1
        data = _noise(chance)
        is_gateway = chance.random() < 0.3
        yield Attack(
            f"generated {number}",
            lambda data=data, is_gateway=is_gateway: _say(stage, data, is_gateway),
        )


def _api_port(stage: Stage) -> int:
    return settings.load(stage.home).port


def _gateway(stage: Stage) -> int:
    return settings.load(stage.home).gateway_port


def _answers_in_time(stage: Stage) -> None:
    began = time.monotonic()
    assert stage.request("GET", "/api/v1/namespaces/default").status == 200
    took = time.monotonic() - began
    assert took < PATIENT_S, f"others waited {took:.1f} s"


def _half_bodies(stage: Stage) -> None:
    """Many connections, each with most of a large body and no token."""
    chunk = b"x" * 65536
    with descriptors(MANY), contextlib.ExitStack() as stack:
        for number in range(MANY):
            try:
                line = stack.enter_context(stage.connect(timeout_s=5))
                line.sendall(
                    b"POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: x\r\n"
                    b"Content-Type: application/json\r\nContent-Length: 3000000\r\n\r\n"
                )
                sent = 0
                line.settimeout(0.2)
                while sent < BODY_BYTES:
                    line.sendall(chunk)
                    sent += len(chunk)
            except OSError:
                pass  # refused, as it should be
            if number % 500 == 0:
                _answers_in_time(stage)
        _answers_in_time(stage)


def _idle(stage: Stage, port: int) -> None:
    with descriptors(MANY), contextlib.ExitStack() as stack:
        for _ in range(MANY):
            with contextlib.suppress(OSError):
                line = socket.create_connection(("127.0.0.1", port), 2)
                stack.enter_context(line)
        _answers_in_time(stage)
        assert stage.ask("/v1/models").status == 200
    _answers_in_time(stage)


def _slow_heads(stage: Stage) -> None:
    with descriptors(200), contextlib.ExitStack() as stack:
        lines = [stack.enter_context(stage.connect()) for _ in range(200)]
        for byte in b"GET / HT":
            for line in lines:
                with contextlib.suppress(OSError):
                    line.sendall(bytes([byte]))
            _answers_in_time(stage)


def _chunks(stage: Stage) -> None:
    head = (
        "POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {stage.token()}\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    ).encode()
    for size in (b"zz", b"-1", b"ffffffffffffffffff", b"", b"5;" + b"x" * 100_000):
        with stage.connect() as line:
            line.sendall(head + size + b"\r\nhello\r\n")
            line.settimeout(10)
            with contextlib.suppress(OSError):
                said = line.recv(4096)
                assert b" 500 " not in said.partition(b"\r\n")[0], f"{size[:20]!r}: {said[:100]!r}"


def _deaf_watchers(stage: Stage) -> None:
    """Twenty watches that are never read while large objects change."""
    path = "/api/v1/namespaces/default/configmaps"
    body = {"metadata": {"name": "loud"}, "data": {"k": "x" * 100_000}}
    stage.request("POST", path, body)
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            line = stack.enter_context(stage.connect())
            line.sendall(
                f"GET {path}?watch=1 HTTP/1.1\r\nHost: x\r\n"
                f"Authorization: Bearer {stage.token()}\r\n\r\n".encode()
            )
        for number in range(1000):
            body["data"] = {"k": f"{number}" + "x" * 100_000}
            answer = stage.request("PUT", f"{path}/loud", body)
            assert answer.status == 200, answer.said
    stage.delete(f"{path}/loud")


def _noise(chance: Random) -> bytes:
    """Heads that are nearly right, or not at all."""
    parts = [
        chance.choice([b"GET", b"POST", b"P\0ST", b"", b"PRI"]),
        chance.choice(
            [b" / ", b" /api/v1/pods ", b" //x/../y ", b" %00 ", b" ", b" /" + b"a" * 9000]
        ),
        chance.choice([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/9", b"", b"HTTP/2.0"]),
        chance.choice([b"\r\n", b"\n", b"\r", b""]),
        chance.choice([b"Host: x\r\n", b"Host : x\r\n", b" folded: y\r\n", b"X" * 20_000, b""]),
        chance.choice(
            [b"Content-Length: -1\r\n", b"Content-Length: 5\r\nContent-Length: 6\r\n", b""]
        ),
        chance.choice([b"\r\n", b"\n\n", b""]),
        chance.randbytes(chance.randrange(64)),
    ]
    return b"".join(parts)


def _say(stage: Stage, data: bytes, is_gateway: bool) -> None:
    if is_gateway:
        line = socket.create_connection(("127.0.0.1", _gateway(stage)), 5)
    else:
        line = stage.connect()
    with line, contextlib.suppress(OSError):
        line.sendall(data)
        line.shutdown(socket.SHUT_WR)
        line.settimeout(3)
        said = line.recv(4096)
        assert b" 500 " not in said.partition(b"\r\n")[0], f"{data[:80]!r}: {said[:100]!r}"
    _answers_in_time(stage)
