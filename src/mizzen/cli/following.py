"""Logs of pods and of all pods of a workload, once or as they are written."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mizzen.base.errors import BadRequest, NotFound
from mizzen.base.names import DEFAULT_CONTAINER, JOBSET_NAME, WAITING
from mizzen.base.objects import (
    Obj,
    annotations_of,
    condition,
    has_condition,
    is_owned_by,
    name_of,
    namespace_of,
    uid_of,
)
from mizzen.base.reading import entries, part
from mizzen.base.resources import JOBS, MODEL_ENDPOINTS, PODS, TRAIN_JOBS, Resource
from mizzen.cli.context import say
from mizzen.cli.exits import FAILED, NOT_FOUND, OK, CliError
from mizzen.cli.output import one_line, write_bytes

if TYPE_CHECKING:
    from mizzen.client.client import Client

WITH_LOGS = (TRAIN_JOBS, MODEL_ENDPOINTS, JOBS)
_POLL_S = 0.3
_DONE = ("Complete", "Failed")


@dataclass(frozen=True, slots=True)
class LogOptions:
    """The requested part of each log."""

    follow: bool = False
    tail: int | None = None
    previous: bool = False
    container: str = ""


async def follow_train_job(client: Client, namespace: str, name: str) -> int:
    """All ranks' lines until the job is done; FAILED when it failed, and why on stderr."""
    job = await client.get(TRAIN_JOBS, name, namespace)
    await print_workload(client, TRAIN_JOBS, job, LogOptions(follow=True))
    job = await client.get(TRAIN_JOBS, name, namespace)
    if has_condition(job, "Failed"):
        entry = condition(job, "Failed") or {}
        why = one_line(str(entry.get("message") or entry.get("reason")))
        say(f"mizzen: trainjob/{name} failed: {why}")
        return FAILED
    say(f"trainjob/{name} is complete")
    return OK


async def print_workload(client: Client, resource: Resource, obj: Obj, options: LogOptions) -> int:
    """Each pod's lines behind its name; with `follow` also those of pods that come later, and what
    is waited for while there are none. NOT_FOUND where there was nothing to print.

    Errors: CliError when it is deleted meanwhile.
    """
    shown = f"{resource.kind.lower()}/{name_of(obj)}"
    tasks: dict[str, asyncio.Task[bool]] = {}
    said = ""
    try:
        while True:
            pods = await _pods_of(client, obj)
            _begin(client, obj, pods, tasks, options)
            if not options.follow:
                break
            now = await _now(client, resource, obj)
            if now is None:
                raise CliError(f"{shown} was deleted meanwhile", NOT_FOUND)
            if any(has_condition(now, kind) for kind in _DONE):
                # Those that came and went since they were listed.
                _begin(client, obj, await _pods_of(client, obj), tasks, options)
                break
            waits = "" if any(not task.done() for task in tasks.values()) else _waits(now, pods)
            if waits and waits != said:
                said = waits
                say(f"{shown} waits: {waits}")
            await asyncio.sleep(_POLL_S)
        printed = await asyncio.gather(*tasks.values())
    finally:
        for task in tasks.values():
            task.cancel()
    if not any(printed):
        what = "no run before the last" if options.previous else "no log"
        say(f"mizzen: {shown} has {what}; `mizzen why {shown}` tells what became of it")
        return NOT_FOUND
    return OK


def _begin(
    client: Client,
    obj: Obj,
    pods: list[Obj],
    tasks: dict[str, asyncio.Task[bool]],
    options: LogOptions,
) -> None:
    """Starts printing each pod that has started and is not printed yet."""
    for pod in pods:
        uid, name = pod["metadata"]["uid"], name_of(pod)
        if uid not in tasks and _has_started(pod):
            prefix = f"[{name.removeprefix(name_of(obj) + '-')}] "
            tasks[uid] = asyncio.create_task(print_pod(client, pod, prefix, options))


async def print_pod(client: Client, pod: Obj, prefix: str, options: LogOptions) -> bool:
    """A pod's log, and whether it has one; silent about one of several that has none (any more)."""
    from mizzen.client.following import followed

    ignored = (NotFound, BadRequest) if prefix else ()
    with contextlib.suppress(*ignored):
        container = options.container or _default_container(pod)
        if options.follow:
            lines = followed(client, pod, container=container, tail=options.tail)
        else:
            lines = client.logs(
                name_of(pod),
                namespace_of(pod),
                container=container,
                tail=options.tail,
                previous=options.previous,
            )
        async for line in lines:
            if prefix and not line.endswith(b"\n"):
                line += b"\n"  # the next line is another pod's
            write_bytes(prefix.encode() + line, flush=options.follow)
        return True
    return False


def _default_container(pod: Obj) -> str:
    """The container if none is named, chosen as kubectl does; the others are reported."""
    known = [str(c["name"]) for c in entries(pod, "spec", "containers")]
    if len(known) < 2:
        return ""
    marked = annotations_of(pod).get(DEFAULT_CONTAINER)
    chosen = marked if marked in known else known[0]
    others = ", ".join(name for name in known if name != chosen)
    say(f"mizzen: pod/{name_of(pod)}: container {chosen}; see others ({others}) with --container")
    return chosen


def _waits(obj: Obj, pods: list[Obj]) -> str:
    """Why there is no output yet: from the object's status, or that of a pending pod."""
    if has_condition(obj, "Suspended"):
        return "it is suspended"
    for holder, kind, status in (
        (obj, WAITING, "True"),
        *((p, "PodScheduled", "False") for p in pods),
    ):
        entry = condition(holder, kind) or {}
        if entry.get("status") == status:
            return one_line(str(entry.get("message") or entry.get("reason")))
    return ""


async def _pods_of(client: Client, obj: Obj) -> list[Obj]:
    labels = f"{JOBSET_NAME}={name_of(obj)}" if obj["kind"] == TRAIN_JOBS.kind else ""
    pods, _ = await client.list(PODS, namespace_of(obj), labels=labels)
    return sorted((pod for pod in pods if is_owned_by(pod, obj)), key=name_of)


def _has_started(pod: Obj) -> bool:
    statuses = entries(pod, "status", "containerStatuses")
    return any(
        part(s, "state").keys() & {"running", "terminated"} or part(s, "lastState")
        for s in statuses
    )


async def _now(client: Client, resource: Resource, obj: Obj) -> Obj | None:
    """The object as it is by now; None when it is gone or another one has its name."""
    try:
        now = await client.get(resource, name_of(obj), namespace_of(obj))
    except NotFound:
        return None
    return now if uid_of(now) == uid_of(obj) else None
