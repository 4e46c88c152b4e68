"""Decisions on an API server without atomic plans: single writes, with intent and roll-back.

The order of one decision: its intent, where it binds several pods; claims, then what is told of
pods, each object's writes one after the other, objects side by side; then binds and deletions; then the
intent goes. Whatever fails for good is settled as after a restart (`core.recovery`): finished
without the member that is lost, or undone.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence

from mizzen.base.clock import Clock
from mizzen.base.errors import AlreadyExists, ApiError, NotFound
from mizzen.base.names import INTENT
from mizzen.base.objects import Key, Obj, key_of
from mizzen.base.operations import Bind, Create, Delete, Operation, Patch
from mizzen.base.resources import CONFIG_MAPS, NODES, PODS, RESOURCE_CLAIMS, Resource
from mizzen.client.backoff import Backoff
from mizzen.client.client import Client
from mizzen.client.ensuring import ensure_written, rebased
from mizzen.scheduler.core.shared_cluster.intent import (
    Intent,
    intent_of,
    no_longer_rolling_back,
    read_record,
    record,
    rolling_back,
)
from mizzen.scheduler.core.shared_cluster.recovery import Existing, recover, stray_reservations
from mizzen.scheduler.core.types import Decision

WRITES_AT_ONCE = 32
DECISIONS_AT_ONCE = 32
SETTLE_ROUNDS_MAX = 5
Written = Callable[[Operation, Obj], None]
_log = logging.getLogger(__name__)


class SingleWrites:
    """Carries decisions out one write at a time; `written` is told of each that took effect."""

    def __init__(self, client: Client, clock: Clock, namespace: str, written: Written) -> None:
        self._client = client
        self._clock = clock
        self._namespace = namespace
        self._written = written
        self._writes = asyncio.Semaphore(WRITES_AT_ONCE)
        self._leftovers: set[asyncio.Task[None]] = set()
        self._counts: Counter[str] = Counter()

    def statistics(self) -> Mapping[str, int]:
        return dict(self._counts)

    async def carry_out(self, decision: Decision) -> ApiError | None:
        """Makes all of the decision's writes. What was refused, if anything was: it is settled,
        so that no half of it remains, and may be decided again."""
        if len(decision.operations) == 1:  # it has no half
            try:
                await self._chain(decision.operations)
            except ApiError as error:
                return error
            return None
        intent = intent_of(decision)
        is_recorded = intent is not None and len(intent.pods) > 1
        if intent is not None and is_recorded:
            try:
                await self._record(intent)
            except ApiError as error:
                return error  # nothing else has been written
        try:
            await self._make(decision.operations)
        except ApiError as error:
            self._counts["cut_short"] += 1
            if intent is not None:
                await self._settle_for_sure(intent, is_recorded)
            return error
        if intent is not None and is_recorded:
            self._remove_later(intent)
        return None

    async def recover(self, pods: Mapping[Key, Obj], claims: Mapping[Key, Obj]) -> None:
        """Settles what the scheduler before this one left half done; returns when all is.

        Nothing is decided before: what an intent speaks of is neither free nor taken. `pods` and
        `claims` are the caches, filled since nobody else may write.
        """
        backoff = Backoff(first_s=0.1, max_s=5.0)
        while True:
            try:
                await self._recover_once(pods, claims)
            except ApiError as error:
                wait_s = backoff.next_s()
                _log.warning("what was left half done waits %.1f s: %s", wait_s, error)
                await asyncio.sleep(wait_s)
            else:
                return

    # -- settling ----------------------------------------------------------------------------

    async def _recover_once(self, pods: Mapping[Key, Obj], claims: Mapping[Key, Obj]) -> None:
        listed, _ = await self._client.list(CONFIG_MAPS, self._namespace, labels=f"{INTENT}=true")
        intents: list[Intent] = []
        for obj in listed:
            try:
                intents.append(read_record(obj))
            except ValueError as error:
                _log.error("%s; it is left alone: look at it and delete it", error)
        for intent in intents:
            _log.warning("%s was left half done", intent.subject)
            await self._settle(intent, is_recorded=True)
        suspects = stray_reservations(pods, claims, ())
        if not suspects:
            return
        # Few, if any. The caches may lag behind a bind: what is given back is looked at anew.
        keys = {Key(o.namespace, o.name) for o in suspects}
        now = await self._those(RESOURCE_CLAIMS, keys)
        strays = stray_reservations(await self._those(PODS, _users(now)), now, ())
        self._counts["strays_released"] += len(strays)
        await self._make(strays)

    async def _settle_for_sure(self, intent: Intent, is_recorded: bool) -> None:
        """As `_settle`, until it succeeds: nothing half done may stay while we go on."""
        backoff = Backoff(first_s=0.05, max_s=5.0)
        while True:
            try:
                await self._settle(intent, is_recorded)
            except ApiError as error:
                wait_s = backoff.next_s()
                _log.warning("%s stays half done for %.1f s: %s", intent.subject, wait_s, error)
                await asyncio.sleep(wait_s)
            else:
                return

    async def _settle(self, intent: Intent, is_recorded: bool) -> None:
        """Brings a decision to one of its two ends, from what exists now.

        Errors: what hinders it; it may be called again.
        """
        last: ApiError | None = None
        for _ in range(SETTLE_ROUNDS_MAX):
            recovery = recover(intent, await self._existing(intent), self._clock.now_ns())
            if not recovery.operations:
                last = None
                break
            if recovery.why and is_recorded and not intent.is_rolling_back:
                # Half undone it must not be finished by the next scheduler.
                intent = await self._mark_rolling_back(intent)
            try:
                await self._make(recovery.operations)
            except ApiError as error:
                _log.info("%s: settling goes on from newer facts: %s", intent.subject, error)
                last = error
            else:
                self._counts["undone" if recovery.why else "finished"] += 1
                _log.warning("%s", recovery.why or f"{intent.subject} is finished")
                last = None
                break
        if last is not None:
            raise last
        if is_recorded:
            await self._remove(intent)

    async def _record(self, intent: Intent) -> None:
        body = record(intent, self._namespace)
        try:
            await self._write(Create(CONFIG_MAPS, body))
        except AlreadyExists:  # of an earlier attempt to place the same pods
            whole = {"data": {**body["data"], **no_longer_rolling_back()["data"]}}
            await self._write(Patch(CONFIG_MAPS, self._namespace, intent.name, whole))

    async def _mark_rolling_back(self, intent: Intent) -> Intent:
        patch = Patch(CONFIG_MAPS, self._namespace, intent.name, rolling_back())
        return read_record(await self._write(patch))

    async def _existing(self, intent: Intent) -> Existing:
        pods = await self._those(PODS, [pod.key for pod in intent.pods])
        claims = await self._those(RESOURCE_CLAIMS, [claim.key for claim in intent.claims])
        nodes = await self._those(NODES, [Key("", pod.node) for pod in intent.pods])
        usable = (k.name for k, node in nodes.items() if not node["spec"].get("unschedulable"))
        return Existing(pods, claims, frozenset(usable))

    async def _those(self, resource: Resource, keys: Iterable[Key]) -> dict[Key, Obj]:
        """The objects of these names that exist, as the API server has them now."""

        async def one(key: Key) -> Obj | None:
            async with self._writes:
                try:
                    return await self._client.get(resource, key.name, key.namespace)
                except NotFound:
                    return None

        distinct = sorted(set(keys))
        found = await asyncio.gather(*(one(key) for key in distinct))
        return {key: obj for key, obj in zip(distinct, found, strict=True) if obj is not None}

    # -- the record's end --------------------------------------------------------------------

    def _remove_later(self, intent: Intent) -> None:
        """Nobody waits for it: a record of what is complete asks for nothing when it is read."""
        task = asyncio.ensure_future(self._remove_for_sure(intent))
        self._leftovers.add(task)
        task.add_done_callback(self._leftovers.discard)

    async def _remove_for_sure(self, intent: Intent) -> None:
        backoff = Backoff(first_s=0.1, max_s=10.0)
        while True:
            try:
                await self._remove(intent)
            except ApiError as error:
                _log.warning("record of %s stays: %s", intent.subject, error)
                await asyncio.sleep(backoff.next_s())
            else:
                return

    async def _remove(self, intent: Intent) -> None:
        try:
            await self._write(Delete(CONFIG_MAPS, self._namespace, intent.name))
        except NotFound:
            return

    # -- writing -------------------------------------------------------------------------------

    async def _make(self, operations: Sequence[Operation]) -> None:
        """All writes, those that cannot be taken back last. Errors: the first refusal, once
        no write is under way any more; no later phase is begun then."""
        final = [o for o in operations if isinstance(o, Bind | Delete)]
        chains: dict[tuple[str, Key], list[Operation]] = {}
        for operation in operations:
            if isinstance(operation, Patch):
                key = Key(operation.namespace, operation.name)
                chains.setdefault((operation.resource.plural, key), []).append(operation)
            elif isinstance(operation, Create):
                chains.setdefault((operation.resource.plural, key_of(operation.object)), []).append(
                    operation
                )
        # What a pod's status tells of claims is told once they are there.
        pods = [chain for (plural, _), chain in chains.items() if plural == PODS.plural]
        others = [chain for (plural, _), chain in chains.items() if plural != PODS.plural]
        for phase in (others, pods):
            if phase:
                await _all([self._chain(chain) for chain in phase])
        await _all([self._chain([operation]) for operation in final])

    async def _chain(self, operations: Iterable[Operation]) -> None:
        """Writes of one object in order, each resting on the version the one before made."""
        answer: Obj | None = None
        for operation in operations:
            if isinstance(operation, Patch) and answer is not None:
                operation = rebased(operation, answer)
            async with self._writes:
                answer = await self._write(operation)

    async def _write(self, operation: Operation) -> Obj:
        answer = await ensure_written(self._client, operation)
        self._counts["writes"] += 1
        resource = PODS if isinstance(operation, Bind) else operation.resource
        if resource != CONFIG_MAPS:
            self._written(operation, answer)
        return answer


async def _all(writes: Iterable[Coroutine[None, None, None]]) -> None:
    """Returns once all have ended. Errors: the first of theirs."""
    listed = list(writes)
    if len(listed) == 1:
        await listed[0]
        return
    results = await asyncio.gather(*listed, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


def _users(claims: Mapping[Key, Obj]) -> Iterator[Key]:
    """The pods that claims are reserved for."""
    for key, claim in claims.items():
        status: Obj = claim.get("status") or {}
        for consumer in status.get("reservedFor") or ():
            yield Key(key.namespace, str(consumer.get("name")))
