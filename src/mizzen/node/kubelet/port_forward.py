"""/portForward/NAMESPACE/POD: connections to ports of a pod over a websocket.

Two subprotocols. `SPDY/3.1+portforward.k8s.io` (kubectl): bytes of SPDY frames; for each connection
the client opens two streams, `error` and `data`, which name the port and their request. The older
`v4.channel.k8s.io` (Python clients): `port` says which, and each has two channels, data and errors,
both beginning with the port's number; there is no half close and one connection for each port.
Source: cri-streaming 1.36, portforward/httpstream.go and websocket.go.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import parse_qs

from mizzen.base.errors import BadRequest, NotFound
from mizzen.base.objects import uid_of
from mizzen.host import spdy
from mizzen.host.get_server import Get, Upgrade
from mizzen.host.websocket import PROTOCOL, WebSocket, WebSocketClosed, WebSocketError
from mizzen.node.kubelet.remote_command import V4, V4_BASE64, Codec, choose
from mizzen.node.kubelet.server import NodeView
from mizzen.node.slot import Slot

TUNNEL = "SPDY/3.1+portforward.k8s.io"
PROTOCOLS = (TUNNEL, V4, V4_BASE64, "")
CHUNK_BYTES = 32 << 10
STREAMS_MAX = 2048  # of one websocket at a time, two for each connection
PORTS_MAX = 64  # of one websocket in v4
PAIR_S_MAX = 30.0  # that the second stream of a connection may be late, as upstream

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[int], Coroutine[Any, Any, Connection]]


async def port_forward(view: NodeView, names: list[str], request: Get) -> Upgrade:
    """Errors: NotFound, BadRequest."""
    if len(names) != 2:
        raise NotFound("a pod's ports are at /portForward/NAMESPACE/POD")
    namespace, name = names
    slot = view.slots.get(uid_of(view.pod(namespace, name, request.params)))
    if slot is None:
        raise NotFound(f'pod "{name}" has ended')
    if request.offered is None:
        raise BadRequest("Upgrade request required: a pod's ports are reached by a websocket")
    protocol = choose(request.offered, PROTOCOLS)
    of_pod = f"to pod {name}, uid {slot.uid}"
    connect = partial(_connect, slot)
    if protocol == TUNNEL:
        return Upgrade(protocol, lambda socket: Tunnel(socket, connect, of_pod).serve())
    ports = _ports(request.query)
    return Upgrade(protocol, lambda socket: _serve_channels(socket, ports, connect, of_pod))


async def _connect(slot: Slot, port: int) -> Connection:
    return await slot.runtime.connect_port(slot.uid, slot.state.ip, port)


def _port(text: str) -> int:
    """Errors: ValueError."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 1 << 16):
        raise ValueError(f'unable to parse "{text}" as a port')
    return int(text)


def _ports(query: str) -> list[int]:
    """Errors: BadRequest."""
    texts = [text for each in parse_qs(query).get("port", []) for text in each.split(",")]
    if not texts or len(texts) > PORTS_MAX:
        raise BadRequest(
            f'query parameter "port" is required, {PORTS_MAX} ports at most; {len(texts)} are named'
        )
    try:
        return [_port(text) for text in texts]
    except ValueError as error:
        raise BadRequest(str(error)) from error


async def _pump(
    reader: asyncio.StreamReader, send: Callable[[bytes], Coroutine[Any, Any, None]]
) -> None:
    while data := await reader.read(CHUNK_BYTES):
        await send(data)


# -- v4: two channels for each port ----------------------------------------------------------------


