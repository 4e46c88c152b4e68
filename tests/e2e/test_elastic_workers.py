"""Three real JAX workers through shrink, growth and `kill -9`, against an undisturbed run.

The test plays the node agent (tests/support/training_gang.py); everything else is real: processes,
collectives over loopback, shared memory, compiled programs.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from mizzen.base import segment
from mizzen.base.segment import Line, RankState
from support.training_gang import Gang, rows_by_step

pytest.importorskip("jax")

SCRIPT = Path(__file__).parents[2] / "examples" / "first_light" / "train.py"
STEPS = 70
LOSS_TOLERANCE = 0.0  # gradients are rounded so that their sums are exact (model.accumulate)
PAUSE_S_MAX = 5.0


@pytest.fixture
def folder() -> Iterator[Path]:
    """Segments belong in shared memory, as the agent keeps them."""
    with tempfile.TemporaryDirectory(prefix="mizzen-test-", dir="/dev/shm") as name:
        yield Path(name)


def command(*more: str) -> list[str]:
    return [str(SCRIPT), "--steps", str(STEPS), *more]


def start(gang: Gang, size: int, awaits: int) -> None:
    for rank in range(size):
        gang.spawn(rank, awaits)
    gang.wait("workers await", lambda: all(gang.state(r) == RankState.AWAITING for r in range(size)))  # fmt: skip
    gang.form(size)


def undisturbed(folder: Path) -> list[dict[str, Any]]:
    gang = Gang(folder / "quiet", command(), size_max=3, network=202)
    try:
        start(gang, 1, awaits=1)
        gang.wait("the quiet run ends", lambda: gang.processes[0].poll() == 0)
        return gang.log()
    finally:
        gang.close()


def test_ranks_come_and_go_and_no_step_is_lost_or_redone(folder: Path) -> None:
    expected = undisturbed(folder)
    gang = Gang(folder / "gang", command("--export-at", "5"), size_max=3, network=203)
    try:
        start(gang, 3, awaits=1)
        gang.wait("step 6", lambda: gang.steps() >= 6)
        assert_listens_on_its_own_address_only(gang)

        gang.form(2)
        left_s = gang.wait("rank 2 leaves", lambda: gang.state(2) == RankState.LEFT)
        gang.kill(2)
        gang.wait("two go on", lambda: gang.steps() >= 12)

        gang.spawn(2, awaits=gang.generation + 1)
        gang.wait("rank 2 is back", lambda: gang.state(2) == RankState.AWAITING)
        gang.form(3)
        gang.wait("rank 2 joins", lambda: gang.state(2) == RankState.JOINED)
        joined = gang.steps()
        gang.wait("three go on", lambda: gang.steps() >= joined + 4)

        for rank in (1, 0, 2):  # the death of one takes the gang down
            gang.kill(rank)
        done = gang.steps()
        start(gang, 3, awaits=gang.generation + 1)
        restart_s = gang.wait("the next step", lambda: gang.steps() > done)
        gang.wait("the end", lambda: all(p.poll() == 0 for p in gang.processes.values()))
        check_against(expected, gang)
        pauses = check_intervals(gang, {done - 1, done})
    finally:
        gang.close()
    assert (folder / "gang" / "output" / "model.gguf").stat().st_size > 1_000_000
    print(f"\nrank 2 left {left_s:.2f} s after the control word changed; pauses {pauses} s;")
    print(f"next step {restart_s:.2f} s after the restarted workers were ready")


def check_against(expected: list[dict[str, Any]], gang: Gang) -> None:
    """The same rows in every step, and the same losses to the last bit."""
    found = gang.log()
    assert rows_by_step(found) == rows_by_step(expected)
    losses = {entry["step"]: entry["loss"] for entry in expected}
    worst = max(abs(entry["loss"] - losses[entry["step"]]) for entry in found)
    print(f"\nlosses differ by at most {worst:.1e}")
    assert worst <= LOSS_TOLERANCE
    assert losses[STEPS - 1] < losses[0] - 1


def check_intervals(gang: Gang, killed_in: set[int]) -> list[float]:
    """No step useful twice, none redone, none missing; returns the pauses of rank 0.

    A rank that is killed between staging a step and recording it lacks that one: `killed_in`. The
    agent, which is not here, books it by the staged state.
    """
    for rank in range(3):
        intervals = gang.intervals(rank)
        assert all(a.end <= b.start for a, b in pairwise(intervals))
        steps = [i.step for i in intervals if i.line == Line.USEFUL_STEP]
        assert len(steps) == len(set(steps))
        assert not [i for i in intervals if i.line == Line.REDONE_STEP]
        assert steps == sorted(steps)
        assert rank == 2 or set(range(STEPS)) - set(steps) <= killed_in
        assert gang.steps(rank) == STEPS
        assert gang.state(rank) == RankState.FINISHED
    reforming = [i for i in gang.intervals(0) if i.line == Line.REFORMING]
    pauses = [round((i.end - i.start) / 1e9, 3) for i in reforming]
    assert len(pauses) == 2
    assert max(pauses) < PAUSE_S_MAX
    return pauses


def assert_listens_on_its_own_address_only(gang: Gang) -> None:
    """Every listening TCP socket of a worker is bound to its pod's address."""
    for rank, process in gang.processes.items():
        inodes = {
            link.removeprefix("socket:[").rstrip("]")
            for fd in Path(f"/proc/{process.pid}/fd").iterdir()
            if (link := os.readlink(fd)).startswith("socket:")
        }
        bound = {
            address
            for name in ("tcp", "tcp6")
            for address, inode in listening(Path(f"/proc/{process.pid}/net/{name}"))
            if inode in inodes
        }
        assert bound == {gang.address(rank)}


def listening(table: Path) -> Iterator[tuple[str, str]]:
    """Local address and inode of every listening socket. Source: proc_pid_net(5)."""
    for line in table.read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] != "0A":
            continue
        words = bytes.fromhex(fields[1].partition(":")[0])
        raw = b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4))
        family = socket.AF_INET if len(raw) == 4 else socket.AF_INET6
        yield socket.inet_ntop(family, raw).removeprefix("::ffff:"), fields[9]


def test_a_script_that_raises_says_why_and_frees_the_others(folder: Path) -> None:
    """Survivors do not hang in the collective: gloo tells them that the connection is gone."""
    script = folder / "raises.py"
    script.write_text(
        "import numpy as np\n"
        "from mizzen import train\n"
        "job = train.init(steps=9, framework='jax')\n"
        "for world in job.worlds():\n"
        "    state = world.restore(lambda: {'w': np.zeros(3, np.float32)})\n"
        "    for rows in world.data(np.zeros((12, 2)), 6):\n"
        "        if world.rank == 1 and world.done == 2:\n"
        "            raise ValueError('the data went bad')\n"
        "        world.step({'w': world.mean(state['w'])}, loss=0.0)\n"
    )
    gang = Gang(folder / "gang", [str(script)], size_max=2, network=204)
    try:
        start(gang, 2, awaits=1)
        with pytest.raises(AssertionError, match=r"rank \d died"):
            gang.wait("a rank dies", lambda: False)
        codes = {rank: process.wait(60) for rank, process in gang.processes.items()}
    finally:
        gang.close()
    assert codes[1] == 1
    assert codes[0] != 0
    assert "ValueError: the data went bad" in (folder / "gang" / "rank-1.err").read_text()
    assert gang.rank(0).get(segment.RANK_OFFSET_STEPS_DONE) == 2
