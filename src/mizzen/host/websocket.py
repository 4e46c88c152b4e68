"""Websockets over asyncio's streams, for what processes of Mizzen say to each other both ways.

`FrameParser` is pure: bytes in, whole messages out. `WebSocket` is the connection around it. What
breaks the protocol or a bound gets a close with its code. Source: RFC 6455.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MESSAGE_BYTES_MAX = 1 << 20
CONTROL_BYTES_MAX = 125
UNREAD_S_MAX = 120.0  # a peer that reads nothing for this long is gone
CLOSE_S_MAX = 2.0  # that the peer has to say goodbye, too
READ_BYTES = 64 << 10
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
NORMAL, GOING_AWAY, PROTOCOL, UNACCEPTABLE, BAD_TEXT, TOO_BIG, BROKEN = (
    1000, 1001, 1002, 1003, 1007, 1009, 1011,
)  # fmt: skip
_KNOWN = frozenset((CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG))
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
# A mask hides bytes from proxies that mistake them for HTTP; between us there is TLS and no proxy,
# so the mask that must be there is the one that costs nothing.
_NO_MASK = bytes(4)


class WebSocketError(Exception):
    """The peer broke the protocol or a bound; `code` is what the connection is closed with."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class WebSocketClosed(Exception):
    """The connection has ended; `code` and `reason` are the peer's, 1006 where it said nothing."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"closed with {code} {reason}".rstrip())
        self.code, self.reason = code, reason


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole message (TEXT or BINARY, however it was fragmented) or a frame of control."""

    opcode: int
    payload: bytes


class FrameParser:
    """Bytes of one direction in, frames out."""

    def __init__(self, *, is_masked: bool, message_bytes_max: int = MESSAGE_BYTES_MAX) -> None:
        """`is_masked`: what comes is a client's."""
        self._is_masked = is_masked
        self._bytes_max = message_bytes_max
        self._buffer = bytearray()
        self._message: list[bytes] | None = None  # of the message that is not complete yet
        self._opcode = 0
        self._size = 0

    def feed(self, data: bytes) -> list[Frame]:
        """What is whole by now. Errors: WebSocketError, after which it is not fed any more."""
        self._buffer += data
        frames: list[Frame] = []
        at = 0
        while (found := self._next(at)) is not None:
            at, head, payload = found
            frame = self._take(head, payload)
            if frame is not None:
                frames.append(frame)
        del self._buffer[:at]
        return frames

    def _next(self, at: int) -> tuple[int, int, bytes] | None:
        """The end, first byte and payload of the frame that begins at `at`, once it is whole."""
        buffer = self._buffer
        if len(buffer) < at + 2:
            return None
        head, length = buffer[at], buffer[at + 1]
        self._check_head(head, bool(length & 0x80))
        length &= 0x7F
        at += 2
        if length > 125:
            size = 2 if length == 126 else 8
            if len(buffer) < at + size:
                return None
            length = int.from_bytes(buffer[at : at + size])
            at += size
        self._check_length(head & 0x0F, length)
        mask = b""
        if self._is_masked:
            if len(buffer) < at + 4:
                return None
            mask = bytes(buffer[at : at + 4])
            at += 4
        end = at + length
        if len(buffer) < end:
            return None
        return end, head, unmasked(bytes(buffer[at:end]), mask)

    def _check_head(self, head: int, is_masked: bool) -> None:
        opcode = head & 0x0F
        if head & 0x70 or opcode not in _KNOWN:
            raise WebSocketError(PROTOCOL, f"a frame begins with {head:#04x}: no such frame is")
        if is_masked != self._is_masked:
            raise WebSocketError(PROTOCOL, "frames of clients are masked, those of servers are not")
        if opcode >= CLOSE and not head & 0x80:
            raise WebSocketError(PROTOCOL, "a frame of control is fragmented")
        is_within = self._message is not None
        if opcode < CLOSE and (opcode == CONTINUATION) != is_within:
            raise WebSocketError(PROTOCOL, "the fragments of messages are mixed up")

    def _check_length(self, opcode: int, length: int) -> None:
        if opcode >= CLOSE and length > CONTROL_BYTES_MAX:
            raise WebSocketError(PROTOCOL, f"a frame of control has {length} bytes")
        if opcode < CLOSE and self._size + length > self._bytes_max:
            raise WebSocketError(
                TOO_BIG, f"a message has more than {self._bytes_max} bytes: send smaller ones"
            )

    def _take(self, head: int, payload: bytes) -> Frame | None:
        opcode = head & 0x0F
        if opcode >= CLOSE:
            return Frame(opcode, payload)
        if self._message is None:
            self._message, self._opcode = [], opcode
        self._size += len(payload)
        # Empty fragments are not kept: there may be any number of them.
        if payload:
            self._message.append(payload)
        if not head & 0x80:
            return None
        whole, opcode = b"".join(self._message), self._opcode
        self._message, self._size = None, 0
        return Frame(opcode, whole)