async def _serve_channels(
    socket: WebSocket, ports: list[int], connect: Connect, of_pod: str
) -> None:
    codec = Codec(socket.protocol)
    writers: dict[int, asyncio.StreamWriter] = {}
    opened = {2 * index: asyncio.Event() for index in range(len(ports))}

    async def forward(index: int, port: int) -> None:
        channel = 2 * index
        number = port.to_bytes(2, "little")
        await socket.send(codec.encode(channel, number))
        await socket.send(codec.encode(channel + 1, number))
        try:
            reader, writer = await connect(port)
        except (OSError, TimeoutError) as error:
            opened[channel].set()
            text = f"error forwarding port {port} {of_pod}: {error}"
            await socket.send(codec.encode(channel + 1, text.encode()))
            return
        writers[channel] = writer
        opened[channel].set()
        try:
            await _pump(reader, lambda data: socket.send(codec.encode(channel, data)))
        except (OSError, TimeoutError) as error:
            text = f"error forwarding port {port} {of_pod}: {error}"
            await socket.send(codec.encode(channel + 1, text.encode()))
        finally:
            writer.transport.abort()

    async def take() -> None:
        with contextlib.suppress(WebSocketClosed, WebSocketError):
            while True:
                said = codec.decode(await socket.receive())
                if said is None or said[0] not in opened:
                    continue
                await opened[said[0]].wait()
                writer = writers.get(said[0])
                if writer is not None and not writer.transport.is_closing():
                    with contextlib.suppress(OSError):
                        writer.write(said[1])
                        await writer.drain()

    coming = asyncio.ensure_future(take())
    forwards = asyncio.gather(*(forward(i, port) for i, port in enumerate(ports)))
    try:
        await asyncio.wait((coming, forwards), return_when=asyncio.FIRST_COMPLETED)
        is_over = forwards.done()
    finally:
        for task in (coming, forwards):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError, TimeoutError):
            await forwards
        await asyncio.wait((coming,))
        for writer in writers.values():
            writer.transport.abort()
    if is_over:
        await socket.close()
    socket.abort()


# -- SPDY: two streams for each connection ---------------------------------------------------------


@dataclass(slots=True)
class _Pair:
    """The streams of one connection, 0 until they are opened, and the pod's end of it."""

    port: int
    data: int = 0
    error: int = 0
    writer: asyncio.StreamWriter | None = None
    early: bytearray = field(default_factory=bytearray)  # data that came before the pod answered
    is_ended: bool = False  # the client sends no more
    task: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None


