"""Chooses TCP ports to listen on, and names the process on one that is taken."""

from __future__ import annotations

import errno
import socket
from collections.abc import Container
from pathlib import Path

API_PORT = 7443
CERTIFICATE_PORT = 7444
GATEWAY_PORT = 7480
_LISTEN = "0A"  # TCP_LISTEN in /proc/net/tcp
_TRIES = 20
_CAP_NET_BIND_SERVICE = 1 << 10  # capabilities(7)
# Between the choice and the first listener, and while a server is being started again, nobody
# listens: a name of its own for each port (unix(7), abstract) says that it has its owner already.
_claims: dict[str, int] = {}  # name -> descriptor


class PortTaken(Exception):
    """A port that was asked for by number is in use; the message names who holds it."""


def choose(host: str, preferred: int, *, explicit: bool, others: Container[int] = ()) -> int:
    """A port that can be bound now: the preferred one, or (unless `explicit`) any free one.

    `others`: ports that this process has plans for already. No other instance is given it as long
    as this process lives, or one that inherits `claims`.
    Errors: PortTaken when an explicit port is taken; OSError when the address itself is wrong.
    """
    is_free = _is_free(host, preferred) and (explicit or preferred not in others)
    if is_free and claim(f"{host}:{preferred}"):
        return preferred
    if explicit:
        holder = "another instance of Mizzen" if is_free else holder_of(preferred)
        who = f" by {holder}" if holder else ""
        raise PortTaken(
            f"port {preferred} on {host} is in use{who}; choose another, or leave it out"
        )
    for _ in range(_TRIES):
        with _bind(host, 0) as free:
            port = int(free.getsockname()[1])
        if port not in others and claim(f"{host}:{port}"):
            return port
    raise OSError(errno.EADDRINUSE, "no port is free")


def may_listen_on(port: int) -> bool:
    """True if this user may listen on a port of this number at all; below 1024 not all may."""
    try:
        first = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
        if port >= first:
            return True
        lines = Path("/proc/self/status").read_text().splitlines()
    except (OSError, ValueError):
        return port >= 1024
    held = next((int(line.split()[1], 16) for line in lines if line.startswith("CapEff:")), 0)
    return bool(held & _CAP_NET_BIND_SERVICE)


def claims() -> list[int]:
    """The descriptors that hold the chosen ports, for passing on."""
    return list(_claims.values())


def claim(name: str) -> bool:
    """True if this process has what is named so for itself among all instances."""
    if name in _claims:
        return True
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        holder.bind(f"\0mizzen/{name}")
    except OSError:
        holder.close()
        return False
    _claims[name] = holder.detach()
    return True


def is_claimed(name: str) -> bool:
    """True if this process has it already."""
    return name in _claims


def holder_of(port: int) -> str:
    """'name (pid 123)' of the process that listens on this port; "" when it is not ours to know."""
    inode = _listening_inode(port)
    if not inode:
        return ""
    wanted = f"socket:[{inode}]"
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(link.readlink()) == wanted for link in (entry / "fd").iterdir()):
                return f"{(entry / 'comm').read_text().strip()} (pid {entry.name})"
        except (PermissionError, FileNotFoundError, ProcessLookupError):
            continue
    return ""


def _is_free(host: str, port: int) -> bool:
    try:
        with _bind(host, port):
            return True
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return False
        raise


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    probe = socket.socket(family, socket.SOCK_STREAM)
    try:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
    except OSError:
        probe.close()
        raise
    return probe


def _listening_inode(port: int) -> str:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except FileNotFoundError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTEN and int(fields[1].rsplit(":", 1)[1], 16) == port:
                return fields[9]
    return ""
