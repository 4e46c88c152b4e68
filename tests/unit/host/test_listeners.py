from __future__ import annotations

import os
import socket

import pytest

from mizzen.host.listeners import listened_on, listener_at, stranger_at


def test_who_listens_is_known_to_the_socket() -> None:
    with socket.create_server(("127.73.0.2", 0)) as server:
        port = server.getsockname()[1]
        found = listener_at("127.73.0.2", port)
        assert found is not None
        assert (found.address, found.port) == ("127.73.0.2", port)
        assert (found.uid, found.inode) == (os.geteuid(), os.fstat(server.fileno()).st_ino)
        assert listener_at("127.73.0.3", port) is None
        assert "127.73.0.2" in listened_on()
        assert stranger_at("127.73.0.2", port) == ""
    assert listener_at("127.73.0.2", port) is None
    assert "127.73.0.2" not in listened_on()


def test_whoever_listens_everywhere_would_answer_here_too() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        found = listener_at("127.73.0.4", server.getsockname()[1])
        assert found is not None
        assert found.inode == os.fstat(server.fileno()).st_ino


def test_an_address_that_is_none_is_an_error() -> None:
    with pytest.raises(OSError, match="illegal IP address"):
        listener_at("nonsense", 1)
    assert stranger_at("nonsense", 1) == ""
