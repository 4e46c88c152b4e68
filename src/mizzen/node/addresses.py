"""Addresses of pods in the instance's 127.b.0.0/16: unique among live pods, kept for life."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address

FIRST, LAST = 2, 255 * 256 - 2


class Addresses:
    """Hands out 127.<b>.x.y in turn, so that an address is not reused soon.

    Errors: RuntimeError when 65,000 pods live at once.
    """

    def __init__(self, network: int) -> None:
        self._network = network
        self._held: dict[str, int] = {}  # uid -> number
        self._next = FIRST

    def statistics(self) -> Mapping[str, int]:
        return {"held": len(self._held)}

    def take(self, uid: str) -> str:
        """The pod's address, a new one if it has none."""
        if uid not in self._held:
            used = set(self._held.values())
            for _ in range(LAST):
                number = self._next
                self._next = number + 1 if number < LAST else FIRST
                if number not in used and number % 256 not in (0, 255):
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

    def release(self, uid: str) -> None:
        self._held.pop(uid, None)

    def _text(self, number: int) -> str:
        return f"127.{self._network}.{number // 256}.{number % 256}"
