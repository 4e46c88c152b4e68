"""Logs of pods, read from the agent's files.

The agent writes `<pod uid>/<container>/<restart>.log` (rotated: `.log.1`, older `.log.2`) in CRI
form, `2026-01-01T00:00:00.123456789Z stdout F text`, P instead of F where the line goes on.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mizzen.apiserver.catalog import Served
from mizzen.apiserver.core import refusals, routing
from mizzen.apiserver.core.routing import Target
from mizzen.apiserver.http import TEXT, Request, Stream
from mizzen.apiserver.server import Server
from mizzen.base.clock import parse_rfc3339
from mizzen.base.errors import BadRequest
from mizzen.base.objects import Obj, annotations_of
from mizzen.base.reading import part
from mizzen.store.store import ObjectKey

_FOLLOW_S = 0.2  # between looks at a file that is followed
_CHUNK_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class _Wish:
    """What of a log is wanted."""

    follow: bool
    timestamps: bool
    tail: int | None
    since_ns: int
    limit_bytes: int | None


async def log(server: Server, served: Served, target: Target, request: Request) -> Stream:
    """Errors: NotFound, BadRequest when the container is unknown or has not started."""
    stored = server.store.get(ObjectKey(served.key, target.namespace, target.name))
    if stored is None:
        raise refusals.not_found(served.resource, target.name)
    pod = stored.object()
    params = request.params
    container = _container(pod, params.get("container", ""))
    previous = routing.is_true(params.get("previous"))
    wish = _wish(params, server.clock.now_ns())
    folder = server.config.pod_logs / pod["metadata"]["uid"] / container
    files = _files(folder, previous=previous)
    if not files:
        which = "previous terminated container" if previous else "container"
        reason = "not found" if previous else "is waiting to start: it has written no log yet"
        raise BadRequest(f'{which} "{container}" in pod "{target.name}" {reason}')
    return Stream(
        _Reader(server, stored.key, pod["metadata"]["uid"], folder, files, wish).chunks(), TEXT
    )


def _container(pod: Obj, asked: str) -> str:
    spec = pod["spec"]
    names = [c["name"] for c in spec.get("containers") or ()]
    initial = [c["name"] for c in spec.get("initContainers") or ()]
    name = pod["metadata"]["name"]
    if not asked:
        if len(names) == 1:
            return names[0]
        default = annotations_of(pod).get("kubectl.kubernetes.io/default-container")
        if default is not None and default in names:
            return default
        raise BadRequest(
            f"a container name must be specified for pod {name}, choose one of: [{' '.join(names)}]"
        )
    if asked not in names + initial:
        raise BadRequest(f"container {asked} is not valid for pod {name}")
    return asked


def _wish(params: Mapping[str, str], now_ns: int) -> _Wish:
    since_ns = 0
    since_s = routing.number(params, "sinceSeconds", least=1)
    if since_s is not None:
        since_ns = now_ns - since_s * 1_000_000_000
    if params.get("sinceTime"):
        try:
            since_ns = parse_rfc3339(params["sinceTime"])
        except ValueError as error:
            raise BadRequest(f"sinceTime: {error}") from error
    return _Wish(
        follow=routing.is_true(params.get("follow")),
        timestamps=routing.is_true(params.get("timestamps")),
        tail=routing.number(params, "tailLines"),
        since_ns=since_ns,
        limit_bytes=routing.number(params, "limitBytes", least=1),
    )


def _files(folder: Path, *, previous: bool) -> list[Path]:
    """The files of the newest run of the container (or the one before), oldest part first."""
    runs = sorted((int(p.stem) for p in folder.glob("*.log") if p.stem.isdigit()), reverse=True)
    index = 1 if previous else 0
    if len(runs) <= index:
        return []
    base = folder / f"{runs[index]}.log"
    rotated = sorted(
        (p for p in folder.glob(f"{base.name}.*") if p.suffix[1:].isdigit()),
        key=lambda p: int(p.suffix[1:]),
        reverse=True,
    )
    return [*rotated, base]


class _Reader:
    """Reads one log from its oldest wanted line on, and follows it through rotations."""

    def __init__(
        self, server: Server, key: ObjectKey, uid: str, folder: Path, files: list[Path], wish: _Wish
    ) -> None:
        self._server = server
        self._key = key
        self._uid = uid
        self._folder = folder
        self._files = files
        self._wish = wish
        self._left = wish.limit_bytes

    async def chunks(self) -> AsyncIterator[bytes]:
        yield b""
        # The newest file stays open: after a rotation its rest is read from the same handle.
        with self._files[-1].open("rb") as newest:
            lines = self._formatted(self._past(newest))
            if self._wish.tail is not None:
                lines = iter(_last(lines, self._wish.tail))
            for chunk in _grouped(lines):
                yield self._cut(chunk)
                if self._left == 0:
                    return
            if not self._wish.follow:
                return
            async for chunk in self._follow(newest):
                yield self._cut(chunk)
                if self._left == 0:
                    return

    def _past(self, newest: Any) -> Iterator[bytes]:
        for path in self._files[:-1]:
            try:
                with path.open("rb") as file:
                    yield from file
            except FileNotFoundError:  # rotated away meanwhile
                continue
        yield from _whole_lines(newest)

    async def _follow(self, newest: Any) -> AsyncIterator[bytes]:
        path = self._files[-1]
        file, mine = newest, None
        try:
            while True:
                ended = self._has_ended()
                chunk = b"".join(self._formatted(_whole_lines(file)))
                if chunk:
                    yield chunk
                    continue
                following = self._next(path, file)
                if following is not None:
                    chunk = b"".join(self._formatted(_whole_lines(file)))
                    if mine is not None:
                        mine.close()
                    path, file = following
                    mine = file
                    if chunk:
                        yield chunk
                elif ended:
                    return
                else:
                    await asyncio.sleep(_FOLLOW_S)
        finally:
            if mine is not None:
                mine.close()

    def _next(self, path: Path, file: Any) -> tuple[Path, Any] | None:
        """The file that goes on after this one: the same path anew. A restart ends the log."""
        try:
            opened = path.open("rb")
        except FileNotFoundError:
            return None
        if _same_file(opened, file):
            opened.close()
            return None
        return path, opened

    def _has_ended(self) -> bool:
        """Whether nothing will be written any more: pod gone or finished, or a newer run."""
        stored = self._server.store.get(self._key)
        if stored is None:
            return True
        pod = stored.object()
        if pod["metadata"]["uid"] != self._uid:
            return True
        if part(pod, "status").get("phase") in ("Succeeded", "Failed"):
            return True
        newest = _files(self._folder, previous=False)
        return bool(newest) and newest[-1] != self._files[-1]

    def _formatted(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        wish = self._wish
        for line in lines:
            parts = line.rstrip(b"\n").split(b" ", 3)
            if len(parts) < 3:
                continue
            moment, _, tag = parts[:3]
            if wish.since_ns and _time_of(moment) < wish.since_ns:
                continue
            text = parts[3] if len(parts) == 4 else b""
            if wish.timestamps:
                text = moment + b" " + text
            yield text if tag == b"P" else text + b"\n"

    def _cut(self, chunk: bytes) -> bytes:
        if self._left is None:
            return chunk
        chunk = chunk[: self._left]
        self._left -= len(chunk)
        return chunk


def _whole_lines(file: Any) -> Iterator[bytes]:
    """Lines up to the end; a last one without its end is left for later."""
    while True:
        at = file.tell()
        line = file.readline()
        if not line.endswith(b"\n"):
            file.seek(at)
            return
        yield line


def _same_file(one: Any, other: Any) -> bool:

    a, b = os.fstat(one.fileno()), os.fstat(other.fileno())
    return (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)


def _time_of(moment: bytes) -> int:
    try:
        return parse_rfc3339(moment[:26].decode().rstrip("Z") + "Z")
    except ValueError:
        return 0


def _last(lines: Iterable[bytes], count: int) -> list[bytes]:

    kept: deque[bytes] = deque(lines, maxlen=count) if count else deque()
    return list(kept)


def _grouped(lines: Iterable[bytes]) -> Iterator[bytes]:
    parts: list[bytes] = []
    size = 0
    for line in lines:
        parts.append(line)
        size += len(line)
        if size >= _CHUNK_BYTES:
            yield b"".join(parts)
            parts, size = [], 0
    if parts:
        yield b"".join(parts)
