"""The bridge to the HTTP server: bodies in, answers and streams out, every end accounted for."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Coroutine
from functools import partial
from typing import Any

from mizzen.apiserver import sending
from mizzen.apiserver.app import App, broken
from mizzen.apiserver.audit import Audit, AuditLog, load_policy
from mizzen.apiserver.channels import Channels
from mizzen.apiserver.connections import Connections
from mizzen.apiserver.core.audit_event import AuditedRequest
from mizzen.apiserver.core.user import ANONYMOUS
from mizzen.apiserver.heads import ID_HEADERS, Head, Heads
from mizzen.apiserver.http import (
    Answer,
    Request,
    Response,
    Rest,
    Stream,
    Upgrade,
    in_protobuf,
    in_yaml,
    refusal,
)
from mizzen.apiserver.identifiers import new_id
from mizzen.apiserver.intake import Intake, Receive, Send, discard
from mizzen.apiserver.metrics import collect_clients
from mizzen.apiserver.server import Server
from mizzen.base import query
from mizzen.base.errors import ApiError, NotAcceptable, Unavailable
from mizzen.host.logs import about

_WITH_BODY = frozenset(("POST", "PUT", "PATCH", "DELETE"))
_AUDIT_ID = re.compile(rb"[A-Za-z0-9_.:-]{1,128}")
TAKEN_WITHIN_S = 60.0  # a list, by its client: as long as upstream gives to any request
_END_S = 1.0  # that open streams get when the server stops
_log = logging.getLogger(__name__)

Scope = dict[str, Any]


class Bridge:
    """An ASGI application."""

    def __init__(self, server: Server, connections: Connections) -> None:
        self.audit_log: AuditLog | None = None
        self._audit: Audit | None = None
        self._server = server
        self._connections = connections
        self._app = App(server)
        self._intake = Intake()
        self._heads = Heads()
        self._channels = Channels(server.closing)
        collect = partial(collect_clients, connections, self._channels)
        self._app.metrics.register(collect)
        self._streams: set[asyncio.Task[Any]] = set()
        config = server.config
        if config.audit_policy is not None and config.audit_log is not None:
            policy, self.audit_log = load_policy(config.audit_policy), AuditLog(config.audit_log)
            access_of = self._app.access_of
            self._audit = Audit(policy, self.audit_log, access_of, server.authorizer, server.clock)

    async def end_streams(self) -> None:
        """Refuses new requests and lets every open stream say goodbye."""
        self._server.closing.set()
        if self._streams:
            await asyncio.wait(self._streams, timeout=_END_S)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request: Request | None = None
        head = self._heads.head(tuple(scope["headers"]))
        audit_id = _given_id(scope) if head.has_id else new_id()
        protocol = ""
        audited: AuditedRequest | None = None
        result: Answer
        try:
            request = _request(scope, head)
            try:
                self._identify(request, scope)
                if request.method in _WITH_BODY and request.user is not ANONYMOUS:
                    name = (request.requester or request.user).name
                    request.body = await self._intake.body(receive, head, name)
            except ApiError:
                if request.method in _WITH_BODY and "expect" not in head:
                    await discard(receive, is_stranger=request.user is ANONYMOUS)
                raise
            if self._audit is not None:
                audited = self._audit.begin(request, audit_id, scope)
            if self._server.closing.is_set():
                raise Unavailable("the API server is stopping", retry_after_s=1)
            result = await self._app.answer(request)
            if isinstance(result, Upgrade):
                name, offered = request.user.name, request.offered or ()
                protocol = await self._channels.admit(result, offered, name)
        except ApiError as error:
            result = refusal(error)
        except Exception as error:  # noqa: BLE001 - the supervisor loop of requests
            _log.exception(
                "%s %s failed",
                scope.get("method", "CONNECT"),
                scope["path"],
                extra=about(request=audit_id),
            )
            result = refusal(broken(error))
        if head.takes_protobuf_alone:
            result = _in_protobuf(result)
        elif head.takes_yaml and isinstance(result, Response):
            result = await asyncio.to_thread(in_yaml, result)
        status = 101 if isinstance(result, Upgrade) else result.status
        self._count(scope, request, status)
        if self._audit is not None and request is not None:
            if status == 401:
                audited = self._audit.begin(request, audit_id, scope)
            if audited is not None:
                self._audit.answered(audited, request, result)
        if _log.isEnabledFor(logging.DEBUG):
            method, path = scope.get("method", "CONNECT"), scope["path"]
            _log.debug("%s %s: %d", method, path, status, extra=about(request=audit_id))
        if isinstance(result, Stream):
            await self._attend(self._stream(result, audit_id, scope["client"], receive, send))
        elif isinstance(result, Upgrade):
            assert request is not None, "it was answered"
            name = request.user.name
            await self._attend(
                self._channels.serve(result, protocol, name, audit_id, receive, send)
            )
        elif scope["type"] == "websocket":
            await receive()
            for message in sending.whole(result, audit_id, kind="websocket.http.response"):
                await send(message)
        elif result.rest is not None:
            await self._send_long(result, result.rest, audit_id, scope["client"], send)
        else:
            is_head = scope["method"] == "HEAD"
            for message in sending.whole(result, audit_id, head_only=is_head):
                await send(message)
        if self._audit is not None and audited is not None and request is not None:
            self._audit.ended(audited, request, result)

    async def _send_long(
        self,
        response: Response,
        rest: Rest,
        audit_id: str,
        client: tuple[str, int | str],
        send: Send,
    ) -> None:
        """Sends piece by piece; whoever does not take them in time, or loses one to a bug, is cut."""
        try:
            async with asyncio.timeout(TAKEN_WITHIN_S):
                await sending.in_pieces(response, rest, audit_id, send)
        except Exception as error:  # noqa: BLE001 - the supervisor loop of requests
            if not isinstance(error, TimeoutError):
                _log.exception("an answer broke off", extra=about(request=audit_id))
            self._connections.cut(client)
        finally:
            if rest.end is not None:
                rest.end()

    async def _attend(self, work: Coroutine[Any, Any, None]) -> None:
        """As a task of its own, which is let go on for a moment when the server stops."""
        task = asyncio.create_task(work)
        self._streams.add(task)
        task.add_done_callback(self._streams.discard)
        await task

    def _identify(self, request: Request, scope: Scope) -> None:
        """Says who asks, before anything of a body is read. Errors: ApiError."""
        self._app.authenticate(request)
        if request.user is not ANONYMOUS:
            name, client = (request.requester or request.user).name, scope["client"]
            if not self._connections.knows(client, name):
                self._connections.introduce(client, name, asyncio.get_running_loop().time())

    def _count(self, scope: Scope, request: Request | None, status: int) -> None:
        target = request.target if request is not None else None
        resource = target.plural if target is not None and status != 404 else ""
        verb = scope.get("method", "CONNECT")  # a websocket has none
        params = request.params if request is not None else None
        if params and verb == "GET" and query.is_true(params.get("watch")):
            verb = "WATCH"
        self._server.requests[(verb, resource, status)] += 1

    async def _stream(
        self,
        stream: Stream,
        audit_id: str,
        client: tuple[str, int | str],
        receive: Receive,
        send: Send,
    ) -> None:
        """Sends chunks until they end, the client leaves or the server stops.

        The HTTP server would end an answer that is cut short as if it were whole: its connection
        is shut down.
        """
        pump = asyncio.ensure_future(_pump(stream, audit_id, send))
        gone = asyncio.ensure_future(_gone(receive))
        closing = asyncio.ensure_future(self._server.closing.wait())
        ends: tuple[asyncio.Future[Any], ...] = (pump, gone, closing)
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            has_left, is_sent = gone.done(), pump.done()
        finally:
            for task in ends:
                task.cancel()
            await asyncio.wait(ends)
            close = getattr(stream.chunks, "aclose", None)
            if close is not None:
                await close()
            if stream.start is not None:
                stream.start.end()
        error = None if pump.cancelled() else pump.exception()
        is_broken = error is not None
        if isinstance(error, ApiError):
            _log.warning("a stream broke: %s", error.message, extra=about(request=audit_id))
        elif error is not None:
            _log.error("a stream broke", exc_info=error, extra=about(request=audit_id))
        if is_broken or (stream.is_whole_at_end and not is_sent):
            self._connections.cut(client)
        if not has_left:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _pump(stream: Stream, audit_id: str, send: Send) -> None:
    def piece(data: bytes) -> Awaitable[None]:
        return send({"type": "http.response.body", "body": data, "more_body": True})

    await send(sending.start(stream.status, stream.content_type, stream.headers, audit_id))
    if stream.outlet is not None:
        stream.outlet.send = piece
    async for chunk in stream.chunks:
        await piece(chunk)


def _request(scope: Scope, head: Head) -> Request:
    """The request without its body. Errors: BadRequest."""
    written: str = scope["query_string"].decode("latin-1")
    raw: bytes | None = scope.get("raw_path")
    is_websocket = scope["type"] == "websocket"
    return Request(
        "GET" if is_websocket else scope["method"],
        raw.decode("latin-1") if raw else scope["path"],
        query.parse(written) if written else {},
        head,
        b"",
        fields=scope["headers"],
        offered=scope["subprotocols"] if is_websocket else None,
        query=written,
        certificate=scope.get("certificate"),
    )


def _given_id(scope: Scope) -> str:
    """The request's id in logs and answer, as the client says it; one of its own where it is none."""
    given: dict[str, bytes] = {}
    for name, value in scope["headers"]:
        if _AUDIT_ID.fullmatch(value):
            given[name.decode("latin-1")] = value
    found = next((given[name] for name in ID_HEADERS if name in given), None)
    return found.decode() if found else new_id()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _in_protobuf(response: Answer) -> Answer:
    if not isinstance(response, Response):
        return response
    try:
        return in_protobuf(response)
    except NotAcceptable as error:  # what was written is written: a refusal would deny it
        return in_protobuf(refusal(error)) if response.status == 200 else response
