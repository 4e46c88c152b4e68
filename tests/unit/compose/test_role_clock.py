"""Roles that start later are not behind those that run."""

from __future__ import annotations

import time

import pytest

from mizzen.compose.role_clock import NOT_BEFORE, role_clock

HOUR_NS = 3_600_000_000_000


def test_a_role_goes_on_from_the_supervisors_time(monkeypatch: pytest.MonkeyPatch) -> None:
    told = time.time_ns() + HOUR_NS
    monkeypatch.setenv(NOT_BEFORE, str(told))
    assert told <= role_clock().now_ns() < told + HOUR_NS


@pytest.mark.parametrize("told", ["", "soon", "-1", "\N{SUPERSCRIPT TWO}"])
def test_without_one_it_begins_at_the_wall(monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    monkeypatch.setenv(NOT_BEFORE, told)
    assert role_clock().now_ns() < time.time_ns() + HOUR_NS
