"""Watches: events of one resource as JSON lines, each encoded once per class of watchers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import orjson

from mizzen.apiserver.catalog import Served
from mizzen.apiserver.conversions import events_in_version, in_version
from mizzen.apiserver.core import bookmarks, protobuf_answers, rendering
from mizzen.apiserver.core.list_options import ListOptions
from mizzen.apiserver.core.negotiate import PROTOBUF, Form, form_of
from mizzen.apiserver.core.routing import Target, selected_name
from mizzen.apiserver.core.selection import Selection
from mizzen.apiserver.core.watch_counts import Watched
from mizzen.apiserver.http import JSON, Outlet, Request, Start, Stream
from mizzen.apiserver.reads import check_not_future, chosen
from mizzen.apiserver.server import Server
from mizzen.apiserver.watch_lines import Lines, Straight
from mizzen.base.errors import ApiError, NotAcceptable, Unclassified
from mizzen.base.objects import Obj
from mizzen.store.store import Event, Stored, Subscription

BOOKMARK_S = 30.0
_TIMEOUT_S = 1800.0  # of watches that name none
_INITIAL_BYTES = 256 << 10  # of a streaming list that are sent at a time
_CACHED_LINES_MAX = 8  # forms of one event that are kept for the next watcher


@dataclass(slots=True)
class _Watch:
    """One watcher's parameters. `shape` is its class: equal shapes share encoded events."""

    server: Server
    served: Served
    selection: Selection
    form: Form
    include: str
    bookmarks: bool
    shape: tuple[object, ...]
    needs_columns: bool  # of a Table: the first event has them, the others none
    shared: Lines

    @property
    def is_plain(self) -> bool:
        """True if its lines are those of its class, and made without asking anybody."""
        return not self.needs_columns and self.served.webhook is None

    def line(self, event: Event) -> bytes:
        """The event as a line, empty where it does not concern this class of watchers."""
        cache = event.cache if not self.needs_columns else None
        if cache is None:  # an old event: whoever lags must not keep more of it than its bytes
            return self._encode(event)
        found = cache.get(self.shape)
        if found is None:
            found = self._encode(event)
            if len(cache) < _CACHED_LINES_MAX:
                cache[self.shape] = found
        return found

    def chunk(self, batch: Sequence[Event]) -> bytes:
        """Events as lines, which are counted. Watchers of a class are mostly given the same."""
        shared = self.shared
        if self.needs_columns or shared.watchers == 1:
            lines = [line for line in map(self.line, batch) if line]
            data, count = b"".join(lines), len(lines)
        else:
            extent = (batch[0].revision, batch[-1].revision, len(batch))
            if shared.extent != extent:
                lines = [line for line in map(self.line, batch) if line]
                shared.extent, shared.chunk = extent, (b"".join(lines), len(lines))
            data, count = shared.chunk
        if count:
            self.server.watch_events[self.served.key] += count
        return data

    def _encode(self, event: Event) -> bytes:
        kind = event.type
        if not self.selection.is_everything:
            chosen = self._transition(event)
            if chosen is None:
                return b""
            kind = chosen
            if kind != event.type and kind == "DELETED" and event.previous is not None:
                left = _as_it_left(event.previous, event.revision)
                return self.wrap(kind, self._object(left, left.object))
        return self.wrap(kind, self._object(event.stored, event.object))

    def _transition(self, event: Event) -> str | None:
        """Leaving the selection looks like a deletion, entering it like an addition."""
        selection = self.selection
        is_in = selection.may_match(event.stored.data) and selection.matches(event.object())
        if event.type == "ADDED":
            return "ADDED" if is_in else None
        previous = event.previous
        # Without the earlier form (pruned) say the safe thing: clients ignore deletions of
        # what they do not know, and treat an addition of what they know as a change.
        was_in = selection.matches_stored(previous) if previous is not None else True
        if event.type == "DELETED":
            return "DELETED" if was_in else None
        if is_in:
            return "MODIFIED" if was_in else "ADDED"
        return "DELETED" if was_in else None

    def added(self, stored: Stored) -> bytes:
        """The synthetic ADDED event of an object that is there already."""
        return self.wrap("ADDED", self._object(stored, stored.object))

    def _object(self, stored: Stored, parsed: Callable[[], Obj]) -> bytes:
        if not self.form.shape:
            return self.served.view(stored)
        obj, now_ns = self.served.view_parsed(stored, parsed), self.server.clock.now_ns()
        kind = self.served.kind
        if self.form.shape == "Table":
            meta = {"resourceVersion": str(stored.revision)}
            table = rendering.table(kind, [obj], meta, self.form, self.include, now_ns)
            if self.needs_columns:
                self.needs_columns = False
            else:
                table["columnDefinitions"] = None
            return orjson.dumps(table)
        return orjson.dumps(rendering.partial(obj, self.form.version))

    def bookmark(self, revision: int, *, initial_end: bool = False) -> bytes:
        metadata: Obj = {"resourceVersion": str(revision)}
        if initial_end:
            metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
        resource = self.served.resource
        obj: Obj = {
            "kind": resource.kind,
            "apiVersion": resource.api_version,
            "metadata": metadata,
            **bookmarks.blank(resource, is_builtin=self.served.is_builtin),
        }
        if self.form.shape == "PartialObjectMetadata":
            obj = rendering.partial(obj, self.form.version)
        elif self.form.shape == "Table":
            row = {"cells": [""] * len(self.served.kind.columns), "object": obj}
            obj = rendering.table(
                self.served.kind, [], {"resourceVersion": str(revision)},
                self.form, self.include, 0,
            )  # fmt: skip
            obj["rows"] = [row]
            if not self.needs_columns:
                obj["columnDefinitions"] = None
            self.needs_columns = False
        return self.wrap("BOOKMARK", orjson.dumps(obj))

    def wrap(self, kind: str, data: bytes) -> bytes:
        if self.form.is_protobuf:
            return protobuf_answers.frame(kind, orjson.loads(data))
        return b'{"type":"%s","object":%s}\n' % (kind.encode(), data)


