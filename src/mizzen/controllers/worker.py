"""One controller at work: which keys are due, and what becomes of its answers."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

import orjson

from mizzen.base.clock import Clock
from mizzen.base.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    InternalError,
    NotFound,
    Retry,
    Terminal,
    TooManyRequests,
    Unavailable,
)
from mizzen.base.objects import Key, Obj, is_terminating, key_of, uid_of
from mizzen.base.operations import Bind, Create, Delete, Operation, Patch
from mizzen.base.resources import PODS, Resource
from mizzen.client.client import Client
from mizzen.client.events import EventRecorder
from mizzen.client.informer import Informer
from mizzen.client.queue import WorkQueue
from mizzen.controllers.core.actions import Action, Ask, Controller, EmitEvent, RequeueAfter, Watch
from mizzen.controllers.core.view import View

log = logging.getLogger("mizzen.controllers")
MESSAGE_CHARS_MAX = 1000
OVERTAKEN_TOLD_S = 2.0  # what has to wait so long to be tried again was overtaken many times
DELETIONS_LAG_S = 0.05  # as a rule the deletions come sooner, and bring the key with them
ASKED_MAX = 64  # for one decision
ASKED_LATER_S = 15.0
# A decision about ten thousand pods takes 10 ms, and each of them that changes would bring the next.
# So it rests for a few times as long as it took: what is decided stays a bounded share of all time.
RESTS_FROM_S = 0.002
RESTS_TIMES = 4
REST_S_MAX = 1.0
_RESTING_MAX = 1024  # keys remembered, before those that may be decided again are forgotten
WORKERS = 4  # keys of one controller in flight at once; a key is never worked on twice
_NS = 1_000_000_000


class Worker:
    """Reconciles the due keys of one controller.

    A reconcile's operations are one commit. What was overtaken (Conflict and the like) is
    tried again on fresh state; what the server refuses for its content is told as an Event
    on the object and tried again later and later, since only a change can mend it.
    """

    def __init__(
        self,
        controller: Controller,
        view: View,
        client: Client,
        clock: Clock,
        recorder: EventRecorder,
        informers: Mapping[Resource, Informer],
    ) -> None:
        self.controller = controller
        self._view = view
        self._client = client
        self._clock = clock
        self._recorder = recorder
        self._informers = informers
        self._watches: dict[Resource, list[Watch]] = {}
        for watch in controller.watches:
            self._watches.setdefault(watch.resource, []).append(watch)
        self._queue: WorkQueue[Key] = WorkQueue()
        self._unseen_deletions: dict[Key, list[Delete]] = {}
        self._rests_until_ns: dict[Key, int] = {}
        self._counts: Counter[str] = Counter()

    def statistics(self) -> Mapping[str, int]:
        return {**self._counts, **self._queue.statistics()}

    def start(self, group: asyncio.TaskGroup) -> None:
        for number in range(WORKERS):
            group.create_task(self._work(), name=f"{self.controller.name} {number}")

    def bring_forward(self, by_s: float) -> None:
        """The wall clock was set forward: what is due at some time of day is due sooner."""
        self._queue.bring_forward(by_s)

    def notice(self, resource: Resource, key: Key, old: Obj | None, new: Obj) -> None:
        """Queues the keys that a changed object concerns; its own is one for all controllers."""
        if resource == self.controller.resource and self._is_due(new):
            self._queue.add(key)
        for watch in self._watches.get(resource, ()):
            for obj in (new,) if old is None or old is new else (old, new):
                for due in self._concerned(watch, obj):
                    self._queue.add(due)

    def _is_due(self, obj: Obj) -> bool:
        """True if the predicate says so, or cannot make sense of the object: reconciling tells."""
        predicate = self.controller.predicate
        try:
            return predicate is None or predicate(self._view, obj)
        except Exception:
            self._counts["bugs"] += 1
            log.exception("%s: %s cannot be judged", self.controller.name, key_of(obj))
            return True

    def _concerned(self, watch: Watch, obj: Obj) -> Sequence[Key]:
        """The keys that an object concerns; none for an object that cannot be read."""
        try:
            return list(watch.keys(self._view, obj))
        except Exception:
            # It would end the informer, and with it every controller, at each start anew.
            self._counts["bugs"] += 1
            name, kind = self.controller.name, watch.resource.kind
            log.exception("%s: %s %s is left out of account", name, kind, key_of(obj))
            return []

    async def _work(self) -> None:
        while True:
            key = await self._queue.get()
            try:
                await self._reconcile(key)
            except Exception as error:
                # A bug stops this key for a while, not the controller.
                self._counts["failed"] += 1
                log.exception("%s %s: reconcile failed", self.controller.name, key)
                self._queue.retry(key)
                text = f"Mizzen failed on it: {type(error).__name__}: {error}"[:MESSAGE_CHARS_MAX]
                await self._report_stuck(key, "InternalError", f"{text}; it is tried again later")
            finally:
                self._queue.done(key)
            # All have their turn: at a start several controllers go through the same pods, which
            # are parsed once for those who come at the same time.
            await asyncio.sleep(0)

    async def _reconcile(self, key: Key) -> None:
        if self._awaits_deletions(key):
            self._queue.add_after(key, DELETIONS_LAG_S)
            return
        if (rest_s := self._rest_s(key)) > 0:
            self._queue.add_after(key, rest_s)
            return
        try:
            actions = await self._decide(key)
            operations = [a for a in actions if not isinstance(a, RequeueAfter | EmitEvent)]
            if operations:
                await self._commit(key, operations)
        except (Conflict, AlreadyExists, NotFound) as error:
            self._counts["overtaken"] += 1
            log.debug("%s %s: overtaken: %s", self.controller.name, key, error)
            if self._queue.retry(key) >= OVERTAKEN_TOLD_S:
                # Again and again: this is no race, such as a name that somebody else has.
                await self._report_stuck(key, f"Failed{error.reason}", error.message)
        except (Unavailable, TooManyRequests) as error:
            self._counts["unavailable"] += 1
            wait = max(self._queue.retry(key), float(error.retry_after_s))
            log.warning("%s %s: again in %.1f s: %s", self.controller.name, key, wait, error)
        except ApiError as error:
            await self._refused(key, error)
        except Retry as wish:
            self._counts["requeued"] += 1
            self._queue.add_after(key, wish.after_s)
        except Terminal as error:
            self._counts["terminal"] += 1
            log.warning("%s %s: given up until it changes: %s", self.controller.name, key, error)
        else:
            self._queue.forget(key)
            self._follow_up(key, actions)

    async def _decide(self, key: Key) -> list[Action]:
        """The actions, after whatever must be asked for them. Errors: those of the controller."""
        decide, now_ns = self.controller.decide, self._clock.now_ns()
        if decide is None:
            began_ns = self._clock.monotonic_ns()
            actions = self.controller.reconcile(self._view, key, now_ns)
            self._let_rest(key, began_ns)
            return actions
        answers: dict[str, Obj | ApiError] = {}
        while True:
            try:
                return decide(self._view, key, now_ns, answers)
            except Ask as question:
                if len(answers) == ASKED_MAX:
                    raise Retry(
                        f"it asks for more than {ASKED_MAX} answers", ASKED_LATER_S
                    ) from question
                answers[question.path] = await self._answer(question.path)

    def _let_rest(self, key: Key, began_ns: int) -> None:
        ended_ns = self._clock.monotonic_ns()
        took_s = (ended_ns - began_ns) / _NS
        if took_s < RESTS_FROM_S:
            return
        resting = self._rests_until_ns
        if len(resting) >= _RESTING_MAX:
            self._rests_until_ns = resting = {k: at for k, at in resting.items() if at > ended_ns}
        resting[key] = ended_ns + int(min(RESTS_TIMES * took_s, REST_S_MAX) * _NS)

    def _rest_s(self, key: Key) -> float:
        """How long the key is not to be decided yet; 0 or less for nearly all."""
        until_ns = self._rests_until_ns.get(key)
        if until_ns is None:
            return 0
        left_s = (until_ns - self._clock.monotonic_ns()) / _NS
        if left_s <= 0:
            del self._rests_until_ns[key]
        return left_s

    async def _answer(self, path: str) -> Obj | ApiError:
        path, _, query = path.partition("?")
        try:
            return orjson.loads(await self._client.raw("GET", path, params=dict(parse_qsl(query))))
        except ApiError as error:
            return error
        except orjson.JSONDecodeError:
            return InternalError(f"{path} answered what is no JSON")

    def _awaits_deletions(self, key: Key) -> bool:
        """True while a cache still shows as alive what a plan for this key has deleted.

        Decided then, others would be deleted in their place: which go is decided anew each time,
        and what was written so far is seen at once, but for deletions.
        """
        unseen = self._unseen_deletions.pop(key, ())
        unseen = [each for each in unseen if self._is_alive(each)]
        if unseen:
            self._unseen_deletions[key] = unseen
        return bool(unseen)

    def _is_alive(self, delete: Delete) -> bool:
        found = self._view.get(delete.resource, Key(delete.namespace, delete.name))
        return found is not None and uid_of(found) == delete.uid and not is_terminating(found)

    async def _commit(self, key: Key, operations: Sequence[Operation]) -> None:
        self._counts["commits"] += 1
        results = await self._client.commit(operations)
        deletions = [
            each
            for each in operations
            if isinstance(each, Delete) and each.uid and each.resource in self._informers
        ]
        if deletions:
            self._unseen_deletions[key] = deletions
        for operation, written in zip(operations, results, strict=False):
            resource = PODS if isinstance(operation, Bind) else operation.resource
            informer = self._informers.get(resource)
            if informer is not None and isinstance(operation, Create | Patch):
                informer.learn(written)

    def _follow_up(self, key: Key, actions: Sequence[Action]) -> None:
        result = "succeeded"
        for action in actions:
            if isinstance(action, RequeueAfter):
                result = "requeued"
                self._queue.add_after(key, action.seconds)
            elif isinstance(action, EmitEvent):
                self._recorder.event(action.object, action.type, action.reason, action.message)
        self._counts[result] += 1

    async def _refused(self, key: Key, error: ApiError) -> None:
        self._counts["refused"] += 1
        wait = self._queue.retry(key)
        log.warning("%s %s: refused, again in %.1f s: %s", self.controller.name, key, wait, error)
        await self._report_stuck(key, f"Failed{error.reason}", error.message)

    async def _report_stuck(self, key: Key, reason: str, message: str) -> None:
        """Reports on the object why it makes no progress: an Event, and its own condition."""
        obj = self._view.get(self.controller.resource, key)
        if obj is None:
            return
        try:
            report = self.controller.report_stuck
            now_ns = self._clock.now_ns()
            actions: Sequence[Action] = ()
            if report is not None:
                actions = report(obj, reason, message, now_ns)
            events = [each for each in actions if isinstance(each, EmitEvent)]
            for each in events or [EmitEvent(obj, "Warning", reason, message)]:
                self._recorder.event(each.object, each.type, each.reason, each.message)
            writes = [a for a in actions if not isinstance(a, RequeueAfter | EmitEvent)]
            if writes:
                await self._commit(key, writes)
        except Exception:
            # Whatever is odd about the object may be odd here, too.
            log.warning(
                "%s %s: its status does not say so", self.controller.name, key, exc_info=True
            )
