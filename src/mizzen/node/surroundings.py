"""What the agent's parts may ask of the agent: its state, its tools, and to feed an event.

The agent owns its parts and they need it in turn; they know it by these protocols alone, so
that imports go one way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mizzen.base.clock import Clock
    from mizzen.client.events import EventRecorder
    from mizzen.node.boundary import Boundary
    from mizzen.node.config import NodeConfig
    from mizzen.node.core.devices import Allocated, Device
    from mizzen.node.core.words import Event
    from mizzen.node.reporter import Reporter
    from mizzen.node.runtimes.registry import Runtimes
    from mizzen.node.slot import Slot


class Surroundings(Protocol):
    """The agent without its parts."""

    slots: dict[str, Slot]  # pod uid ->
    allocated: dict[str, Allocated]  # driver/device ->
    devices: list[Device]
    runtimes: Runtimes
    clock: Clock
    config: NodeConfig
    events: EventRecorder
    reporter: Reporter
    boundary: Boundary

    def feed(self, slot: Slot, event: Event) -> None:
        """One event for one pod: decide, act, report."""
        ...
