"""Finds the listeners on this machine's TCP addresses, from the kernel, which cannot be deceived.

Source: sock_diag(7), linux/inet_diag.h. An exact question costs some microseconds, whatever the
number of sockets.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_SOCK_DIAG = 4  # NETLINK_SOCK_DIAG
_BY_FAMILY = 20  # SOCK_DIAG_BY_FAMILY
_REQUEST, _DUMP = 0x1, 0x300  # NLM_F_REQUEST, NLM_F_ROOT | NLM_F_MATCH
_ERROR, _DONE = 2, 3  # NLMSG_ERROR, NLMSG_DONE
_LISTEN = 1 << 10  # TCP_LISTEN as a bit
_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_QUESTION = struct.Struct("=BBBxI")  # inet_diag_req_v2: family, protocol, extensions, states
_ID = struct.Struct("!HH16s16sI8s")  # inet_diag_sockid: ports, addresses, interface, cookie
_ANSWER = struct.Struct("=BBBB48sIIIII")  # inet_diag_msg: ..., expires, queues, uid, inode
_ANY_COOKIE = b"\xff" * 8
_BUFFER_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening TCP socket; `uid` made it, `inode` tells it from the next one at its place."""

    address: str
    port: int
    uid: int
    inode: int


def listener_at(address: str, port: int) -> Listener | None:
    """The listener that a connection to `address` (IPv4) would reach, None if there is none.

    Errors: OSError where the kernel does not say.
    """
    packed = socket.inet_aton(address).ljust(16, b"\0")
    asked = _ID.pack(port, 0, packed, bytes(16), 0, _ANY_COOKIE)
    for found in _ask(_REQUEST, asked):
        return found
    return None


def stranger_at(address: str, port: int, is_ours: Callable[[int], bool] = lambda _: False) -> str:
    """Why connecting there is unsafe: "" unless another user would answer.

    `is_ours` says whether the socket of an inode is held by a process of ours that runs as
    another user. A kernel that does not say who listens makes nobody a stranger.
    """
    try:
        found = listener_at(address, port)
    except OSError:
        return ""
    if found is None or found.uid == os.geteuid() or is_ours(found.inode):
        return ""
    return f"{address}:{port} is listened on by user {found.uid}, a stranger"


def holds(pid: int, inode: int) -> bool:
    """True if the process has the socket of this inode open, as far as we may look."""
    try:
        with os.scandir(f"/proc/{pid}/fd") as entries:
            return any(os.readlink(entry.path) == f"socket:[{inode}]" for entry in entries)
    except OSError:
        return False  # gone, or not ours to look at


def listened_on() -> frozenset[str]:
    """Every IPv4 address with a listener of its own. Errors: OSError."""
    asked = _ID.pack(0, 0, bytes(16), bytes(16), 0, _ANY_COOKIE)
    return frozenset(found.address for found in _ask(_REQUEST | _DUMP, asked))


def _ask(flags: int, asked: bytes) -> Iterator[Listener]:
    body = _QUESTION.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, _LISTEN) + asked
    with socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG
    ) as kernel:
        kernel.send(_HEADER.pack(_HEADER.size + len(body), _BY_FAMILY, flags, 0, 0) + body)
        while True:
            data = kernel.recv(_BUFFER_BYTES)
            at = 0
            while at < len(data):
                length, kind = _HEADER.unpack_from(data, at)[:2]
                if kind in (_DONE, _ERROR):
                    code = struct.unpack_from("=i", data, at + _HEADER.size)[0]
                    if kind == _ERROR and code not in (0, -2):  # ENOENT: nobody listens
                        raise OSError(-code, "the kernel does not say who listens")
                    return
                yield _listener(data, at + _HEADER.size)
                at += (length + 3) & ~3
            if not flags & _DUMP:
                return


def _listener(data: bytes, at: int) -> Listener:
    fields = _ANSWER.unpack_from(data, at)
    port, _, address = _ID.unpack(fields[4])[:3]
    return Listener(str(ipaddress.IPv4Address(address[:4])), port, fields[8], fields[9])
