"""An HTTP server on an address of its own, which tells what it was asked."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Any

from mizzen.host.websocket import accept_of

Obj = dict[str, Any]
Told = tuple[int, dict[str, str], bytes]


@dataclass
class OtherServer:
    """`asked` are the requests so far; what `answer` says is answered, else the request itself."""

    answer: Callable[[Obj], Told | None] = lambda _: None
    asked: list[Obj] = field(default_factory=list[Obj])
    address: str = ""
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            text = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = text.rstrip().split("\r\n")
            method, target, _ = first.split(" ")
            pairs = [line.partition(": ")[::2] for line in lines]
            headers = {name.lower(): value for name, value in pairs}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            request: Obj = {"method": method, "target": target, "headers": headers,
                            "body": body.decode()}  # fmt: skip
            self.asked.append(request)
            if headers.get("upgrade") == "websocket":
                await _echo(reader, writer, headers)
                return
            status, more, said = self.answer(request) or (200, {}, json.dumps(request).encode())
            fields = {"Content-Type": "application/json", "Content-Length": str(len(said)), **more}
            head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
            written = f"HTTP/1.1 {status} X\r\n{head}\r\n".encode()
            writer.write(written + (b"" if method == "HEAD" else said))
            await writer.drain()
        writer.close()


async def _echo(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, headers: dict[str, str]
) -> None:
    """One message is said again; then it says goodbye."""
    accept = accept_of(headers["sec-websocket-key"])
    protocol = headers.get("sec-websocket-protocol", "")
    named = f"Sec-WebSocket-Protocol: {protocol}\r\n" if protocol else ""
    writer.write(
        "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n{named}\r\n".encode()
    )
    kind, size = await reader.readexactly(2)
    mask = await reader.readexactly(4)
    masked = await reader.readexactly(size & 127)
    said = bytes(byte ^ mask[at % 4] for at, byte in enumerate(masked))
    writer.write(bytes((kind, len(said))) + said + b"\x88\x02\x03\xe8")
    await writer.drain()
    await reader.read(1024)
    writer.close()


@contextlib.asynccontextmanager
async def other_server(
    address: str, answer: Callable[[Obj], Told | None] = lambda _: None, *,
    tls: ssl.SSLContext | None = None,
) -> AsyncGenerator[OtherServer]:  # fmt: skip
    made = OtherServer(answer)
    server = await asyncio.start_server(made.serve, address, 0, ssl=tls)
    made.address, made.port = server.sockets[0].getsockname()
    try:
        yield made
    finally:
        server.close()
