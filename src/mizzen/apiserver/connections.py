"""Bounds idle connections, so that file descriptors never run out for good.

The HTTP server accepts in native threads and knows no difference between its clients. Where
descriptors or connections get scarce, those that have not shown a token are shut down, the
clients that have keep theirs. Users together may hold three quarters of all; the rest is for the
instance's own roles, without which nothing is scheduled, run or told any more. While accepting
fails for want of descriptors the server looks after no handshake either, so that it would never
free one: some are kept back to let it go on, while nobody else comes in.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import logging
import os
import resource
import socket
from collections.abc import Generator, Iterable, Iterator

from mizzen.base.errors import TooManyRequests
from mizzen.base.names import IDENTITY_PREFIX

CONNECTIONS_MAX = 8192
BACKLOG_MAX = 1024  # connections that wait to be accepted
_OTHER_FILES = 1024  # the store, logs that are followed
_FILES_MAX = CONNECTIONS_MAX + _OTHER_FILES
_KNOWN_MAX = 4 * CONNECTIONS_MAX  # addresses; some of them have left
_KEPT_BACK_MAX = 2 * BACKLOG_MAX
_LOOK_S = 1.0
_STRANGER_S = 1.0  # what a stranger has for its handshake and its head where it is tight
_RELIEF_S = 1.5  # the HTTP server accepts again a second after it could not
_TIGHT_PERCENT = 75
_USERS_PERCENT = 75
_EXHAUSTED_LOOKS_MAX = 12  # then only a new process helps
_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27  # asm-generic/socket.h
_log = logging.getLogger(__name__)

Address = tuple[str, int]
Ports = frozenset[int]


def limit_files() -> None:
    """Gives the process as many descriptors as it may want, and keeps some back."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = _FILES_MAX if hard == resource.RLIM_INFINITY else min(_FILES_MAX, hard - hard // 4)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def backlog() -> int:
    """The number of connections that may wait: fewer than descriptors are kept back."""
    return max(8, min(BACKLOG_MAX, _kept_back() // 2))


def connections_max() -> int:
    """The maximum of connections, other descriptors considered."""
    soft = _soft_limit()
    return max(16, min(CONNECTIONS_MAX, soft - min(_OTHER_FILES, 32 + soft // 6)))


class Connections:
    """The connections of the server that listens on some ports of this process."""

    def __init__(self, *ports: int, most: int = 0) -> None:
        """`most`: how many there may be; 0: as many as the process may have."""
        self._ports = frozenset(ports)
        self._users_max = (most or connections_max()) * _USERS_PERCENT // 100
        self._known: set[Address] = set()
        self._introduced: dict[tuple[str, int | str], str] = {}  # by whom, since the last look
        self._users: set[Address] = set()  # those of them that are no role's
        self._counted_at = -_LOOK_S  # when all of `_users` were there
        self._strangers: dict[Address, float] = {}  # when they were first seen
        self._shut = 0

    def statistics(self) -> dict[str, int]:
        return {
            "known": len(self._known),
            "users": len(self._users),
            "strangers": len(self._strangers),
            "shut": self._shut,
        }

    def knows(self, client: tuple[str, int | str], identity: str) -> bool:
        """True if this client has just been introduced as this very one: it need not be again."""
        return self._introduced.get(client) == identity

    def introduce(self, client: tuple[str, int | str], identity: str, now: float) -> None:
        """This client has shown a token. The HTTP server names ports in digits.

        Errors: TooManyRequests where users have all that is theirs; it stays a stranger then.
        """
        host, port = client
        address = (host, int(port))
        if not identity.startswith(IDENTITY_PREFIX) and address not in self._users:
            if len(self._users) >= self._users_max and now >= self._counted_at + _LOOK_S:
                self._counted_at = now
                self._keep(peer for _, peer in _peers(self._ports))
            if len(self._users) >= self._users_max:
                raise TooManyRequests(
                    f"users of this API server hold {len(self._users)} connections, of at most "
                    f"{self._users_max}: close some, or share them",
                    retry_after_s=1,
                )
            self._users.add(address)
        self._known.add(address)
        if len(self._introduced) >= CONNECTIONS_MAX:
            self._introduced.clear()
        self._introduced[client] = identity

    def _keep(self, there: Iterable[Address]) -> None:
        """Forgets who has left."""
        self._introduced.clear()
        self._known.intersection_update(there)
        self._users &= self._known

    def cut(self, client: tuple[str, int | str]) -> None:
        """Shuts this client's connection down, whatever is under way on it."""
        wanted = (client[0], int(client[1]))
        _shut_down([fd for fd, peer in _peers(self._ports) if peer == wanted])

    async def guard(self) -> None:
        """Runs until cancelled, once the server listens. Errors: OSError when descriptors cannot
        be won back."""
        loop = asyncio.get_running_loop()
        exhausted = 0
        for fd in _listeners(self._ports):
            with _borrowed(fd) as listener:
                listener.listen(backlog())  # Granian takes no less than 128
        while True:
            await asyncio.sleep(_LOOK_S)
            files = _open_files()
            exhausted = exhausted + 1 if files is None else 0
            if files is None:
                if exhausted > _EXHAUSTED_LOOKS_MAX:
                    raise _no_files_left()
                with _more_files(), _nobody_comes(self._ports):
                    self._look(loop.time(), patience_s=0.0)
                    await asyncio.sleep(_RELIEF_S)
            elif files * 100 > _TIGHT_PERCENT * min(_soft_limit(), CONNECTIONS_MAX):
                self._look(loop.time())
            else:
                self._strangers.clear()
                if len(self._known) > _KNOWN_MAX:
                    self._keep(peer for _, peer in _peers(self._ports))

    def _look(self, now: float, patience_s: float = _STRANGER_S) -> None:
        """Shuts down strangers that have had their time. Their descriptors stay the server's."""
        peers = list(_peers(self._ports))
        there = {peer for _, peer in peers}
        self._keep(there)
        strangers = there - self._known
        self._strangers = {peer: self._strangers.get(peer, now) for peer in strangers}
        overdue = {peer for peer, since in self._strangers.items() if since <= now - patience_s}
        late = [fd for fd, peer in peers if peer in overdue]
        _shut_down(late)
        if late:
            self._shut += len(late)
            _log.warning(
                "%d connections of %d were shut down: they showed no token, and file "
                "descriptors are scarce (limit %d)", len(late), len(peers), _soft_limit(),
            )  # fmt: skip


def _shut_down(fds: Iterable[int]) -> None:
    for fd in fds:
        with _borrowed(fd) as connection, contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def _soft_limit() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _FILES_MAX if soft == resource.RLIM_INFINITY else soft


def _kept_back() -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY in (soft, hard):
        return _KEPT_BACK_MAX
    return min(_KEPT_BACK_MAX, hard - soft)


@contextlib.contextmanager
def _more_files() -> Generator[None]:
    """Hands out what was kept back, for a while."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft + _kept_back(), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _open_files() -> int | None:
    """The number of open descriptors; None if there is none left to count with."""
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError as error:
        if error.errno == errno.EMFILE:
            return None
        raise


def _descriptors() -> Iterable[int]:
    """Those that are open; where none is left to list them with, all that might be."""
    try:
        return [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError as error:
        if error.errno == errno.EMFILE:
            return range(_soft_limit() + _kept_back())
        raise


def _peers(ports: Ports) -> Iterator[tuple[int, Address]]:
    """The connections that this process has accepted on these ports, by descriptor."""
    for fd in _descriptors():
        try:
            with _borrowed(fd) as connection:
                if connection.getsockname()[1] in ports:
                    host, peer_port = connection.getpeername()[:2]
                    yield fd, (host, peer_port)
        except (OSError, IndexError):
            continue  # no socket, not of the internet, or the one that listens


@contextlib.contextmanager
def _nobody_comes(ports: Ports) -> Generator[None]:
    """Stops accepting connections meanwhile; clients wait, and retry a second later."""
    listeners = list(_listeners(ports))
    for fd in listeners:
        with _borrowed(fd) as listener, contextlib.suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, _drop_all())
    try:
        yield
    finally:
        for fd in listeners:
            with _borrowed(fd) as listener, contextlib.suppress(OSError):
                listener.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)


def _listeners(ports: Ports) -> Iterator[int]:
    for fd in _descriptors():
        try:
            with _borrowed(fd) as listener:
                is_listening = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
                if is_listening and listener.getsockname()[1] in ports:
                    yield fd
        except (OSError, IndexError):
            continue


class _Instruction(ctypes.Structure):
    """struct sock_filter of linux/filter.h."""

    _fields_ = (
        ("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8),
        ("k", ctypes.c_uint32),
    )  # fmt: skip


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("len", ctypes.c_uint16), ("filter", ctypes.POINTER(_Instruction)))


_RETURN_NOTHING = _Instruction(code=0x06, k=0)  # BPF_RET | BPF_K: keep 0 bytes of the packet


def _drop_all() -> bytes:
    return bytes(_Program(1, ctypes.pointer(_RETURN_NOTHING)))


@contextlib.contextmanager
def _borrowed(fd: int) -> Generator[socket.socket]:
    """A socket over a descriptor that others own and close. Errors: OSError for no socket."""
    connection = socket.socket(fileno=fd)
    try:
        yield connection
    finally:
        connection.detach()


def _no_files_left() -> OSError:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return OSError(
        errno.EMFILE,
        f"all {soft} file descriptors stay in use: start again, with a higher limit than {hard} "
        "(ulimit -Hn)",
    )