class Tunnel:
    """One websocket that carries SPDY."""

    def __init__(self, socket: WebSocket, connect: Connect, of_pod: str) -> None:
        self._socket = socket
        self._connect = connect
        self._of_pod = of_pod
        self._parser, self._writer = spdy.SpdyParser(), spdy.SpdyWriter()
        self._pairs: dict[str, _Pair] = {}  # by request, until both streams are there
        self._by_stream: dict[int, _Pair] = {}
        self._last_stream = 0

    async def serve(self) -> None:
        """Forwards until the client leaves; it is told what it breaks."""
        try:
            while True:
                message = await self._socket.receive()
                if isinstance(message, str):
                    raise spdy.SpdyError("a text is no SPDY frame")
                for frame in self._parser.feed(message):
                    await self._take(frame)
        except spdy.SpdyError as error:
            await self._socket.close(PROTOCOL, str(error))
        except (WebSocketClosed, WebSocketError, OSError, TimeoutError):
            pass
        finally:
            tasks = [self._end(pair) for pair in {id(p): p for p in self._all()}.values()]
            await asyncio.gather(*filter(None, tasks), return_exceptions=True)
            self._socket.abort()

    def _all(self) -> list[_Pair]:
        return [*self._by_stream.values(), *self._pairs.values()]

    async def _take(self, frame: spdy.Frame) -> None:
        match frame:
            case spdy.SynStream():
                await self._open(frame)
            case spdy.Data():
                await self._write(frame)
            case spdy.RstStream(stream=stream):
                pair = self._by_stream.get(stream)
                if pair is not None:
                    self._forget(pair)
                    self._end(pair)
            case spdy.Ping(id=number):
                if number % 2:  # a client's are odd; even ones answer ours
                    await self._socket.send(spdy.ping(number))
            case spdy.GoAway():
                pass  # what is open goes on

    async def _open(self, frame: spdy.SynStream) -> None:
        stream = frame.stream
        if stream <= self._last_stream or not stream % 2:
            raise spdy.SpdyError(f"stream {stream} cannot be opened after {self._last_stream}")
        self._last_stream = stream
        try:
            kind, port = frame.headers.get("streamtype", ""), _port(frame.headers.get("port", ""))
            if kind not in ("data", "error"):
                raise ValueError(f'invalid stream type "{kind}"')
            if len(self._by_stream) >= STREAMS_MAX:
                raise ValueError(f"{STREAMS_MAX} streams are open already")
            request = frame.headers.get("requestid") or str(stream - (2 if kind == "data" else 0))
            pair = self._pairs.setdefault(request, _Pair(port))
            if getattr(pair, kind):
                raise ValueError(f"error processing stream for request {request}: {kind} stream "
                                 "already assigned")  # fmt: skip
        except ValueError:
            await self._socket.send(spdy.rst_stream(stream, spdy.REFUSED_STREAM))
            return
        setattr(pair, kind, stream)
        self._by_stream[stream] = pair
        pair.is_ended = pair.is_ended or (kind == "data" and frame.is_fin)
        await self._socket.send(self._writer.syn_reply(stream))
        if pair.data and pair.error:
            del self._pairs[request]
            if pair.timer is not None:
                pair.timer.cancel()
            pair.task = asyncio.create_task(self._forward(pair))
        else:
            loop = asyncio.get_running_loop()
            pair.timer = loop.call_later(PAIR_S_MAX, self._give_up, request, pair)

    def _give_up(self, request: str, pair: _Pair) -> None:
        """The second stream of the connection did not come."""
        if self._pairs.get(request) is pair:
            del self._pairs[request]
            self._forget(pair)

    async def _write(self, frame: spdy.Data) -> None:
        pair = self._by_stream.get(frame.stream)
        if pair is None or frame.stream != pair.data or pair.is_ended:
            return  # the client closes its half of the error stream at once
        pair.is_ended = frame.is_fin
        if pair.writer is None:
            if len(pair.early) + len(frame.data) > spdy.FRAME_BYTES_MAX:
                raise spdy.SpdyError("more is sent than fits before the pod has answered")
            pair.early += frame.data
        else:
            await _write(pair.writer, frame.data, is_last=frame.is_fin)

    async def _forward(self, pair: _Pair) -> None:
        """One connection, from its two streams on to their end."""
        data_stream, error_stream = pair.data, pair.error
        problem = ""
        try:
            reader, pair.writer = await self._connect(pair.port)
            early, pair.early = bytes(pair.early), bytearray()
            await _write(pair.writer, early, is_last=pair.is_ended)
            await _pump(reader, lambda data: self._socket.send(spdy.data(data_stream, data)))
        except (OSError, TimeoutError) as error:
            problem = f"error forwarding port {pair.port} {self._of_pod}: {error}"
        finally:
            self._forget(pair)
            if pair.writer is not None:
                # What the client has sent may still be on its way; there is nobody to answer it.
                pair.writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            if problem:
                await self._socket.send(spdy.data(error_stream, problem.encode()))
                for stream in (data_stream, error_stream):
                    await self._socket.send(spdy.rst_stream(stream, spdy.CANCEL))
            else:
                for stream in (data_stream, error_stream):
                    await self._socket.send(spdy.data(stream, b"", is_fin=True))

    def _forget(self, pair: _Pair) -> None:
        for stream in (pair.data, pair.error):
            self._by_stream.pop(stream, None)

    def _end(self, pair: _Pair) -> asyncio.Task[None] | None:
        if pair.timer is not None:
            pair.timer.cancel()
        if pair.writer is not None:
            pair.writer.transport.abort()
        if pair.task is not None:
            pair.task.cancel()
        return pair.task


async def _write(writer: asyncio.StreamWriter, data: bytes, *, is_last: bool) -> None:
    """What the pod does not take any more is lost, as on a connection of its own."""
    if writer.transport.is_closing():
        return
    with contextlib.suppress(OSError):
        writer.write(data)
        if is_last and writer.can_write_eof():
            writer.write_eof()
        await writer.drain()


HANDLERS = {"portForward": port_forward}
