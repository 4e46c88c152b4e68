"""What reaches the API server before anybody has said who it is, and what is no request at all."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.api_process import ApiServer, running

ANSWER_S = 10


@contextlib.contextmanager
def connected(api: ApiServer) -> Iterator[ssl.SSLSocket]:
    context = ssl.create_default_context(cafile=str(api.home.pki / "ca.crt"))
    address = ("127.0.0.1", int(api.url.rpartition(":")[2]))
    plain = socket.create_connection(address, timeout=ANSWER_S)
    with plain, context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
        yield connection


def status(api: ApiServer, head: str, body: bytes = b"") -> int:
    """The status of the answer to what need not be a whole request."""
    with connected(api) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        return int(connection.recv(64).split()[1])


def post(api: ApiServer, *headers: str, identity: str = "") -> str:
    token = [f"Authorization: Bearer {api.tokens[identity]}"] if identity else []
    path = "/api/v1/namespaces/default/configmaps"
    return "\n".join((f"POST {path} HTTP/1.1", "Host: a", *token, *headers))


def test_who_shows_no_token_is_refused_before_the_body_comes(api: ApiServer) -> None:
    assert status(api, post(api, "Content-Length: 3000000"), b"x" * 1000) == 401
    # The client that sends all of a small body sees the answer, too.
    assert api.call("POST", "/api/v1/namespaces", b"x" * 200_000, identity="")[0] == 401


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        (("Content-Length: 4000000",), b"", 413),
        (("Transfer-Encoding: chunked",), b"zz\r\nabc\r\n0\r\n\r\n", 400),
        (("Transfer-Encoding: chunked",), b"ffffffffffffffffff\r\nabc", 400),
        (("Transfer-Encoding: chunked",), b"5\r\nabcdefgh\r\n0\r\n\r\n", 400),
        (("Content-Length: 10", "Content-Encoding: deflate"), b"0123456789", 415),
    ],
)
def test_broken_bodies_are_4xx(
    api: ApiServer, headers: tuple[str, ...], body: bytes, expected: int
) -> None:
    assert status(api, post(api, *headers, identity="admin"), body) == expected
    assert api.call("GET", "/version")[0] == 200


def test_connections_that_say_nothing_do_not_shut_the_server(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        api = stack.enter_context(running(tmp_path, files=256))
        known = stack.enter_context(connected(api))
        lines = ("GET /version HTTP/1.1", "Host: a", f"Authorization: Bearer {api.tokens['admin']}")
        request = "\r\n".join((*lines, "", "")).encode()
        known.sendall(request)
        assert b" 200 " in known.recv(4096)
        address = ("127.0.0.1", int(api.url.rpartition(":")[2]))
        for _ in range(300):
            idle = stack.enter_context(socket.socket())
            idle.setblocking(False)
            idle.connect_ex(address)
        deadline = time.monotonic() + 30
        while True:  # while they stay a new client is served
            with contextlib.suppress(OSError):
                if api.call("GET", "/version")[0] == 200:
                    break
            assert time.monotonic() < deadline
        known.sendall(request)  # and who was there before is still
        assert b" 200 " in known.recv(4096)


@pytest.mark.parametrize("headers", ["Audit-Id: {}", "X-Request-Id: {}",
                                     "X-Request-Id: theirs\r\nAudit-Id: {}"])  # fmt: skip
@pytest.mark.parametrize(("given", "kept"), [("mine-1", True), ("two words", False), ("", False)])
def test_every_answer_has_the_id_by_which_logs_find_it(
    api: ApiServer, given: str, kept: bool, headers: str
) -> None:
    with connected(api) as connection:
        connection.sendall(
            f"GET /healthz HTTP/1.1\r\nHost: x\r\n{headers.format(given)}\r\n\r\n".encode()
        )
        head = connection.recv(65536).decode().lower()
    (found,) = (line.split(": ", 1)[1] for line in head.splitlines() if line.startswith("audit-id"))
    assert (found == given) is kept
    other = "theirs" if "theirs" in headers else "-" * 36
    assert len(found) == len(given if kept else other)
