"""Contains faults: one fails the object that it came from, never the agent.

Work for one object runs inside `Boundary.around`. What it raises is told on the object, as an
Event of the kubelet's reason FailedSync, and in the log with its trace; the object is set aside
and its work tried again later and later. Everything else goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass
from typing import Any

from mizzen.base.names import FAILED_SYNC
from mizzen.base.objects import Obj, key_of, uid_of
from mizzen.client.events import EventRecorder

log = logging.getLogger("mizzen.node")
AGAIN_FIRST_S, AGAIN_MAX_S = 1.0, 300.0


@dataclass(slots=True)
class _Aside:
    """An object whose work failed: when it is tried again, and what was said."""

    pause_s: float
    message: str = ""
    timer: asyncio.TimerHandle | None = None


class Boundary:
    """Keeps each object's faults to itself; call it inside the event loop only."""

    def __init__(
        self,
        events: EventRecorder,
        on_change: Callable[[str], None],
        first_s: float = AGAIN_FIRST_S,
    ) -> None:
        self._events = events
        self._first_s = first_s
        self._on_change = on_change  # with the uid of an object that is set aside
        self._aside: dict[str, _Aside] = {}  # uid ->
        self._counts: Counter[str] = Counter()

    def statistics(self) -> Mapping[str, int]:
        return {"aside": len(self._aside), **self._counts}

    @contextlib.contextmanager
    def around(self, obj: Obj, again: Callable[[], None] | None = None) -> Generator[None]:
        """Runs the block for `obj`; when it raises, `again` follows after a pause that grows."""
        try:
            yield
        except Exception as error:
            if self._set_aside(obj, error, again):
                log.exception("%s %s is set aside", obj.get("kind"), key_of(obj))

    def message_of(self, uid: str) -> str:
        """Why the object is set aside, "" if it is not."""
        found = self._aside.get(uid)
        return found.message if found is not None else ""

    def forget(self, uid: str) -> None:
        """The object is gone: nothing is tried again."""
        found = self._aside.pop(uid, None)
        if found is not None and found.timer is not None:
            found.timer.cancel()

    def close(self) -> None:
        for uid in list(self._aside):
            self.forget(uid)

    def _set_aside(self, obj: Obj, error: Exception, again: Callable[[], None] | None) -> bool:
        """True for a fault that the object did not have before."""
        self._counts["faults"] += 1
        message = f"the node agent cannot go on with this object: {describe(error)}"
        found = self._aside.setdefault(uid_of(obj), _Aside(self._first_s))
        is_news = found.message != message
        if is_news:
            found.message = message
            self._on_change(uid_of(obj))
        is_due = again is not None and found.timer is None
        if is_news or is_due:
            self._events.event(obj, "Warning", FAILED_SYNC, message)
        if again is not None and found.timer is None:
            self._plan(obj, found, again)
        return is_news

    def _plan(self, obj: Obj, found: _Aside, again: Callable[[], None]) -> None:
        pause_s, found.pause_s = found.pause_s, min(found.pause_s * 2, AGAIN_MAX_S)
        loop = asyncio.get_running_loop()
        found.timer = loop.call_later(pause_s, self._try_again, obj, found, again)

    def _try_again(self, obj: Obj, aside: _Aside, again: Callable[[], None]) -> None:
        aside.timer = None
        before = self._counts["faults"]
        with self.around(obj, again):
            again()
        if self._counts["faults"] == before:
            self.forget(uid_of(obj))


def describe(error: Exception) -> str:
    """The error for people: its text alone for the system's, its type where that says more."""
    if isinstance(error, OSError):
        return str(error)
    return f"{type(error).__name__}: {error}"


async def run_forever(
    name: str, run: Callable[[], Coroutine[Any, Any, None]], pause_s: float = AGAIN_FIRST_S
) -> None:
    """Runs a loop that is to run for ever; one that fails is said and begun again after a pause."""
    while True:
        try:
            await run()
            return
        except Exception:
            log.exception("%s failed, begun again in %g s", name, pause_s)
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, AGAIN_MAX_S)
