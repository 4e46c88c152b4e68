"""The reason why one node does not take a pod; equal ones are counted together."""

from __future__ import annotations

from dataclasses import dataclass

from mizzen.scheduler.core.dra.allocate import Shortage


@dataclass(frozen=True, slots=True)
class Misfit:
    """The first thing in a pod's way on a node; `want` and `have` are in the unit of `what`."""

    word: str
    what: str = ""
    want: int = 0
    have: int = 0
    shortage: Shortage | None = None
