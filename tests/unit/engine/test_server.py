from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mizzen.engine.model import ModelFile
from mizzen.engine.server import STUCK_S, EngineServer


@dataclass
class Steps:
    """As much of a worker as this needs."""

    running: int = 0
    steps: int = 0


def test_an_engine_that_completes_no_step_is_stuck() -> None:
    server = EngineServer("tiny", ModelFile(Path("/m"), 512, False, 0))
    worker: Any = Steps()
    server.worker = worker
    assert server.stuck_s(1000.0) == 0
    assert server.stuck_s(9000.0) == 0  # nothing to do is no reason to be restarted
    worker.running, worker.steps = 2, 7
    assert server.stuck_s(9010.0) == 0
    assert server.stuck_s(9010.0 + STUCK_S + 1) > STUCK_S
    worker.steps += 1
    assert server.stuck_s(9500.0) == 0
