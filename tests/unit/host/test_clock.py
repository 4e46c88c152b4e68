"""The clock never goes back and never stands still, whatever becomes of the wall."""

from __future__ import annotations

import time

import pytest

from mizzen.host.clock import RealClock

S = 1_000_000_000
T0 = 1_700_000_000 * S


class Times:
    """The kernel's two clocks, set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall, self.steady = T0, 50 * S
        monkeypatch.setattr(time, "time_ns", lambda: self.wall)
        monkeypatch.setattr(time, "monotonic_ns", lambda: self.steady)

    def passes(self, ns: int) -> None:
        self.wall, self.steady = self.wall + ns, self.steady + ns


def test_after_a_step_back_it_goes_on_at_half_the_speed_until_the_wall_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times, clock = Times(monkeypatch), RealClock()
    assert clock.now_ns() == T0
    times.wall -= 60 * S
    assert clock.now_ns() == T0
    times.passes(10 * S)
    assert clock.now_ns() == T0 + 5 * S
    times.passes(40 * S)
    assert clock.now_ns() == T0 + 25 * S
    times.passes(60 * S)
    assert clock.now_ns() == times.wall == T0 + 50 * S


def test_a_second_step_back_counts_from_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    times, clock = Times(monkeypatch), RealClock()
    clock.now_ns()
    for step in range(1, 4):
        times.wall -= 600 * S
        times.passes(10 * S)
        clock.now_ns()
        times.passes(10 * S)
        assert clock.now_ns() > T0 + (step - 1) * 10 * S


def test_a_clock_that_follows_another_one_begins_where_that_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times = Times(monkeypatch)
    later = RealClock(T0 + 3600 * S)
    assert later.now_ns() == T0 + 3600 * S
    times.passes(2 * S)
    assert later.now_ns() == T0 + 3601 * S
    assert RealClock(T0 - 3600 * S).now_ns() == times.wall
