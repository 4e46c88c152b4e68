"""Users of an API server over HTTP as it is: many connections at once, statuses and headers seen."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from support.api_process import ApiServer

_READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Told:
    """`size` is of the body."""

    status: int
    headers: dict[str, str]
    size: int


@dataclass(frozen=True)
class HttpUser:
    """Whoever holds this token; each `line` is a connection of its own."""

    server: ApiServer
    token: str

    @asynccontextmanager
    async def line(self) -> AsyncIterator[Line]:
        host, _, port = self.server.url.removeprefix("https://").rpartition(":")
        context = ssl.create_default_context(cafile=str(self.server.home.pki / "ca.crt"))
        reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
        try:
            yield Line(self, reader, writer)
        finally:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()


@dataclass
class Line:
    """A connection that is kept: one request after the other."""

    user: HttpUser
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def get(self, path: str) -> Told:
        await self.ask(path)
        return await self.whole(await self.head())

    async def whole(self, told: Told) -> Told:
        """Reads the body of which there is the head."""
        size = 0
        if told.headers.get("transfer-encoding") == "chunked":
            while chunk := int(await self.reader.readline(), 16):
                await self._skip(chunk + 2)
                size += chunk
            await self.reader.readline()
        else:
            size = int(told.headers["content-length"])
            await self._skip(size)
        return Told(told.status, told.headers, size)

    async def ask(self, path: str) -> None:
        """Sends the request alone."""
        head = f"GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {self.user.token}\r\n\r\n"
        self.writer.write(head.encode())
        await self.writer.drain()

    async def head(self) -> Told:
        """The head of the answer, whose body is left unread."""
        text = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = text.rstrip().split("\r\n")
        pairs: Any = (line.split(": ", 1) for line in lines)
        return Told(int(first.split(" ")[1]), {name.lower(): value for name, value in pairs}, 0)

    async def _skip(self, size: int) -> None:
        while size:
            data = await self.reader.read(min(size, _READ_BYTES))
            if not data:
                raise ConnectionError("the answer broke off")
            size -= len(data)


def service_account(server: ApiServer, name: str) -> HttpUser:
    return HttpUser(server, account_token(server.call, name))


def account_token(call: Callable[[str, str, Any], tuple[int, Any]], name: str) -> str:
    """Of a new account that may read the ConfigMaps of `default`; `call` is an administrator's."""
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
    metadata = {"name": name}
    verbs = ["get", "list", "watch"]
    role = {"rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": verbs}]}
    binding = {
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": "default"}],
    }
    for path, body in (
        (accounts, {}), (f"{roles}/roles", role), (f"{roles}/rolebindings", binding)
    ):  # fmt: skip
        status, answer = call("POST", path, {"metadata": metadata, **body})
        assert status == 201, answer
    status, answer = call("POST", f"{accounts}/{name}/token", {"spec": {}})
    assert status == 201, answer
    return answer["status"]["token"]
