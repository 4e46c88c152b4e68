"""Chooses the range of the instance's cluster IPs: no other instance's, and not its pods'.

Pods have 127.b.0.0/16 with b from 64 on (`home.py`). Services have a /20 below: which one follows
from the home, and where another instance holds it, the next that is free. A range is held by an
abstract UNIX socket named after it, as ports are (`ports.py`), for as long as the instance lives.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network
from pathlib import Path

from mizzen.host import ports

POOL = IPv4Network("127.0.0.0/10")  # 127.0.x.y is the machine's own, all else is given out
_MACHINE = IPv4Network("127.0.0.0/16")
_LOOPBACK = IPv4Network("127.0.0.0/8")
_BITS = 20
_BITS_MAX = 30
_BITS_MIN = 8
_HELD = re.compile(r"@mizzen/services/([0-9./]+)$", re.MULTILINE)


class RangeTaken(Exception):
    """A range that cannot be had; the message says why and what to do."""


def choose(remembered: str, wished: str | None, seed: int) -> str:
    """The range for this start, held from now on. Errors: RangeTaken.

    One that was `wished` for, now or earlier, is had or refused; one that was chosen here gives
    way to another instance that has it now.
    """
    if wished:
        return _take(parse(wished))
    if remembered:
        network = parse(remembered)
        if not _is_of_pool(network) or _claim(network):
            return _take(network)
    ranges = list(POOL.subnets(new_prefix=_BITS))
    ranges = [each for each in ranges if not each.overlaps(_MACHINE)]
    for offset in range(len(ranges)):
        network = ranges[(seed + offset) % len(ranges)]
        if _claim(network):
            return str(network)
    raise RangeTaken("all ranges for cluster IPs are held by other instances of Mizzen")


def first_address(text: str) -> str:
    """The API server's own address of a range."""
    return str(IPv4Network(text)[1])


def is_loopback(text: str) -> bool:
    """True if addresses of the range are this machine's alone; so is what was not chosen yet."""
    return not text or IPv4Network(text).overlaps(_LOOPBACK)


def parse(text: str) -> IPv4Network:
    """Errors: RangeTaken for what cannot be a range of cluster IPs."""
    try:
        network = IPv4Network(text)
    except ValueError as error:
        raise RangeTaken(f"{text!r} is no IPv4 range such as 127.5.16.0/20: {error}") from None
    if not _BITS_MIN <= network.prefixlen <= _BITS_MAX:
        raise RangeTaken(
            f"{network} has a prefix of {network.prefixlen} bits, which must be from {_BITS_MIN} "
            f"to {_BITS_MAX}"
        )
    if network.overlaps(_MACHINE) or (network.overlaps(_LOOPBACK) and not network.subnet_of(POOL)):
        raise RangeTaken(
            f"{network} meets addresses of this machine or of pods; of loopback addresses choose "
            "a range between 127.1.0.0 and 127.63.255.255, such as 127.5.16.0/20"
        )
    return network


def _take(network: IPv4Network) -> str:
    if _claim(network):
        return str(network)
    raise RangeTaken(
        f"{network} meets the range of another instance of Mizzen that runs; choose another"
    )


def _is_of_pool(network: IPv4Network) -> bool:
    return network.subnet_of(POOL) and network.prefixlen == _BITS


def _claim(network: IPv4Network) -> bool:
    """True if this process has it for itself; what only overlaps counts, too."""
    name = f"services/{network}"
    if ports.is_claimed(name):
        return True
    if any(network.overlaps(other) for other in _held()):
        return False
    return ports.claim(name)


def _held() -> list[IPv4Network]:
    try:
        found = _HELD.findall(Path("/proc/net/unix").read_text())
    except OSError:
        return []
    return [IPv4Network(text) for text in found]
