from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from mizzen.host.sockets import SocketFolder
from support.stranger import needs_root, python_as_stranger

CONNECT = """
import socket
become()
try:
    socket.socket(socket.AF_UNIX).connect(sys.argv[1])
    print("connected")
except OSError as error:
    print(type(error).__name__)
"""


def connect(path: str) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)
    return client


def test_a_folder_deeper_than_a_sockets_path_may_be(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*(["x" * 100] * 5))
    deep.mkdir(parents=True)
    sockets = SocketFolder(deep / "serving")
    with sockets.listen("a.sock", 1), connect(sockets.path("a.sock")):
        pass
    with sockets.listen("a.sock", 1), connect(sockets.path("a.sock")):
        pass  # what the first one left behind is no obstacle
    sockets.close()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_the_folder_is_ours_alone_under_any_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        sockets = SocketFolder(tmp_path / "serving")
    finally:
        os.umask(before)
    assert (tmp_path / "serving").stat().st_mode & 0o777 == 0o700
    sockets.close()


def test_a_folder_that_others_could_enter_is_closed_to_them(tmp_path: Path) -> None:
    (tmp_path / "serving").mkdir(mode=0o711)
    SocketFolder(tmp_path / "serving").close()
    assert (tmp_path / "serving").stat().st_mode & 0o777 == 0o700


def test_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "serving").symlink_to("elsewhere")
    with pytest.raises(OSError, match="a link"):
        SocketFolder(tmp_path / "serving")


@needs_root
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "serving").mkdir(mode=0o700)
    os.chown(tmp_path / "serving", 12345, 12345)
    with pytest.raises(OSError, match="user 12345"):
        SocketFolder(tmp_path / "serving")


@needs_root
def test_another_user_cannot_reach_a_socket(tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)  # so that nothing but the folder itself is in the way
    sockets = SocketFolder(tmp_path / "serving")
    with sockets.listen("a.sock", 1):
        path = str(tmp_path / "serving" / "a.sock")
        assert python_as_stranger(CONNECT, path) == "PermissionError"
        (tmp_path / "serving").chmod(0o755)
        (tmp_path / "serving" / "a.sock").chmod(0o777)
        assert python_as_stranger(CONNECT, path) == "connected"  # it was the folder that refused
    sockets.close()
