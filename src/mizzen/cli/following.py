"""Logs of pods and of all pods of a workload, once or as they are written."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from mizzen.base.errors import BadRequest, NotFound
from mizzen.base.names import JOBSET_NAME
from mizzen.base.objects import Obj, condition, has_condition, is_owned_by, name_of, namespace_of
from mizzen.base.reading import entries, part
from mizzen.base.resources import PODS, TRAIN_JOBS, Resource
from mizzen.cli.context import say
from mizzen.cli.exits import FAILED, OK
from mizzen.cli.output import one_line, write_bytes

if TYPE_CHECKING:
    from mizzen.client.client import Client

_POLL_S = 0.3
_DONE = ("Complete", "Failed")


async def follow_train_job(client: Client, namespace: str, name: str) -> int:
    """All ranks' lines until the job is done; FAILED when it failed, and why on stderr."""
    job = await client.get(TRAIN_JOBS, name, namespace)
    await print_workload(client, TRAIN_JOBS, job, follow=True, tail=None)
    job = await client.get(TRAIN_JOBS, name, namespace)
    if has_condition(job, "Failed"):
        entry = condition(job, "Failed") or {}
        why = one_line(str(entry.get("message") or entry.get("reason")))
        say(f"mizzen: trainjob/{name} failed: {why}")
        return FAILED
    say(f"trainjob/{name} is complete")
    return OK


async def print_workload(
    client: Client, resource: Resource, obj: Obj, follow: bool, tail: int | None
) -> None:
    """Each pod's lines behind its name; with `follow` also those of pods that come later."""
    namespace = namespace_of(obj)
    tasks: dict[str, asyncio.Task[None]] = {}
    try:
        while True:
            for pod in await _pods_of(client, obj):
                uid, name = pod["metadata"]["uid"], name_of(pod)
                if uid not in tasks and _has_started(pod):
                    prefix = f"[{name.removeprefix(name_of(obj) + '-')}] "
                    tasks[uid] = asyncio.create_task(
                        print_pod(client, namespace, name, prefix, follow, tail)
                    )
            if not follow or await _is_done(client, resource, obj):
                break
            await asyncio.sleep(_POLL_S)
        await asyncio.gather(*tasks.values())
    finally:
        for task in tasks.values():
            task.cancel()


async def print_pod(
    client: Client, namespace: str, name: str, prefix: str, follow: bool, tail: int | None
) -> None:
    """A pod's log; silent when the pod has none (yet or any more) and is one of several."""
    ignored = (NotFound, BadRequest) if prefix else ()
    with contextlib.suppress(*ignored):
        async for line in client.logs(name, namespace, follow=follow, tail=tail):
            if prefix and not line.endswith(b"\n"):
                line += b"\n"  # the next line is another pod's
            write_bytes(prefix.encode() + line, flush=follow)


async def _pods_of(client: Client, obj: Obj) -> list[Obj]:
    labels = f"{JOBSET_NAME}={name_of(obj)}" if obj["kind"] == TRAIN_JOBS.kind else ""
    pods, _ = await client.list(PODS, namespace_of(obj), labels=labels)
    return sorted((pod for pod in pods if is_owned_by(pod, obj)), key=name_of)


def _has_started(pod: Obj) -> bool:
    statuses = entries(pod, "status", "containerStatuses")
    return any(part(s, "state").keys() & {"running", "terminated"} for s in statuses)


async def _is_done(client: Client, resource: Resource, obj: Obj) -> bool:
    try:
        now = await client.get(resource, name_of(obj), namespace_of(obj))
    except NotFound:
        return True
    return any(has_condition(now, kind) for kind in _DONE)
