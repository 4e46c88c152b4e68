"""One role as its supervisor knows it."""

from __future__ import annotations

from dataclasses import dataclass, field

from mizzen.compose.logs import RotatingLog
from mizzen.compose.pulse import Pulse
from mizzen.compose.state import RoleState
from mizzen.host.process import identify


@dataclass(slots=True)
class Role:
    """`due_at`: monotonic time of the next start, None while it runs. `reason`: how it last
    ended."""

    name: str
    address: str
    log: RotatingLog
    pid: int = 0
    pid_handle: int = -1
    pipes: set[int] = field(default_factory=lambda: set[int]())
    pulse: Pulse = field(default_factory=Pulse)
    syncing: int = 0  # objects that its caches hold so far, 0 once it is ready
    silent_s: int = 0  # since when it has not answered, 0 while it does
    started_ns: int = 0
    started_at: int = 0  # monotonic
    ready: bool = False
    was_ready: bool = False
    deaths: int = 0
    restarts: int = 0
    delay_s: float = 0.0
    due_at: int | None = 0
    reason: str = ""
    verdict: str = ""  # why it was killed, from then until it has ended

    def state(self) -> RoleState:
        process = identify(self.pid) if self.pid else None
        return RoleState(
            role=self.name,
            pid=process.pid if process else 0,
            start=process.start if process else 0,
            address=self.address,
            started_ns=self.started_ns,
            restarts=self.restarts,
            ready=self.ready,
            silent_s=self.silent_s,
            syncing=self.syncing,
            reason=self.reason,
        )
