"""The part of a watch that is made once for all watchers of a class, and how it goes out to them.

A watcher has a task, which begins and ends its stream and waits for the client where that is slow.
For the events themselves it need not wake up: while it waits for some, they go straight to the HTTP
server, to all watchers of a class in one pass of the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from mizzen.apiserver.http import Outlet
from mizzen.store.store import Event, Subscription

_AT_ONCE = 256  # watchers that are told before others have their turn
# To tell a watcher anything costs this process and the kernel about a quarter of it. Whoever is told
# again so soon is told of more at once; after a pause of any length nobody waits.
_PAUSE_S = 100e-6  # for each watcher of a class, between two times
_PAUSE_S_MAX = 0.02


@dataclass(slots=True)
class Lines:
    """What a class of watchers shares: the batch that was encoded last, and who is to be told.

    Batches of one class with the same first and last revision and length are the same, even where
    some watch a namespace and others all: each is a part of what was written in between.
    """

    watchers: int = 0
    extent: tuple[int, int, int] = (0, 0, 0)
    chunk: tuple[bytes, int] = (b"", 0)
    ready: dict[Straight, None] = field(default_factory=dict["Straight", None])
    not_before: float = 0.0  # on the loop's clock

    def tell(self, watcher: Straight) -> None:
        """Soon, with all others of the class."""
        if not self.ready:
            loop = asyncio.get_running_loop()
            if loop.time() >= self.not_before:
                loop.call_soon(self._tell_all)
            else:
                loop.call_at(self.not_before, self._tell_all)
        self.ready[watcher] = None

    def _tell_all(self) -> None:
        loop, ready = asyncio.get_running_loop(), self.ready
        some = list(islice(ready, _AT_ONCE))
        self.ready = dict.fromkeys(islice(ready, _AT_ONCE, None))
        for watcher in some:
            watcher.push()
        if self.ready:
            loop.call_soon(self._tell_all)
        self.not_before = loop.time() + min(_PAUSE_S * self.watchers, _PAUSE_S_MAX)


class Straight:
    """One watcher's way past its task, which must await `finish` whenever it wakes up."""

    __slots__ = ("_chunk", "_outlet", "_subscription", "_unsent")

    def __init__(
        self,
        subscription: Subscription,
        outlet: Outlet,
        chunk: Callable[[Sequence[Event]], bytes],
    ) -> None:
        """`chunk`: what is to be sent of some events, perhaps nothing."""
        self._subscription = subscription
        self._outlet = outlet
        self._chunk = chunk
        self._unsent: Awaitable[None] | None = None

    def push(self) -> None:
        """Sends what there is; the task goes on where that is to be waited for."""
        subscription, send = self._subscription, self._outlet.send
        if not subscription.is_waiting:
            return  # the task is awake, and takes it
        if send is None or subscription.lags:
            subscription.wake()
            return
        while batch := subscription.take_nowait():
            try:
                data = self._chunk(batch)
                self._unsent = begun(send(data)) if data else None
            except Exception as error:  # noqa: BLE001 - its task ends the stream with it
                failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                failed.set_exception(error)
                self._unsent = failed
            if self._unsent is not None:
                subscription.wake()
                return

    async def finish(self) -> bool:
        """Waits until what was sent without the task is taken; False if it was, all the time."""
        unsent, self._unsent = self._unsent, None
        if unsent is None:
            return False
        await unsent
        return True


def begun(work: Awaitable[Any]) -> Awaitable[None] | None:
    """Begins it outside of any task; what remains is to be awaited, None where that was all."""
    steps = work.__await__()
    try:
        return _Rest(next(steps), steps)
    except StopIteration:
        return None


class _Rest:
    """Work that waits for its first future."""

    __slots__ = ("_first", "_steps")

    def __init__(self, first: Any, steps: Iterator[Any]) -> None:
        self._first, self._steps = first, steps

    def __await__(self) -> Generator[Any, None, None]:
        step, throw = self._first, getattr(self._steps, "throw", None)
        try:
            while True:
                try:
                    yield step
                except Exception as error:
                    if throw is None:
                        raise
                    step = throw(error)
                else:
                    step = next(self._steps)
        except StopIteration:
            return
        finally:
            close = getattr(self._steps, "close", None)
            if close is not None:
                close()
