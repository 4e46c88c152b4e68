"""Users cannot take the last places from the instance's own roles."""

from __future__ import annotations

import contextlib
import socket

import pytest

from mizzen.apiserver.connections import Connections
from mizzen.base.errors import TooManyRequests

ROLE = "system:mizzen:controllers"


def test_users_leave_places_to_the_roles() -> None:
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        port = listener.getsockname()[1]
        connections = Connections(port, most=16)  # 12 of them for users
        ends: list[tuple[socket.socket, socket.socket]] = []
        for _ in range(16):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            ends.append((client, stack.enter_context(listener.accept()[0])))
        addresses: list[tuple[str, int]] = [client.getsockname() for client, _ in ends]
        for address in addresses[:12] * 2:  # many requests on each
            connections.introduce(address, "admin", 1.0)
        with pytest.raises(TooManyRequests, match="hold 12 connections, of at most 12"):
            connections.introduce(addresses[12], "admin", 1.0)
        connections.introduce(addresses[0], "admin", 1.0)  # who is there goes on
        for address in addresses[12:]:
            connections.introduce(address, ROLE, 1.0)
        assert connections.statistics()["known"] == 16
        for end in ends[0]:
            end.close()
        with pytest.raises(TooManyRequests):  # they are not counted at every refusal
            connections.introduce(addresses[12], "admin", 1.5)
        connections.introduce(addresses[12], "admin", 2.5)
        with pytest.raises(TooManyRequests):
            connections.introduce(addresses[13], "admin", 9.0)


def test_who_was_introduced_is_known_until_the_next_look() -> None:
    connections, client = Connections(1, most=4), ("127.0.0.1", "4711")
    assert not connections.knows(client, "admin")
    connections.introduce(client, "admin", 1.0)
    assert connections.knows(client, "admin")
    assert not connections.knows(client, ROLE)  # as another it is introduced again
    for port in range(1, 3):
        connections.introduce(("127.0.0.1", port), "admin", 1.0)
    with contextlib.suppress(TooManyRequests):
        connections.introduce(("127.0.0.1", 3), "admin", 5.0)  # who has left is forgotten
    assert not connections.knows(client, "admin")
