"""Deadlines of many short waits: one timer for all of them, for nearly none ever comes to its end."""

from __future__ import annotations

import asyncio
from typing import Any

LOOK_S = 1.0  # by so much more a wait may take


class Deadlines:
    """Cancels tasks that are at one thing for too long, as `asyncio.timeout` does, which costs a
    timer for each."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[Any], float] = {}  # when their time is over
        self._over: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, task: asyncio.Task[Any], within_s: float) -> None:
        """The task is cancelled after `within_s`, at most LOOK_S later, unless `end` comes before."""
        loop = task.get_loop()
        self._tasks[task] = loop.time() + within_s
        if self._timer is None:
            self._timer = loop.call_later(min(LOOK_S, within_s), self._look, loop)

    def is_over(self, task: asyncio.Task[Any]) -> bool:
        """True if it was cancelled here: then it must not be passed on."""
        return task in self._over

    def end(self, task: asyncio.Task[Any]) -> None:
        del self._tasks[task]
        self._over.discard(task)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        for task, until in self._tasks.items():
            if until <= now and task not in self._over:
                self._over.add(task)
                task.cancel()
        left = [until for task, until in self._tasks.items() if task not in self._over]
        if left:
            self._timer = loop.call_later(min(LOOK_S, max(0.0, min(left) - now)), self._look, loop)
