"""A node agent just large enough for workers: segment files, processes, the control word.

Used by tests and benchmarks; it speaks `base/segment.py` and nothing else.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from mizzen.base import segment
from mizzen.base.ring import Interval, Ring
from mizzen.base.segment import Control, RankState
from mizzen.train.files import Words, create_gang, create_rank, open_gang, open_rank


@dataclass
class Gang:
    """One job's workers under `folder`, rank r at 127.<network>.0.<10 + r>."""

    folder: Path
    command: list[str]
    size_max: int = 3
    network: int = 201
    quota: Callable[[int], list[str]] = lambda rank: []
    processes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    generation: int = 0

    def __post_init__(self) -> None:
        self.segments = self.folder / "segments"
        self.segments.mkdir(parents=True, exist_ok=True)
        (self.folder / "output").mkdir(exist_ok=True)
        create_gang(self.segments / "gang", Control(0, 0))
        self.page = open_gang(self.segments / "gang")
        self.page.set(segment.GANG_OFFSET_COORDINATOR_IP, int(IPv4Address(self.address(0))))
        self.page.set(segment.GANG_OFFSET_COORDINATOR_PORT, 29500)

    def address(self, rank: int) -> str:
        return f"127.{self.network}.0.{10 + rank}"

    def spawn(self, rank: int, awaits: int) -> None:
        path = self.segments / f"rank-{rank}"
        if not path.exists():
            create_rank(path, awaits)
        words = open_rank(path, write=True)
        words.set(segment.RANK_OFFSET_AWAITS, awaits)
        words.set(segment.RANK_OFFSET_STATE, RankState.NONE)
        environment = {
            **os.environ,
            "POD_IP": self.address(rank),
            "MIZZEN_SEGMENTS": str(self.segments),
            "MIZZEN_RANK": str(rank),
            "MIZZEN_JOB": "default/test",
            "MIZZEN_CHECKPOINTS": str(self.folder / "checkpoints"),
            "MIZZEN_OUTPUT": str(self.folder / "output"),
            "MIZZEN_SIZE_MAX": str(self.size_max),
        }
        with (
            (self.folder / f"rank-{rank}.out").open("ab") as out,
            (self.folder / f"rank-{rank}.err").open("ab") as err,
        ):
            self.processes[rank] = subprocess.Popen(
                [*self.quota(rank), sys.executable, *self.command],
                env=environment,
                stdout=out,
                stderr=err,
            )

    def form(self, size: int) -> None:
        """The controller's decision, carried to the workers."""
        self.generation += 1
        control = segment.pack_control(Control(self.generation, size))
        self.page.set(segment.GANG_OFFSET_CONTROL, control)

    def rank(self, rank: int) -> Words:
        return open_rank(self.segments / f"rank-{rank}", write=False)

    def state(self, rank: int) -> int:
        return self.rank(rank).get(segment.RANK_OFFSET_STATE)

    def steps(self, rank: int = 0) -> int:
        return self.rank(rank).get(segment.RANK_OFFSET_STEPS_DONE)

    def wait(self, what: str, condition: Callable[[], bool], seconds: float = 120) -> float:
        """Waits until `condition`; returns the seconds it took. A dead worker ends the wait."""
        began = time.monotonic()
        while not condition():
            if time.monotonic() - began > seconds:
                raise AssertionError(f"{what} did not happen within {seconds} s\n{self.errors()}")
            for rank, process in self.processes.items():
                if process.poll() not in (None, 0):
                    raise AssertionError(f"rank {rank} died waiting for: {what}\n{self.errors()}")
            time.sleep(0.005)
        return time.monotonic() - began

    def kill(self, rank: int) -> None:
        process = self.processes.pop(rank)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def close(self) -> None:
        for rank in list(self.processes):
            self.kill(rank)

    def errors(self) -> str:
        found = [p.read_text()[-2000:] for p in sorted(self.folder.glob("rank-*.err"))]
        return "\n".join(found)

    def log(self) -> list[dict[str, Any]]:
        """Every line that workers logged about their steps."""
        lines: list[dict[str, Any]] = []
        for path in sorted(self.folder.glob("rank-*.out")):
            lines += [json.loads(x) for x in path.read_text().splitlines() if x.startswith("{")]
        return lines

    def intervals(self, rank: int) -> list[Interval]:
        found, _, lost = Ring(self.rank(rank).view).read(0)
        assert lost == 0
        return found


def rows_by_step(log: list[dict[str, Any]]) -> dict[int, list[tuple[int, str]]]:
    """The rows of each step, joined by rank; a step logged by two sizes is an error."""
    parts: dict[int, dict[int, list[tuple[int, str]]]] = {}
    for entry in log:
        rows = [(int(i), str(h)) for i, h in entry["rows"]]
        seen = parts.setdefault(entry["step"], {}).setdefault(entry["rank"], rows)
        assert seen == rows, f"step {entry['step']} was fed twice with different rows"
    return {step: [row for _, rows in sorted(ranks.items()) for row in rows] for step, ranks in parts.items()}  # fmt: skip
