"""UNIX sockets in a folder of our own."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

from mizzen.host import private


class SocketFolder:
    """A folder whose sockets only its user can reach; made when it is missing.

    Sockets are named through the folder's descriptor, because a socket's path may have 107 bytes
    only and a home may be longer. Errors: OSError where the folder is not ours.
    """

    def __init__(self, folder: Path) -> None:
        private.make_folder(folder)
        self.folder = folder
        self._fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)

    def path(self, name: str) -> str:
        """The path by which this process reaches the socket `name`, while the folder is open."""
        return f"/proc/self/fd/{self._fd}/{name}"

    def listen(self, name: str, backlog: int) -> socket.socket:
        """A listening socket in place of what an earlier process left under this name."""
        self.remove(name)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(self.path(name))
            listener.listen(backlog)
        except OSError:
            listener.close()
            raise
        return listener

    def remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._fd)

    def close(self) -> None:
        os.close(self._fd)
