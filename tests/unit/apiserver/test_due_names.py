"""Names wait in one queue, and again after a failure."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from mizzen.apiserver import due_names
from mizzen.apiserver.due_names import DueNames
from mizzen.base.errors import Forbidden


async def run_until(due: DueNames, is_done: Callable[[], bool]) -> None:
    task = asyncio.create_task(due.run())
    async with asyncio.timeout(5):
        while not is_done():  # noqa: ASYNC110 - the queue tells nobody
            await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_each_is_handled_once_in_order() -> None:
    handled: list[str] = []
    due = DueNames("things", _noting(handled))
    for name in ("b", "a", "b"):
        due.mark(name)
    await run_until(due, lambda: len(handled) >= 2)
    assert handled == ["b", "a"]


async def test_what_fails_is_due_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(due_names, "RETRY_S", 0.01)
    handled: list[str] = []

    async def handle(name: str) -> None:
        handled.append(name)
        if len(handled) < 3:
            raise Forbidden("exceeded quota")

    due = DueNames("things", handle)
    due.mark("a")
    await run_until(due, lambda: len(handled) == 3)


async def test_a_mark_ends_the_pause() -> None:
    handled: list[str] = []

    async def handle(name: str) -> None:
        handled.append(name)
        if handled == ["a"]:
            due.mark("b")
            raise ValueError("not yet")

    due = DueNames("things", handle)
    due.mark("a")
    await run_until(due, lambda: handled == ["a", "b"])
    due.mark("c")
    await run_until(due, lambda: "c" in handled)


def _noting(handled: list[str]) -> Callable[[str], Awaitable[None]]:
    async def handle(name: str) -> None:
        handled.append(name)

    return handle
