"""An API server without HTTP: the real handlers over a real store, in the test's own process."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from mizzen.apiserver.app import App
from mizzen.apiserver.bootstrap import make_namespaces
from mizzen.apiserver.catalog import Catalog
from mizzen.apiserver.context import ApiServerConfig
from mizzen.apiserver.http import TEXT, Request, Response, Stream, refusal
from mizzen.apiserver.server import Server
from mizzen.base.errors import ApiError
from mizzen.host.mutual_tls import MutualTls
from mizzen.kinds.registry import builtin_kinds, converted_kinds, virtual_kinds
from mizzen.store.store import Store

NS = 1_000_000_000
EPOCH_NS = 1_800_000_000 * NS
NO_NODES = MutualTls(Path(), Path(), Path())
_TOKEN = "test"
DEFAULT = "/api/v1/namespaces/default"
PLANS = "/apis/mizzen.dev/v1alpha1/plans"


class Clock:
    """Stands still until told otherwise."""

    def __init__(self) -> None:
        self.ns = EPOCH_NS

    def now_ns(self) -> int:
        return self.ns

    monotonic_ns = now_ns


class Api:
    """Requests as `admin`, answered by the handlers."""

    def __init__(self, store: Store, **config: Any) -> None:
        self.clock = Clock()
        self.store = store
        made = ApiServerConfig(
            "127.0.0.1", 7443, Path(), Path(), {_TOKEN: "admin"}, NO_NODES, **config
        )
        self.server = Server(
            made, store, Catalog(builtin_kinds(), virtual_kinds(), converted_kinds()), self.clock
        )
        self.app = App(self.server)

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any]:
        """(HTTP status, the answer)."""
        made = await self.send(method, path, body, content_type=content_type, headers=headers)
        is_page = made.content_type == TEXT
        return made.status, made.body.decode() if is_page else json.loads(made.body)

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> Response:
        """The whole answer, with its headers."""
        path, _, query = path.partition("?")
        params = dict(pair.partition("=")[::2] for pair in query.split("&") if pair)
        data = body if isinstance(body, bytes) else b"" if body is None else _json(body)
        said = {"authorization": f"Bearer {_TOKEN}", "content-type": content_type}
        said |= {name.lower(): value for name, value in (headers or {}).items()}
        try:
            request = Request(method, path, params, said, data)
            self.app.authenticate(request)
            made = await self.app.answer(request)
        except ApiError as error:
            made = refusal(error)
        assert isinstance(made, Response), "streams are not for this helper"
        made.gather()
        return made

    async def watch(self, path: str) -> AsyncIterator[bytes]:
        """The chunks of a watch, from its start on."""
        path, _, query = path.partition("?")
        return await self._stream(path, f"watch=true&{query}")

    async def lines(self, path: str) -> list[Any]:
        """The values of a stream of JSON lines that ends."""
        path, _, query = path.partition("?")
        chunks = [chunk async for chunk in await self._stream(path, query)]
        return [json.loads(line) for line in b"".join(chunks).splitlines()]

    async def _stream(self, path: str, query: str) -> AsyncIterator[bytes]:
        headers = {"authorization": f"Bearer {_TOKEN}"}
        params = dict(pair.partition("=")[::2] for pair in query.split("&") if pair)
        request = Request("GET", path, params, headers, b"")
        self.app.authenticate(request)
        made = await self.app.answer(request)
        assert isinstance(made, Stream)
        return made.chunks

    async def plan(self, *operations: dict[str, Any], query: str = "") -> tuple[int, Any]:
        body = {"kind": "Plan", "spec": {"operations": list(operations)}}
        return await self.call("POST", PLANS + query, body)


async def an_api(store: Store, **config: Any) -> Api:
    """With the namespaces every instance has; `config` as of an `ApiServerConfig`."""
    api = Api(store, **config)
    await make_namespaces(api.server)
    return api


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