def unmasked(payload: bytes, mask: bytes) -> bytes:
    """The payload under its mask of four bytes (or none), which is also how it is put there."""
    length = len(payload)
    if not length or not any(mask):
        return payload
    repeated = (mask * (length // 4 + 1))[:length]
    return (int.from_bytes(payload) ^ int.from_bytes(repeated)).to_bytes(length)


def encode(opcode: int, payload: bytes, *, is_client: bool) -> bytes:
    """One frame, not fragmented."""
    length, bit = len(payload), 0x80 if is_client else 0
    if length < 126:
        head = bytes((0x80 | opcode, bit | length))
    elif length < 1 << 16:
        head = bytes((0x80 | opcode, bit | 126)) + length.to_bytes(2)
    else:
        head = bytes((0x80 | opcode, bit | 127)) + length.to_bytes(8)
    return head + (_NO_MASK if is_client else b"") + payload


def accept_of(key: str) -> str:
    """Sec-WebSocket-Accept for a client's Sec-WebSocket-Key."""
    return base64.b64encode(hashlib.sha1(key.encode() + _GUID).digest()).decode()


def offered(headers: Mapping[str, str]) -> Sequence[str] | None:
    """The subprotocols that a request for a websocket offers; None where it asks for none.

    `headers`: lower-case names. Errors: WebSocketError for what is half a handshake.
    """
    if headers.get("upgrade", "").lower() != "websocket":
        return None
    if "upgrade" not in headers.get("connection", "").lower():
        return None
    if headers.get("sec-websocket-version") != "13" or not headers.get("sec-websocket-key"):
        raise WebSocketError(PROTOCOL, "a websocket needs Sec-WebSocket-Version: 13 and a key")
    named = headers.get("sec-websocket-protocol", "").split(",")
    return [name.strip() for name in named if name.strip()]


class WebSocket:
    """One open connection, either side of it.

    Messages are received by one task and sent by any; what is not received yet is bounded by the
    stream's limit and one message, what is not sent by what the transport holds before it pauses.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        is_client: bool,
        protocol: str = "",
    ) -> None:
        self.protocol = protocol
        self._reader, self._writer = reader, writer
        self._is_client = is_client
        self._parser = FrameParser(is_masked=not is_client)
        self._frames: list[Frame] = []  # in reverse
        self._has_said_goodbye = False

    async def receive(self) -> bytes | str:
        """The next message. Errors: WebSocketClosed; WebSocketError, told to the peer already."""
        try:
            while True:
                frame = await self._frame()
                if frame.opcode == TEXT:
                    return frame.payload.decode()
                if frame.opcode == BINARY:
                    return frame.payload
                if frame.opcode == PING:
                    await self._write(PONG, frame.payload)
                elif frame.opcode == CLOSE:
                    raise _closed(frame.payload)
        except UnicodeDecodeError as error:
            problem = WebSocketError(BAD_TEXT, "a text is no UTF-8")
            await self._say_goodbye(problem.code, str(problem))
            raise problem from error
        except WebSocketError as error:
            await self._say_goodbye(error.code, str(error))
            raise

    async def send(self, message: bytes | str) -> None:
        """Errors: OSError; TimeoutError where the peer reads nothing."""
        if isinstance(message, str):
            await self._write(TEXT, message.encode())
        else:
            await self._write(BINARY, message)

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Says goodbye, waits a moment for the peer's, and ends the connection."""
        try:
            await self._say_goodbye(code, reason)
            with contextlib.suppress(WebSocketClosed, WebSocketError, OSError, TimeoutError):
                async with asyncio.timeout(CLOSE_S_MAX):
                    while True:
                        await self.receive()
        finally:
            self.abort()

    def abort(self) -> None:
        """Ends the connection as it is."""
        self._writer.transport.abort()

    async def _frame(self) -> Frame:
        while not self._frames:
            try:
                data = await self._reader.read(READ_BYTES)
            except OSError as error:
                raise WebSocketClosed(1006, str(error)) from error
            if not data:
                raise WebSocketClosed(1006, "the connection ended")
            self._frames = self._parser.feed(data)[::-1]
        return self._frames.pop()

    async def _write(self, opcode: int, payload: bytes) -> None:
        self._writer.write(encode(opcode, payload, is_client=self._is_client))
        async with asyncio.timeout(UNREAD_S_MAX):
            await self._writer.drain()

    async def _say_goodbye(self, code: int, reason: str) -> None:
        if self._has_said_goodbye:
            return
        self._has_said_goodbye = True
        text = reason.encode()[: CONTROL_BYTES_MAX - 2].decode(errors="ignore").encode()
        with contextlib.suppress(OSError, TimeoutError):
            await self._write(CLOSE, code.to_bytes(2) + text)


def _closed(payload: bytes) -> WebSocketClosed:
    if len(payload) < 2:
        return WebSocketClosed(1005)
    return WebSocketClosed(int.from_bytes(payload[:2]), payload[2:].decode(errors="replace"))
