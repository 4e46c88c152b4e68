"""Deadlines of workers count only what the agent could have seen."""

from __future__ import annotations

from mizzen.node.training.watched_time import GAP_NS_MAX, WatchedTime
from support.clocks import Clocks, S


def test_it_begins_at_the_wall_and_follows_the_steady_clock() -> None:
    clocks = Clocks()
    time, begin = WatchedTime(clocks), clocks.wall
    clocks.steady += S
    assert time.now_ns() == begin + S


def test_a_clock_that_is_set_counts_for_nothing() -> None:
    clocks = Clocks()
    time, begin = WatchedTime(clocks), clocks.wall
    for step in (3600 * S, -7200 * S):
        clocks.wall += step
        assert time.now_ns() == begin


def test_an_agent_that_was_stopped_holds_nobody_to_his_deadline() -> None:
    clocks = Clocks()
    time, begin = WatchedTime(clocks), clocks.wall
    clocks.steady += 120 * S
    assert time.now_ns() == begin + GAP_NS_MAX
