"""The agent's own API, as the kubelet's: HTTPS that lets in the API server alone.

Small on purpose, for every node pays for it: GET, one request for a connection, answers that
stream. What is not sent to its end breaks off, so that whoever reads it knows.
Source: RFC 9112; the kubelet's `/containerLogs/{namespace}/{pod}/{container}`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from mizzen.base import query
from mizzen.base.clock import Clock
from mizzen.base.errors import ApiError, BadRequest, MethodNotAllowed, NotFound, TooManyRequests
from mizzen.base.objects import Key, Obj
from mizzen.base.registry import collect
from mizzen.host.mutual_tls import MutualTls
from mizzen.node.config import HOST_IP

CONNECTIONS_MAX = 256
HEAD_BYTES_MAX = 16 << 10
HEAD_S_MAX = 10.0
_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class NodeView:
    """The node's state as handlers see it."""

    pods: Mapping[Key, Obj]  # of this node
    pods_dir: Path
    clock: Clock


# (what is known, the path's parts after the first, parameters) -> the answer's text, as it comes
Handler = Callable[[NodeView, list[str], Mapping[str, str]], Awaitable[AsyncGenerator[bytes, None]]]


class NodeServer:
    """Answers by the handlers that the modules beside this one name in HANDLERS."""

    def __init__(self, tls: MutualTls, view: NodeView) -> None:
        self._tls = tls
        self._view = view
        found: list[tuple[str, Mapping[str, Handler]]] = collect("mizzen.node.kubelet", "HANDLERS")
        self._handlers = {path: each for _, some in found for path, each in some.items()}
        self._open: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    def statistics(self) -> Mapping[str, int]:
        return {"connections": len(self._open)}

    async def open(self) -> int:
        """Listens until `close`; returns the port, for the node's status. Errors: OSError."""
        self._server = await asyncio.start_server(
            self._serve,
            HOST_IP,
            limit=HEAD_BYTES_MAX,
            ssl=self._tls.server_context(),
            ssl_handshake_timeout=HEAD_S_MAX,
        )
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Breaks off whatever is under way."""
        if self._server is not None:
            self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "asyncio runs it as one"
        self._open.add(task)
        is_whole = False
        try:
            async with asyncio.timeout(HEAD_S_MAX):
                head = await reader.readuntil(_END)
            await self._answer(head, reader, writer)
            is_whole = True
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            pass  # no HTTP, or the API server has left
        finally:
            self._open.discard(task)
            if not is_whole:
                writer.transport.abort()
            writer.close()

    async def _answer(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            chunks = await self._find(head)
        except ApiError as error:
            body = error.message.encode()
            writer.write(_head(error.code, f"Content-Length: {len(body)}") + body)
            await writer.drain()
            return
        writer.write(_head(200, "Transfer-Encoding: chunked"))
        pump = asyncio.ensure_future(_pump(chunks, writer))
        gone = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait((pump, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (pump, gone):
                each.cancel()
            await asyncio.wait((pump, gone))
        if not gone.cancelled():
            gone.exception()  # how it left is not told
        if pump.cancelled():
            raise ConnectionResetError("the API server has left")
        pump.result()

    async def _find(self, head: bytes) -> AsyncGenerator[bytes, None]:
        """Errors: ApiError."""
        method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
        target, _, version = rest.partition(" ")
        if not version.startswith("HTTP/1."):
            raise BadRequest("this is no HTTP/1.1")
        if method != "GET":
            raise MethodNotAllowed(f"{method} is not served here: GET is")
        if len(self._open) > CONNECTIONS_MAX:
            raise TooManyRequests(
                f"{len(self._open)} requests to this node are under way, of at most "
                f"{CONNECTIONS_MAX}: try again",
                retry_after_s=1,
            )
        path, _, text = target.partition("?")
        first, *parts = [unquote(part) for part in path.removeprefix("/").split("/")]
        handler = self._handlers.get(first)
        if handler is None:
            raise NotFound(f"{path} is not served by this node")
        return await handler(self._view, parts, query.parse(text))


def _head(status: int, length: str) -> bytes:
    fields = f"Content-Type: text/plain\r\n{length}\r\nConnection: close"
    return f"HTTP/1.1 {status} {'OK' if status == 200 else 'Refused'}\r\n{fields}\r\n\r\n".encode()


async def _pump(chunks: AsyncGenerator[bytes, None], writer: asyncio.StreamWriter) -> None:
    async with contextlib.aclosing(chunks):
        async for chunk in chunks:
            if chunk:
                writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                await writer.drain()
    writer.write(b"0\r\n\r\n")
    await writer.drain()
