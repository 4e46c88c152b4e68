"""The state and tools that the parts of one agent share, and the way to tell a pod's machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mizzen.base.clock import Clock
from mizzen.base.objects import Obj
from mizzen.client.events import EventRecorder
from mizzen.node.boundary import Boundary
from mizzen.node.config import NodeConfig
from mizzen.node.core.devices import Allocated, Device
from mizzen.node.core.events import Event
from mizzen.node.reporter import Reporter
from mizzen.node.runtimes.registry import Runtimes
from mizzen.node.slot import Slot


@dataclass(slots=True)
class AgentContext:
    """Made by the agent; parts are given what else they need one by one."""

    config: NodeConfig
    clock: Clock
    events: EventRecorder
    runtimes: Runtimes
    devices: Sequence[Device]
    reporter: Reporter
    boundary: Boundary
    feed: Callable[[Slot, Event], None]  # one event for one pod: decide, act, report
    slots: dict[str, Slot] = field(default_factory=dict[str, Slot])  # pod uid ->
    allocated: dict[str, Allocated] = field(
        default_factory=dict[str, Allocated]
    )  # driver/device ->
    claims: Mapping[Any, Obj] = field(default_factory=dict[Any, Obj])  # all that it watches