def _as_it_left(previous: Stored, revision: int) -> Stored:
    """What a selection loses, as it was when it still belonged to it, at the revision of its going."""
    obj = previous.object()
    obj = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(revision)}}
    return Stored(previous.key, revision, orjson.dumps(obj))


async def watch(server: Server, served: Served, target: Target, request: Request) -> Stream:
    """Starts a watch. What can be refused is refused here, before the stream begins."""
    params = request.params
    form = form_of(request.head.accept)
    if form.is_yaml:
        streams = ", ".join(f"{media};stream=watch" for media in (JSON, PROTOBUF))
        raise NotAcceptable(f"only the following media types are accepted: {streams}")
    resource = served.resource
    if form.is_protobuf and not protobuf_answers.can_encode(resource.api_version, resource.kind):
        raise NotAcceptable(f"{resource.plural} are not served as {PROTOBUF}: accept {JSON}")
    include = rendering.include_of(params, form)
    options = ListOptions.of(served.kind, params)
    selection, initial = options.selection, bool(options.initial)
    try:
        revision = check_not_future(server, options.resource_version)
    except ValueError as error:
        raise Unclassified(str(error)) from error
    timeout_s = float(options.timeout_s or _TIMEOUT_S)
    shape = (served, form, include, selection.text)
    is_table = form.shape == "Table"
    setup = _Watch(
        server, served, selection, form, include, options.bookmarks, shape, is_table, Lines()
    )
    start = server.store.revision if initial or not revision else revision
    subscription = server.store.watch(served.key, target.namespace, since=start)
    existing: list[Stored] = []
    if initial:
        listed = server.store.list(served.key, target.namespace).items
        try:
            existing = await chosen(selection, await in_version(served, listed))
        except BaseException:
            subscription.close()
            raise
    watched = _watched(served, target, params)
    setting_out = Start() if initial else None
    outlet = Outlet()
    chunks = _stream(
        setup, watched, subscription, existing, start, timeout_s, options.marks_end, setting_out,
        outlet,
    )  # fmt: skip
    kind = protobuf_answers.STREAM_TYPE if form.is_protobuf else JSON
    return Stream(chunks, kind, start=setting_out, outlet=outlet)


def _watched(served: Served, target: Target, params: Mapping[str, str]) -> Watched | None:
    """None for watches of one node's pods alone: the others' cost them next to nothing."""
    selector = params.get("fieldSelector", "")
    if "spec.nodeName=" in selector and served.key == "pods":
        return None
    name = target.name or selected_name(selector)
    return Watched(served.key, target.namespace, name)


async def _stream(
    setup: _Watch,
    watched: Watched | None,
    subscription: Subscription,
    existing: list[Stored],
    start: int,
    timeout_s: float,
    mark_end: bool,
    setting_out: Start | None,
    outlet: Outlet,
) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    server = setup.server
    ending: asyncio.Task[None] | None = None
    if not setup.served.is_builtin:
        ending = loop.create_task(_end_with_kind(setup.served, subscription))
    shared = setup.shared = server.watched.setdefault(setup.shape, setup.shared)
    shared.watchers += 1
    straight = Straight(subscription, outlet, setup.chunk)
    watches = server.flows.watches
    if watched is not None:
        watches.begin(watched)
    try:
        # Headers leave with the first chunk, even an empty one: clients wait for them.
        yield b""
        for part in _parts(existing):
            yield b"".join(map(setup.added, part))
        existing = []
        if mark_end:
            yield setup.bookmark(start, initial_end=True)
        if setting_out is not None:
            setting_out.end()
        while (left_s := deadline - loop.time()) > 0:
            if setup.is_plain and subscription.on_ready is None:
                subscription.on_ready = partial(shared.tell, straight)
            batch = await subscription.next_batch(min(left_s, BOOKMARK_S))
            has_waited = await straight.finish()
            if batch:
                chunk = setup.chunk(await events_in_version(setup.served, batch))
                if chunk:
                    yield chunk
            elif has_waited:
                continue
            elif subscription.has_ended:
                return  # its kind is served no longer
            elif setup.bookmarks:
                yield setup.bookmark(subscription.position)
        if setup.bookmarks:
            yield setup.bookmark(subscription.position)
    except ApiError as error:  # it has expired, or a webhook fails to convert
        yield setup.wrap("ERROR", orjson.dumps(error.to_status()))
    finally:
        if ending is not None:
            ending.cancel()
        if watched is not None:
            watches.end(watched)
        shared.watchers -= 1
        if not shared.watchers:
            server.watched.pop(setup.shape, None)
        subscription.close()


async def _end_with_kind(served: Served, subscription: Subscription) -> None:
    await served.retired.wait()
    subscription.end()


def _parts(existing: list[Stored]) -> Iterator[list[Stored]]:
    part: list[Stored] = []
    size = 0
    for stored in existing:
        part.append(stored)
        size += len(stored.data)
        if size >= _INITIAL_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part
