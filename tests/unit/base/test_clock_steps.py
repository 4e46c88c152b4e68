"""A wall clock that is set forward is noticed, once, and by how much."""

from __future__ import annotations

from mizzen.base.clock_steps import ClockSteps
from support.clocks import Clocks, S


def test_time_that_passes_is_no_step() -> None:
    clocks = Clocks()
    steps = ClockSteps(clocks)
    clocks.wall, clocks.steady = clocks.wall + 3600 * S, clocks.steady + 3600 * S
    assert steps.forward_ns() == 0


def test_a_step_forward_is_told_once() -> None:
    clocks = Clocks()
    steps = ClockSteps(clocks)
    clocks.wall += 3600 * S
    assert steps.forward_ns() == 3600 * S
    assert steps.forward_ns() == 0


def test_many_small_steps_add_up() -> None:
    clocks = Clocks()
    steps = ClockSteps(clocks)
    for _ in range(2):
        clocks.wall += 3 * S // 5
        found = steps.forward_ns()
    assert found == 6 * S // 5


def test_a_wall_that_stood_still_may_go_on() -> None:
    """After a step back it stands still while time passes; from there on steps count anew."""
    clocks = Clocks()
    steps = ClockSteps(clocks)
    clocks.steady += 60 * S
    assert steps.forward_ns() == 0
    clocks.wall, clocks.steady = clocks.wall + 10 * S, clocks.steady + 10 * S
    assert steps.forward_ns() == 0
    clocks.wall += 5 * S
    assert steps.forward_ns() == 5 * S
