"""The servers that are asked: one behind HTTPS, or Mizzen's ASGI application in this process."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from mizzen.apiserver import flow_defaults, rbac_defaults
from mizzen.apiserver.asgi import Bridge
from mizzen.apiserver.bootstrap import make_namespaces, make_services
from mizzen.apiserver.catalog import Catalog
from mizzen.apiserver.connections import Connections
from mizzen.apiserver.context import ApiServerConfig
from mizzen.apiserver.core import yaml_bodies
from mizzen.apiserver.custom import CustomKinds
from mizzen.apiserver.server import Server
from mizzen.host import pki
from mizzen.host.clock import RealClock
from mizzen.host.home import Home
from mizzen.kinds.registry import builtin_kinds, converted_kinds, virtual_kinds
from mizzen.store.memory import MemoryStore

TIMEOUT_S = 60.0
AGENT = "fuzzer/1"


@dataclass(frozen=True)
class Answer:
    """`body` is what the JSON says, or text."""

    status: int
    headers: Mapping[str, list[str]]
    body: Any


@dataclass
class Watching:
    """Events of a watch that goes on until it is closed."""

    answer: Answer | None = None  # of a watch that was refused
    events: list[Any] = field(default_factory=list[Any])
    close: Callable[[], None] = lambda: None


class Asked(Protocol):
    async def ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> Answer: ...

    async def watch(self, path: str, headers: Mapping[str, str]) -> Watching: ...


class OverHttps:
    """A server of another process, asked by its administrator."""

    def __init__(self, url: str, authority: Path, token: str) -> None:
        self._place = urlsplit(url)
        self._context = ssl.create_default_context(cafile=str(authority))
        self._idle: list[http.client.HTTPSConnection] = []
        self._always = {"Authorization": f"Bearer {token}", "User-Agent": AGENT}

    def _connect(self) -> http.client.HTTPSConnection:
        host, port = self._place.hostname or "", self._place.port
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=self._context)

    async def ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        return await asyncio.to_thread(self._ask, method, path, headers, body)

    def _ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        connection = self._idle.pop() if self._idle else self._connect()
        try:
            connection.request(method, path, body, {**self._always, **headers})
            got = connection.getresponse()
            raw = got.read()
        except (http.client.HTTPException, OSError) as error:
            connection.close()
            return Answer(0, {}, f"{type(error).__name__}: {error}")
        self._idle.append(connection)
        fields = _grouped(got.getheaders())
        return Answer(got.status, fields, _parsed(raw, fields))

    def close(self) -> None:
        """Ends the connections that wait for a request."""
        while self._idle:
            self._idle.pop().close()

    async def watch(self, path: str, headers: Mapping[str, str]) -> Watching:
        return await asyncio.to_thread(self._watch, path, headers)

    def _watch(self, path: str, headers: Mapping[str, str]) -> Watching:
        connection = self._connect()
        connection.request("GET", path, None, {**self._always, **headers})
        got = connection.getresponse()
        if got.status != 200:
            fields = _grouped(got.getheaders())
            body = _parsed(got.read(), fields)
            connection.close()
            return Watching(Answer(got.status, fields, body))
        watching = Watching()
        socket = connection.sock

        def read() -> None:
            with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
                while line := got.readline():
                    watching.events.append(json.loads(line))

        thread = threading.Thread(target=read, daemon=True)
        thread.start()

        def close() -> None:
            with contextlib.suppress(OSError):
                socket.shutdown(2)
            thread.join(TIMEOUT_S)
            got.close()
            connection.close()

        watching.close = close
        return watching


class InProcess:
    """Mizzen's application over a store in memory: all of it but HTTP, TLS and collectors."""

    def __init__(self, bridge: Bridge, token: str) -> None:
        self._bridge = bridge
        self._always = ((b"authorization", f"Bearer {token}".encode()),
                        (b"user-agent", AGENT.encode()))  # fmt: skip

    def _scope(self, method: str, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
        path, _, query = path.partition("?")
        fields = [*self._always]
        fields += [(n.lower().encode(), v.encode()) for n, v in headers.items()]
        return {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(),
            "query_string": query.encode(), "headers": fields, "client": ("127.0.0.1", 1),
        }  # fmt: skip

    async def ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        scope, sent, parts = self._scope(method, path, headers), [body or b""], list[bytes]()
        start: dict[str, Any] = {}
        scope["headers"].append((b"content-length", str(len(body or b"")).encode()))

        async def receive() -> dict[str, Any]:
            if sent:
                return {"type": "http.request", "body": sent.pop(), "more_body": False}
            await asyncio.sleep(TIMEOUT_S)
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                parts.append(message.get("body", b""))

        await self._bridge(scope, receive, send)
        fields = _decoded(start["headers"])
        return Answer(start["status"], fields, _parsed(b"".join(parts), fields))

    async def watch(self, path: str, headers: Mapping[str, str]) -> Watching:
        scope, watching = self._scope("GET", path, headers), Watching()
        begun, ended = asyncio.Event(), asyncio.Event()
        start: dict[str, Any] = {}
        rest = bytearray()

        async def receive() -> dict[str, Any]:
            await ended.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                rest.extend(message.get("body", b""))
                if start["status"] == 200:
                    *lines, last = bytes(rest).split(b"\n")
                    rest[:] = last
                    watching.events += [json.loads(line) for line in lines if line.strip()]
                    if not message.get("more_body") and last.strip():  # it was no watch
                        watching.events.append(json.loads(last))
            begun.set()

        task = asyncio.create_task(self._bridge(scope, receive, send))
        await asyncio.wait_for(begun.wait(), TIMEOUT_S)
        if start["status"] != 200:
            ended.set()
            await task
            fields = _decoded(start["headers"])
            watching.answer = Answer(start["status"], fields, _parsed(bytes(rest), fields))
        watching.close = ended.set
        return watching


@contextlib.asynccontextmanager
async def in_process(folder: Path) -> AsyncIterator[InProcess]:
    """Without the collectors of garbage, Events and namespaces: nothing happens but by requests."""
    home = Home.locate(str(folder), {})
    home.make()
    files = pki.ensure(home, RealClock(), listen="127.0.0.1", port=7443)
    tokens = {token: identity for identity, token in files.tokens.items()}
    config = ApiServerConfig(
        "127.0.0.1", 7443, files.cert_file, files.key_file, tokens, files.kubelet_client,
        ca_file=files.ca_file, service_account_key=files.service_account_key,
    )  # fmt: skip
    catalog = Catalog(builtin_kinds(), virtual_kinds(), converted_kinds())
    server = Server(config, MemoryStore(), catalog, RealClock())
    await make_namespaces(server)
    await rbac_defaults.make_defaults(server)
    await flow_defaults.make_defaults(server)
    await make_services(server)
    custom = CustomKinds(server)
    await custom.load()
    running = asyncio.create_task(custom.run())
    try:
        yield InProcess(Bridge(server, Connections(7443)), files.tokens["admin"])
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        server.webhooks.close()


def _decoded(headers: Any) -> dict[str, list[str]]:
    return _grouped([(n.decode("latin-1"), v.decode("latin-1")) for n, v in headers])


def _grouped(fields: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in fields:
        found.setdefault(name.lower(), []).append(value)
    return found


def _parsed(raw: bytes, fields: Mapping[str, list[str]]) -> Any:
    if "yaml" in "".join(fields.get("content-type", ())):
        return yaml_bodies.parse(raw)[0]
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode(errors="replace")
