"""The process of every role, around its one coroutine."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
from collections.abc import Awaitable, Callable

import uvloop

from mizzen.compose.pulse import BEAT, BEAT_S, SYNCING
from mizzen.host import logs
from mizzen.host.inherited import raise_file_limit


class OnReady:
    """Called once the role serves; before that `syncing` may tell how far its caches are."""

    def __init__(self, ready_fd: int | None) -> None:
        self._ready_fd = ready_fd

    def __call__(self) -> None:
        # What was made while starting lives as long as the process: no need to trace it again.
        gc.collect()
        gc.freeze()
        if self._ready_fd is None:
            print("ready", flush=True)
            return
        os.write(self._ready_fd, b"ready\n")
        os.set_blocking(self._ready_fd, False)
        _beat(asyncio.get_running_loop(), self._ready_fd)

    def syncing(self, objects: int) -> None:
        """So many objects of very many have come: what is stored already is at work meanwhile."""
        if self._ready_fd is not None:
            os.write(self._ready_fd, SYNCING + b" %d\n" % objects)


# API objects are trees: counting references frees them. The collector is there for the few cycles
# of tasks and exceptions; at Python's own thresholds it went through all that a scheduler of
# 5,000 nodes knows again and again, a third of its CPU.
GC_THRESHOLDS = (50_000, 80, 50)  # young ones often: a pause of 10 ms, not of 45


def run_role(
    component: str, main: Callable[[OnReady], Awaitable[None]], ready_fd: int | None
) -> None:
    """Runs until `main` returns or SIGTERM or SIGINT cancels it; it cleans up on cancellation.

    An error ends the process with its traceback in the role's log: the supervisor restarts it.
    """
    try:
        logs.configure(component, os.environ)
    except logs.BadLogSettings as error:
        raise SystemExit(f"mizzen: {error}") from error
    gc.set_threshold(*GC_THRESHOLDS)
    raise_file_limit()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_until_stopped(main, ready_fd))


async def _until_stopped(main: Callable[[OnReady], Awaitable[None]], ready_fd: int | None) -> None:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(main(OnReady(ready_fd)))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        if not task.cancelled():
            raise


def _beat(loop: asyncio.AbstractEventLoop, ready_fd: int) -> None:
    """Signals to the supervisor that this loop turns, from now on until the process ends."""
    with contextlib.suppress(BlockingIOError, BrokenPipeError):
        os.write(ready_fd, BEAT)
    loop.call_later(BEAT_S, _beat, loop, ready_fd)
