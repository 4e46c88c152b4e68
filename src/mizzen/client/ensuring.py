"""One write that ends in a known state, however often the server stumbles meanwhile.

The client never sends again what may have been written. Here whoever got no answer looks first:
was it done, there is nothing left to do; was it not, it is sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast

from mizzen.base.errors import (
    ApiError,
    Conflict,
    InternalError,
    NotFound,
    Timeout,
    TooManyRequests,
    Unavailable,
)
from mizzen.base.objects import Obj, is_terminating, namespace_of, uid_of
from mizzen.base.operations import Bind, Create, Delete, Operation, Patch
from mizzen.base.resources import PODS
from mizzen.client.backoff import Backoff
from mizzen.client.client import Client

ATTEMPTS_MAX = 8
WAIT_S_MAX = 5.0
_PASSING = (Unavailable, TooManyRequests, InternalError, Timeout)


async def ensure_written(client: Client, operation: Operation) -> Obj:
    """The answer, or the object as it stands where an unanswered write turns out to be done.

    Errors: what the server refuses for good; after `ATTEMPTS_MAX` tries what hinders it.
    """
    backoff = Backoff(first_s=0.02, max_s=WAIT_S_MAX)
    for attempt in range(ATTEMPTS_MAX):
        try:
            return (await client.commit([operation]))[0]
        except TooManyRequests as error:  # not even looked at
            if attempt + 1 == ATTEMPTS_MAX:
                raise
            await asyncio.sleep(max(backoff.next_s(), min(error.retry_after_s, WAIT_S_MAX)))
        except (Unavailable, InternalError, Timeout) as error:
            if attempt + 1 == ATTEMPTS_MAX:
                raise
            await asyncio.sleep(max(backoff.next_s(), min(error.retry_after_s, WAIT_S_MAX)))
            done = await _look(client, operation)
            if done is not None:
                return done
    raise AssertionError("the last attempt returns or raises")


async def _look(client: Client, operation: Operation) -> Obj | None:
    """The object if the operation has taken effect; None if not, or if that is not known yet.

    Errors: Conflict when the object has moved on, so that the write may not be made any more.
    """
    if isinstance(operation, Create):
        return await _look_for_made(client, operation)
    resource = PODS if isinstance(operation, Bind) else operation.resource
    try:
        now = await client.get(resource, operation.name, operation.namespace)
    except NotFound:
        if isinstance(operation, Delete):
            return {"kind": "Status", "status": "Success"}
        raise
    except _PASSING:
        return None
    if operation.uid and uid_of(now) != operation.uid:
        raise Conflict(f'{resource.kind} "{operation.name}" is another one by now')
    if isinstance(operation, Bind):
        return {"kind": "Status"} if now["spec"].get("nodeName") == operation.node else None
    if isinstance(operation, Delete):
        return now if is_terminating(now) else None
    return now if holds(now, operation.patch) else None


async def _look_for_made(client: Client, create: Create) -> Obj | None:
    """The object as it was to be created. Another one of its name is refused when sent again."""
    name = create.object["metadata"].get("name")
    if not name:
        return None
    try:
        now = await client.get(create.resource, name, namespace_of(create.object))
    except (NotFound, *_PASSING):
        return None
    return now if holds(now, create.object) else None


def holds(obj: Mapping[str, Any], patch: Mapping[str, Any]) -> bool:
    """True if a merge patch (RFC 7386) would change nothing."""
    for name, wanted in patch.items():
        if wanted is None:
            if obj.get(name) is not None:
                return False
        elif isinstance(wanted, Mapping):
            part: Any = obj.get(name)
            nested = cast("Mapping[str, Any]", wanted)
            if not isinstance(part, Mapping) or not holds(cast("Mapping[str, Any]", part), nested):
                return False
        elif obj.get(name) != wanted:
            return False
    return True


def is_passing(error: ApiError) -> bool:
    """True if trying the same again later may succeed."""
    return isinstance(error, _PASSING)


def rebased(patch: Patch, answer: Obj) -> Patch:
    """The patch resting on the version that an earlier write of the same object has made."""
    version = str(answer["metadata"].get("resourceVersion") or "")
    return Patch(
        patch.resource,
        patch.namespace,
        patch.name,
        patch.patch,
        patch.subresource,
        resource_version=version,
        uid=patch.uid,
    )
