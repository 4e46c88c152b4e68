"""/containerLogs/NAMESPACE/POD/CONTAINER: a container's log, from the shim's files (`logfiles.py`).

Whoever follows a container is shown its restarts, too, each run after the one before, until the
pod is gone or the container will not run again; whoever was cut off goes on by `resumeAt`, the
time of a line as `timestamps` shows it: from that line on, whichever run it is of. Files are read
in threads of their own: a slow disk or ten long logs at once keep nothing else of the agent
waiting. Parameters are upstream's, and `uid`: of which pod of that name.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from mizzen.base import query
from mizzen.base.clock import parse_rfc3339
from mizzen.base.errors import BadRequest, NotFound
from mizzen.base.objects import Key, Obj, key_of, uid_of
from mizzen.base.reading import entries, part
from mizzen.host.get_server import Get
from mizzen.node.core.pod_events import NO_DEBUGGERS
from mizzen.node.kubelet.logfiles import Folder, Part
from mizzen.node.kubelet.server import NodeView

_T = TypeVar("_T")
THREADS_MAX = 4
_FOLLOW_S = 0.2  # between looks at a file that is followed
_LOST = b"mizzen: lines are missing here: they were rotated away before they could be sent\n"
_NEXT_RUN = b""
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{9}Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class _LogOptions:
    """The requested part of a log."""

    follow: bool
    timestamps: bool
    tail: int | None
    since_ns: int
    limit_bytes: int | None
    resume_at: bytes


async def container_logs(
    view: NodeView, names: list[str], request: Get
) -> AsyncGenerator[bytes, None]:
    """Errors: NotFound for a pod that is not here, BadRequest where there is no log (yet)."""
    if len(names) != 3:
        raise NotFound("a log is at /containerLogs/NAMESPACE/POD/CONTAINER")
    namespace, name, container = names
    params = request.params
    pod = view.pod(namespace, name, params)
    previous = query.is_true(params.get("previous"))
    options = _log_options(params, view.clock.now_ns())
    folder = Folder(view.pods_dir, uid_of(pod), container)
    runs = await _in_thread(folder.runs)
    if len(runs) <= previous and not options.resume_at:
        which = "previous terminated container" if previous else "container"
        reason = "not found" if previous else "is waiting to start: it has written no log yet"
        debuggers = entries(pod, "spec", "ephemeralContainers")
        if any(each["name"] == container for each in debuggers):
            reason = f"was not started: {NO_DEBUGGERS}"
        raise BadRequest(f'{which} "{container}" in pod "{name}" {reason}')
    reader = _Reader(view.pods, pod, container, folder, options)
    run = runs[-1 - previous] if runs else 0
    return reader.chunks(run, follow=options.follow and not previous)


def _log_options(params: Mapping[str, str], now_ns: int) -> _LogOptions:
    since_ns = 0
    since_s = query.number(params, "sinceSeconds", least=1)
    if since_s is not None:
        since_ns = now_ns - since_s * 1_000_000_000
    if params.get("sinceTime"):
        try:
            since_ns = parse_rfc3339(params["sinceTime"])
        except ValueError as error:
            raise BadRequest(f"sinceTime: {error}") from error
    return _LogOptions(
        follow=query.is_true(params.get("follow")),
        timestamps=query.is_true(params.get("timestamps")),
        tail=query.number(params, "tailLines"),
        since_ns=since_ns,
        limit_bytes=query.number(params, "limitBytes", least=1),
        resume_at=_resume_at(params.get("resumeAt", "")),
    )


def _resume_at(text: str) -> bytes:
    if text and not _TIME.fullmatch(text):
        raise BadRequest(f"resumeAt: {text!r} is not the time of a line, as timestamps shows it")
    return text.encode()


class _Reader:
    """Reads one log from its oldest wanted line on, and follows it."""

    def __init__(
        self,
        pods: Mapping[Key, Obj],
        pod: Obj,
        container: str,
        folder: Folder,
        options: _LogOptions,
    ) -> None:
        self._pods = pods
        self._key = key_of(pod)
        self._uid = uid_of(pod)
        self._container = container
        self._folder = folder
        self._log_options = options
        self._left = options.limit_bytes
        self._is_within_line = False

    async def chunks(self, run: int, *, follow: bool) -> AsyncGenerator[bytes, None]:
        run, parts, is_lost = await _in_thread(self._open, run)
        if is_lost:
            yield _LOST
        try:
            async for data in self._lines(run, parts, follow):
                chunk = self._cut(b"".join(self._formatted(data)))
                if chunk:
                    yield chunk
                if self._left == 0:
                    return
        finally:
            for opened in parts:
                opened.close()

    def _open(self, run: int) -> tuple[int, list[Part], bool]:
        """The run's parts, each at its first line that is wanted, and whether those before it are
        lost; another run where the line to resume at is in one."""
        if self._log_options.resume_at:
            found = self._folder.from_line(self._log_options.resume_at + b" ")
            if found is not None:
                return *found, False
            run = next(iter(self._folder.runs()), 0)
            return run, self._folder.open(run), True
        parts = self._folder.open(run)
        lacking = self._log_options.tail
        if lacking is not None:
            for opened in reversed(parts):
                lacking = opened.seek_last(lacking)
        return run, parts, False

    async def _lines(self, run: int, parts: list[Part], follow: bool) -> AsyncIterator[bytes]:
        """Whole lines as they are in the files; `parts` is kept as what is open."""
        while parts:
            has_ended = self._has_ended()  # before the reading: all is written by then
            data = await _in_thread(parts[0].read)
            if data:
                yield data
            elif len(parts) > 1:
                parts.pop(0).close()
            elif not follow:
                return
            else:
                following = await _in_thread(self._folder.after, run, parts[0])
                if following is None:
                    if has_ended:
                        return
                    await asyncio.sleep(_FOLLOW_S)
                    continue
                while data := await _in_thread(parts[0].read):
                    yield data  # written before the rotation, after the reading
                parts.pop(0).close()
                before, (run, younger, lost) = run, following
                parts.append(younger)
                if lost or run != before:
                    yield _LOST if lost else _NEXT_RUN

    def _has_ended(self) -> bool:
        """True if the log is complete: the pod is gone or finished, or the container has ended and
        is not started again."""
        pod = self._pods.get(self._key)
        if pod is None:
            return True
        status: Obj = part(pod, "status")
        if uid_of(pod) != self._uid or status.get("phase") in ("Succeeded", "Failed"):
            return True
        for key in ("containerStatuses", "initContainerStatuses"):
            for entry in entries(status, key):
                ended = part(entry, "state", "terminated")
                if entry.get("name") == self._container and ended:
                    return not _runs_again(pod, key == "initContainerStatuses", ended)
        return False

    def _formatted(self, data: bytes) -> Iterator[bytes]:
        options = self._log_options
        if data in (_LOST, _NEXT_RUN):
            if self._is_within_line:
                yield b"\n"
            self._is_within_line = False
            yield data
            return
        for line in data.split(b"\n"):
            parts = line.split(b" ", 3)
            if len(parts) < 3:
                continue
            moment, _, tag = parts[:3]
            if options.since_ns and _time_of(moment) < options.since_ns:
                continue
            text = parts[3] if len(parts) == 4 else b""
            if options.timestamps and not self._is_within_line:
                text = moment + b" " + text
            self._is_within_line = tag == b"P"
            yield text if tag == b"P" else text + b"\n"

    def _cut(self, chunk: bytes) -> bytes:
        if self._left is None:
            return chunk
        chunk = chunk[: self._left]
        self._left -= len(chunk)
        return chunk


def _runs_again(pod: Obj, is_init: bool, ended: Obj) -> bool:
    """True if the agent starts the container anew after this end."""
    policy = pod["spec"].get("restartPolicy") or "Always"
    if pod["metadata"].get("deletionTimestamp") or policy == "Never":
        return False
    return bool(ended.get("exitCode")) or (policy == "Always" and not is_init)


def _time_of(moment: bytes) -> int:
    try:
        return parse_rfc3339(moment[:26].decode().rstrip("Z") + "Z")
    except ValueError:
        return 0


async def _in_thread(work: Callable[..., _T], *args: Any) -> _T:
    """On threads that the agent needs for nothing else."""
    return await asyncio.get_running_loop().run_in_executor(_threads(), work, *args)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="logs")


HANDLERS = {"containerLogs": container_logs}
