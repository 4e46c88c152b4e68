"""One timer ends what takes too long, and nothing else."""

from __future__ import annotations

import asyncio

import pytest

from mizzen.apiserver import deadlines
from mizzen.apiserver.deadlines import Deadlines


async def _wait(watch: Deadlines, within_s: float, *, takes_s: float) -> bool:
    """True if the deadline ended it."""
    task = asyncio.current_task()
    assert task is not None
    watch.begin(task, within_s)
    try:
        await asyncio.sleep(takes_s)
    except asyncio.CancelledError:
        task.uncancel()
        return watch.is_over(task)
    finally:
        watch.end(task)
    return False


async def test_each_has_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadlines, "LOOK_S", 0.005)
    watch = Deadlines()
    short, long = _wait(watch, 0.01, takes_s=60), _wait(watch, 60, takes_s=0.05)
    assert await asyncio.gather(short, long) == [True, False]
    assert await _wait(watch, 0.01, takes_s=60)  # the timer goes again


async def test_who_is_cancelled_otherwise_was_not_late() -> None:
    watch = Deadlines()
    task = asyncio.create_task(_wait(watch, 60, takes_s=60))
    await asyncio.sleep(0)
    task.cancel()
    assert await task is False
