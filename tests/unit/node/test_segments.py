"""What the agent reads from, and once adds to, the files it shares with workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from mizzen.base import segment
from mizzen.base.ring import Interval
from mizzen.base.segment import Line
from mizzen.node.segments import RankFile

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
