"""Addresses of pods in the instance's 127.b.0.0/16: unique on the machine, kept for life.

Two homes may have the same b, and any user may listen on any loopback address. So an address is
ours only once it is claimed: by the abstract UNIX socket named after it, which the kernel gives to
one process and takes back when that ends; and one on which somebody listens already is passed over.
"""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Mapping
from ipaddress import IPv4Address

from mizzen.host.listeners import listened_on

FIRST, LAST = 2, 255 * 256 - 2
CLAIMS_TRIED_MAX = 4096  # taken by others in a row; somebody who holds more means ill


class Addresses:
    """Hands out 127.<b>.x.y in turn, so that an address is not reused soon.

    Errors: RuntimeError when 65,000 pods live at once.
    """

    def __init__(self, network: int) -> None:
        self._network = network
        self._held: dict[str, int] = {}  # uid -> number
        self._claims: dict[str, socket.socket] = {}
        self._next = FIRST
        self._passed_over = 0

    def statistics(self) -> Mapping[str, int]:
        return {"held": len(self._held), "passed_over": self._passed_over}

    def take(self, uid: str, had: str = "") -> str:
        """The pod's address: the one it `had` where nothing else is known, else a new one."""
        if uid not in self._held and had not in map(self._text, self._held.values()):
            self.restore(uid, had)
        if uid not in self._held:
            used = set(self._held.values())
            strange = _listened_on()
            tried = 0
            for _ in range(LAST):
                number = self._next
                self._next = number + 1 if number < LAST else FIRST
                if number in used or number % 256 in (0, 255):
                    continue
                address = self._text(number)
                if tried < CLAIMS_TRIED_MAX and (
                    address in strange or not self._claim(uid, address)
                ):
                    self._passed_over += 1
                    tried += 1
                    continue
                self._held[uid] = number
                break
            else:
                raise RuntimeError("no pod address is left")
        return self._text(self._held[uid])

    def restore(self, uid: str, address: str) -> None:
        """Notes an address handed out by an earlier agent; any other text is passed over."""
        try:
            whole = int(IPv4Address(address))
        except ValueError:
            return
        number = whole & 0xFFFF
        if whole >> 16 == 127 << 8 | self._network and FIRST <= number <= LAST:
            self._held[uid] = number
            self._next = max(self._next, number + 1)
            self._claim(uid, address)  # its pod runs there, whoever claimed it while we were away

    def release(self, uid: str) -> None:
        self._held.pop(uid, None)
        claim = self._claims.pop(uid, None)
        if claim is not None:
            claim.close()

    def close(self) -> None:
        """Gives up the claims, for the next agent; what runs goes on."""
        for claim in self._claims.values():
            claim.close()
        self._claims.clear()

    def _claim(self, uid: str, address: str) -> bool:
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            claim.bind(f"\0mizzen-pod-{address}")
        except OSError as error:
            claim.close()
            if error.errno == errno.EADDRINUSE:
                return False
            raise
        self._claims[uid] = claim
        return True

    def _text(self, number: int) -> str:
        return f"127.{self._network}.{number // 256}.{number % 256}"


def _listened_on() -> frozenset[str]:
    with contextlib.suppress(OSError):  # a kernel that does not say
        return listened_on()
    return frozenset()
