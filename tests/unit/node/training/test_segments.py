"""What the agent reads from, and once adds to, the files it shares with workers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mizzen.base import segment
from mizzen.base.ring import Interval
from mizzen.base.segment import Line
from mizzen.node.training.segments import GangPage, RankFile

STEP = [Interval(0, 10, 1, Line.STARTING), Interval(10, 20, 1, Line.USEFUL_STEP, 6)]
STALL = Interval(20, 22, 1, Line.CHECKPOINT_STALL, 6)
NEXT = [*STEP, STALL, Interval(22, 30, 1, Line.USEFUL_STEP, 7)]


@pytest.mark.parametrize(
    ("written", "staged", "counted", "added"),
    [
        (STEP, 7, 6, []),  # killed before the step was counted
        ([*STEP, STALL], 7, 6, []),
        ([*STEP, STALL], 7, 7, []),  # in the middle of step 7
        ([*STEP, STALL], 8, 7, [Interval(22, 40, 0, Line.USEFUL_STEP, 7)]),
        (STEP[:1], 7, 6, [Interval(10, 40, 0, Line.USEFUL_STEP, 6)]),
        (NEXT, 8, 7, []),
        (STEP[:1], 5, 9, []),  # a step computed again is not counted again
        ([], 0, 0, []),
    ],
)
def test_a_step_staged_in_the_last_moment_is_recorded_once(
    tmp_path: Path, written: list[Interval], staged: int, counted: int, added: list[Interval]
) -> None:
    file = RankFile(tmp_path / "rank-0")
    for interval in written:
        file.ring.append(interval)
    if staged:
        file.set(segment.RANK_OFFSET_BUFFER0, staged)  # of the step before
        file.set(segment.RANK_OFFSET_BUFFER1, staged + 1)
    file.set(segment.RANK_OFFSET_STEPS_DONE, counted)
    for at in (40, 50):
        file.settle(at)
        assert file.ring.read(0)[0] == [*written, *added]
        assert file.look.steps_done == max(counted, staged)
    file.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")
def test_a_full_file_system_is_named_with_what_is_needed_and_free(tmp_path: Path) -> None:
    program = """
import sys
import os
import subprocess
import sys
from pathlib import Path
from mizzen.node.training.segments import RankFile
from mizzen.train import files
folder = Path(sys.argv[1])
try:
    RankFile(folder / "rank-0")
except OSError as error:
    print(error)
path = folder / "rank-1"
path.write_bytes(b"")
try:
    files.map_buffers(path, 0, 1 << 20)
except files.TrainError as error:
    print(error)
"""
    script = 'mount -t tmpfs -o size=64k none "$1" && exec "$2" -c "$3" "$1"'
    words = ["unshare", "-m", "sh", "-c", script, "sh", str(tmp_path), sys.executable, program]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30)
    agent, worker = done.stdout.splitlines()
    assert "135168 bytes are needed there and 65536 are free" in agent, done
    assert str(tmp_path / "rank-0") in agent
    assert "no room for 2.0 MiB of staged state" in worker and "MiB are free" in worker


def test_a_file_that_was_cut_short_is_mended_where_a_touch_would_end_the_agent(
    tmp_path: Path,
) -> None:
    file, page = RankFile(tmp_path / "rank-0"), GangPage(tmp_path / "gang")
    file.set(segment.RANK_OFFSET_STEPS_DONE, 7)
    for path in (file.path, page.path):
        path.write_bytes(b"")
    assert file.look.steps_done == 0 and file.get(0) == segment.RANK_MAGIC
    file.path.write_bytes(b"")
    assert file.ring.read(0) == ([], 0, 0)
    assert page.control == segment.Control(0, 0)
    page.path.write_bytes(b"short")
    page.set_control(segment.Control(3, 2), "127.0.0.1", 29500)
    assert page.control == segment.Control(3, 2)
    file.set(segment.RANK_OFFSET_BUFFER0, 9)
    file.set(segment.RANK_OFFSET_RING_NEXT, 2**64 - 1)
    file.settle(10)
    file.close()
    page.close()


def test_no_pipe_or_link_is_a_rank_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "rank-0")
    (tmp_path / "rank-1").symlink_to("/dev/zero")
    for rank in (0, 1):
        with pytest.raises(OSError, match=r"rank-|symbolic"):
            RankFile(tmp_path / f"rank-{rank}")
