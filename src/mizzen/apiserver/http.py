"""Requests and answers, apart from the server that carries them."""

from __future__ import annotations

from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from mizzen.apiserver.core import json_bodies, protobuf, protobuf_answers, warnings
from mizzen.apiserver.core.client_certificate import ClientCertificate
from mizzen.apiserver.core.routing import Target
from mizzen.apiserver.core.service_tokens import API_AUDIENCES
from mizzen.apiserver.core.user import ANONYMOUS, User
from mizzen.apiserver.heads import Head
from mizzen.base.errors import ApiError, NoPage, NotAcceptable, UnsupportedMediaType
from mizzen.base.objects import Obj

JSON, YAML = "application/json", "application/yaml"
TEXT = "text/plain; charset=utf-8"


@dataclass(slots=True)
class Request:
    """One HTTP request, body included."""

    method: str
    path: str
    params: dict[str, str]
    headers: Mapping[str, str]  # lower-case names; shared with other requests
    body: bytes
    user: User = ANONYMOUS
    requester: User | None = None  # who really asks, where it is in another's name
    fields: Sequence[tuple[bytes, bytes]] = ()  # the headers as they came, repeated ones too
    target: Target | None = None  # set once it is known who asks
    offered: Sequence[str] | None = None  # subprotocols, where a websocket is asked for
    query: str = ""  # as it came: parameters may be repeated
    # Whom its credential is to be for; once it is authenticated, for whom of them it is.
    audiences: Sequence[str] = API_AUDIENCES
    certificate: ClientCertificate | None = None  # that the client showed in the handshake
    warnings: Sequence[str] = ()  # about its credential, for whatever the answer is
    head: Head = field(init=False)  # the headers, and what is worked out of them once

    def __post_init__(self) -> None:
        headers = self.headers
        self.head = headers if type(headers) is Head else Head(dict(headers))

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Each header with each of its values; those are UTF-8 where they came from outside."""
        if not self.fields:
            yield from self.headers.items()
        for name, value in self.fields:
            yield name.decode("latin-1").lower(), value.decode(errors="replace")

    def json(self, expected: tuple[str, str] = ("", "")) -> Any:
        """The body as a JSON value; `expected`: what it is by apiVersion and kind, which protobuf
        must know. Errors: UnsupportedMediaType, NoJson, BadRequest."""
        kind = self.head.content_type
        if kind == protobuf.MEDIA_TYPE:
            return protobuf.decode(self.body, expected)
        if kind == YAML:
            from mizzen.apiserver.core import yaml_bodies  # slow to import, and seldom needed

            return yaml_bodies.parse(self.body)[0]
        if kind not in ("", JSON):
            raise UnsupportedMediaType(
                "the body of the request was in an unknown format - accepted media types include: "
                f"{JSON}, {YAML}, {protobuf.MEDIA_TYPE}"
            )
        return json_bodies.parse(self.body)


@dataclass(slots=True)
class Rest:
    """The pieces that follow the body of a long answer, each made when the client takes it."""

    pieces: Iterator[bytes]
    size: int  # bytes of all of them, 0 where nobody knows yet
    is_squeezed: bool  # to gzip, with the body, as it is sent
    end: Callable[[], None] | None = None  # called once nothing more is made


@dataclass(slots=True)
class Response:
    """A whole answer, or what it begins with and the `rest`."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: Sequence[tuple[str, str]] = ()
    rest: Rest | None = None

    def gather(self) -> None:
        """Makes the rest now: then the body is all of the answer."""
        if self.rest is not None and not self.rest.is_squeezed:
            self.body = b"".join((self.body, *self.rest.pieces))
            self.rest.pieces, self.rest.size = iter(()), 0


@dataclass(slots=True)
class Start:
    """The first part of a stream, which is work as that of a list is."""

    leave: Callable[[], None] | None = None  # called once it is over

    def end(self) -> None:
        leave, self.leave = self.leave, None
        if leave is not None:
            leave()


@dataclass(slots=True)
class Outlet:
    """Where a stream may send a piece by itself, while nobody waits for one of its chunks."""

    send: Callable[[bytes], Awaitable[None]] | None = None  # until its head is on its way


@dataclass(slots=True)
class Stream:
    """An answer that goes on until `chunks` ends or the client leaves."""

    chunks: AsyncIterator[bytes]
    content_type: str = JSON
    status: int = 200
    headers: Sequence[tuple[str, str]] = field(default=())
    start: Start | None = None
    is_whole_at_end: bool = False  # what is not sent to its end breaks off, for all to see
    outlet: Outlet | None = None


class Channel(Protocol):
    """A websocket as a handler sees it: whole messages, both ways. What is cancelled with the
    handler is the channel: once the client has left, or the server stops."""

    protocol: str  # the subprotocol that both sides speak; "" is none

    async def receive(self) -> bytes | str:
        """The next message of the client."""
        ...

    async def send(self, message: bytes | str) -> None:
        """Errors: TimeoutError where the client reads nothing."""
        ...


@dataclass(slots=True)
class Upgrade:
    """An answer that goes both ways, until `serve` returns: to requests for a websocket alone."""

    protocols: Sequence[str]  # that `serve` speaks; "" where none need be named
    serve: Callable[[Channel], Coroutine[Any, Any, None]]
    # Before the client is told that it has a websocket, with its subprotocol. Errors: ApiError.
    begin: Callable[[str], Coroutine[Any, Any, None]] | None = None
    end: Callable[[], None] | None = None  # after all, once `begin` has returned


Answer = Response | Stream | Upgrade


def answer(status: int, obj: Obj, content_type: str = JSON) -> Response:
    return Response(status, orjson.dumps(obj), content_type)


def in_protobuf(response: Response) -> Response:
    """The same answer for a client that takes nothing else. Errors: NotAcceptable where upstream
    has no message for what it is."""
    if response.content_type != JSON:
        return response
    obj = orjson.loads(response.body)
    api_version, kind = obj.get("apiVersion", ""), obj.get("kind", "")
    if not protobuf_answers.can_encode(api_version, kind):
        raise NotAcceptable(
            f"{api_version} {kind} is not served as {protobuf.MEDIA_TYPE}: accept {JSON}"
        )
    body = protobuf_answers.encode(obj)
    return Response(response.status, body, protobuf.MEDIA_TYPE, response.headers)


def in_yaml(response: Response) -> Response:
    """The same answer in YAML, its fields sorted. Source: sigs.k8s.io/yaml, JSONToYAML."""
    import yaml  # slow to import, and seldom needed

    if response.content_type != JSON:
        return response
    response.gather()
    value = orjson.loads(response.body)
    body = yaml.dump(value, Dumper=yaml.CSafeDumper, allow_unicode=True).encode()
    return Response(response.status, body, YAML, response.headers)


def refusal(error: ApiError) -> Response:
    """The Status of an error, with the headers that HTTP has for it."""
    if isinstance(error, NoPage):
        return Response(error.code, error.message.encode(), TEXT)
    headers: list[tuple[str, str]] = []
    if error.retry_after_s:
        headers.append(("retry-after", str(error.retry_after_s)))
    if error.code == 401:
        headers.append(("www-authenticate", 'Bearer realm="mizzen"'))
    if error.warnings:
        headers += warnings.headers(error.warnings)
    status = error.to_status()
    if error.code == 401:
        status["message"] = "Unauthorized"  # who is not known is not told why
    return Response(error.code, orjson.dumps(status), JSON, headers)
