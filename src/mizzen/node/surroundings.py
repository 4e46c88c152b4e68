"""What the agent's parts may ask of the agent: its state, its tools, and to feed an event.

The agent owns its parts and they need it in turn; they know it by these protocols alone, so
that imports go one way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mizzen.base.clock import Clock
    from mizzen.client.events import EventRecorder
    from mizzen.node.boundary import Boundary
    from mizzen.node.config import NodeConfig
    from mizzen.node.core.devices import Allocated, Device
    from mizzen.node.core.words import Event
    from mizzen.node.reporter import Reporter
    from mizzen.node.runtimes.process.cgroups import Cgroups
    from mizzen.node.runtimes.process.shim_client import Shim
    from mizzen.node.slot import Slot


class Surroundings(Protocol):
    """The agent without its parts."""

    slots: dict[str, Slot]  # pod uid ->
    allocated: dict[str, Allocated]  # driver/device ->
    devices: list[Device]
    cgroups: Cgroups
    clock: Clock
    config: NodeConfig
    shim: Shim
    events: EventRecorder
    reporter: Reporter
    boundary: Boundary

    @property
    def running(self) -> Mapping[str, tuple[int, int]]:
        """Pid and start ticks by run key."""
        ...

    def feed(self, slot: Slot, event: Event) -> None:
        """One event for one pod: decide, act, report."""
        ...
