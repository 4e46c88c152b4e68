"""Answers on their way to the HTTP server: whole, or piece by piece."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from mizzen.apiserver.http import Response, Rest
from mizzen.apiserver.intake import Send
from mizzen.apiserver.reads import squeezing

_SQUEEZED_BYTES = 512 << 10  # at a time, in a thread


def start(status: int, content_type: str, headers: Any, audit_id: str) -> dict[str, Any]:
    """The head of an answer."""
    fields = [(b"audit-id", audit_id.encode()), (b"content-type", content_type.encode())]
    if headers:
        fields += [(name.encode(), value.encode()) for name, value in headers]
    return {"type": "http.response.start", "status": status, "headers": fields}


def whole(
    response: Response, audit_id: str, *, head_only: bool = False, kind: str = "http.response"
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The messages of an answer that is there."""
    head = start(response.status, response.content_type, response.headers, audit_id)
    head["type"] = f"{kind}.start"
    body = response.body
    head["headers"].append((b"content-length", b"%d" % len(body)))
    body = b"" if head_only else body
    return head, {"type": f"{kind}.body", "body": body, "more_body": False}


async def in_pieces(response: Response, rest: Rest, audit_id: str, send: Send) -> None:
    """Sends an answer while it is made: each piece once the one before has been taken."""
    head = start(response.status, response.content_type, response.headers, audit_id)
    if rest.size:
        length = len(response.body) + rest.size
        head["headers"].append((b"content-length", str(length).encode()))
    await send(head)
    if rest.is_squeezed:
        await _squeezed(response.body, rest.pieces, send)
    else:
        await _piece(send, response.body)
        for piece in rest.pieces:
            await asyncio.sleep(0)  # there may be room for many: others come first
            await _piece(send, piece)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _squeezed(first: bytes, pieces: Iterator[bytes], send: Send) -> None:
    squeeze = squeezing()
    gathered, size = [first], len(first)
    for piece in pieces:
        gathered.append(piece)
        size += len(piece)
        if size >= _SQUEEZED_BYTES:
            await _piece(send, await asyncio.to_thread(squeeze.compress, b"".join(gathered)))
            gathered, size = [], 0
    await _piece(send, squeeze.compress(b"".join(gathered)) + squeeze.flush())


async def _piece(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})
