"""Kills a process at its n-th write to the API server."""

from __future__ import annotations

from dataclasses import dataclass

from support.proxy import Proxy, Write
from support.second_home import Process


@dataclass
class Executioner:
    """Strikes before the server has the write, or before its answer is heard.

    Other writes are under way at the same time; whether they arrive is left to chance, as it is
    in life.
    """

    proxy: Proxy
    nth: int
    is_answered_first: bool
    process: Process | None = None
    is_done: bool = False

    def arm(self, process: Process) -> None:
        """From now on writes are counted."""
        self.process = process
        self.proxy.writes.clear()
        if self.is_answered_first:
            self.proxy.after = self._strike
        else:
            self.proxy.before = self._strike_before

    def disarm(self) -> None:
        self.proxy.after = lambda write: None
        self.proxy.before = lambda write: None

    def _strike_before(self, write: Write) -> tuple[int, bytes] | None:
        self._strike(write)
        return (503, b"{}") if self.is_done and write.number == self.nth else None

    def _strike(self, write: Write) -> None:
        if write.number == self.nth and not self.is_done and self.process is not None:
            self.is_done = True
            self.process.kill()
