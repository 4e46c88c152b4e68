"""Events go an hour after they were last written.

Source: kube-apiserver's `--event-ttl`, 1h. It sleeps until the oldest is due, or for ten minutes:
the clock may be set meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict

from mizzen.apiserver import operations
from mizzen.apiserver.core.refusals import qualified
from mizzen.apiserver.core.stamping import DeleteOptions
from mizzen.apiserver.core.user import GARBAGE_COLLECTOR
from mizzen.apiserver.server import Server
from mizzen.base.clock import parse_rfc3339
from mizzen.base.errors import ApiError, Expired
from mizzen.base.objects import Obj
from mizzen.base.resources import EVENTS
from mizzen.store.store import ObjectKey

KEEP_S = 3600
_SLACK_S = 10.0  # those due soon after the first go with it: fewer commits, fewer wake-ups
_LOOK_S_MAX = 600.0
_GROUP = 500  # deleted in one transaction
_RETRY_S = 5.0
_NS = 1_000_000_000
_KEY = qualified(EVENTS)
_log = logging.getLogger(__name__)


class EventExpiry:
    """Times of the Events' last writes, oldest first; bounded by the Events there are."""

    def __init__(self, server: Server, keep_s: float = KEEP_S, slack_s: float = _SLACK_S) -> None:
        self._server = server
        self._keep_ns = int(keep_s * _NS)
        self._slack_s = slack_s
        self._written: OrderedDict[ObjectKey, int] = OrderedDict()  # wall time, ns

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            try:
                await self._follow()
            except Expired:  # it lagged too far behind: begin with what there is
                continue

    async def _follow(self) -> None:
        store = self._server.store
        subscription = store.watch(_KEY, since=store.revision)
        found = [(_last_written(s.object()), s.key) for s in store.list(_KEY).items]
        self._written = OrderedDict((key, at) for at, key in sorted(found))
        try:
            while True:
                while await self._expire():
                    pass
                try:
                    async with asyncio.timeout(self._wait_s()):
                        batch = await subscription.next_batch()
                except TimeoutError:
                    batch = subscription.take_nowait()
                now_ns = self._server.clock.now_ns()
                for event in batch:
                    self._written.pop(event.key, None)
                    if event.type != "DELETED":
                        self._written[event.key] = now_ns
        finally:
            subscription.close()

    def _wait_s(self) -> float | None:
        """Until the oldest is due, or the clock may have been set; None while there is none."""
        if not self._written:
            return None
        due_ns = next(iter(self._written.values())) + self._keep_ns
        due_s = max(0, due_ns - self._server.clock.now_ns()) / _NS + self._slack_s
        return min(due_s, _LOOK_S_MAX)

    async def _expire(self) -> bool:
        """Deletes a group of those that are due; whether there may be more."""
        before_ns = self._server.clock.now_ns() - self._keep_ns
        due: dict[ObjectKey, int] = {}
        for key, at_ns in self._written.items():
            if at_ns > before_ns or len(due) == _GROUP:
                break
            due[key] = at_ns
        served = self._server.catalog.by_key(_KEY)
        if not due or served is None:
            return False
        draft = self._server.draft(GARBAGE_COLLECTOR)
        try:
            for key in due:
                del self._written[key]
                if draft.exists(key):
                    operations.delete(draft, served, key.namespace, key.name, DeleteOptions())
            done = draft.commit()
            if done is not None:
                await done
        except ApiError as error:
            _log.warning("old Events stay for now: %s", error)
            later_ns = self._server.clock.now_ns() - self._keep_ns + int(_RETRY_S * _NS)
            self._written.update(dict.fromkeys(due, later_ns))
            for key in reversed(due):
                self._written.move_to_end(key, last=False)
            return False
        return len(due) == _GROUP


def _last_written(event: Obj) -> int:
    """As far as it tells, ns; 0 when it does not."""
    metadata = event["metadata"]
    for text in (event.get("lastTimestamp"), metadata.get("creationTimestamp")):
        try:
            return parse_rfc3339(str(text))
        except ValueError:
            continue
    return 0
