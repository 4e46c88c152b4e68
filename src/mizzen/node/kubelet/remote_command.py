"""/exec/NAMESPACE/POD/CONTAINER and /attach/...: a program's streams over a websocket.

A message's first byte is its channel: 0 stdin, 1 stdout, 2 stderr, 3 how it ended, 4 the
terminal's size; in v5, 255 and a channel close that one. Parameters are the kubelet's: `command`,
as often as it has words, and `input`, `output`, `error`, `tty`. Source: cri-streaming 1.36,
remotecommand/websocket.go and exec.go; CRI of containerd for the words of failures.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from urllib.parse import parse_qs

import orjson

from mizzen.base.errors import BadRequest, InternalError, NotFound
from mizzen.base.objects import Obj, uid_of
from mizzen.host.get_server import Get, Upgrade
from mizzen.host.websocket import BROKEN, WebSocket, WebSocketClosed, WebSocketError
from mizzen.node.kubelet.server import NodeView
from mizzen.node.runtimes.interface import ExecFailed, ExecResult, Stdio, Streams, run_key
from mizzen.node.slot import Slot

STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
V5, V4, V4_BASE64 = "v5.channel.k8s.io", "v4.channel.k8s.io", "v4.base64.channel.k8s.io"
# Before v4 the error channel has plain text, and nothing where all went well.
_PLAIN, _PLAIN_BASE64 = ("channel.k8s.io", ""), ("base64.channel.k8s.io",)
PROTOCOLS = (V5, V4, V4_BASE64, *_PLAIN, *_PLAIN_BASE64)
CHUNK_BYTES = 32 << 10
RESIZE_BYTES_MAX = 1 << 10

Encode = Callable[[int, bytes], bytes | str]


class Codec:
    """Messages of one subprotocol."""

    def __init__(self, protocol: str) -> None:
        self.protocol = protocol
        self._is_base64 = protocol in (V4_BASE64, *_PLAIN_BASE64)
        self.has_status = protocol in (V5, V4, V4_BASE64)

    def encode(self, channel: int, data: bytes) -> bytes | str:
        if self._is_base64:
            return chr(ord("0") + channel) + base64.b64encode(data).decode()
        return bytes((channel,)) + data

    def decode(self, message: bytes | str) -> tuple[int, bytes] | None:
        """Channel and data; (CLOSE, the channel's byte) in v5; None for what says nothing."""
        raw = message.encode() if isinstance(message, str) else message
        if not raw:
            return None
        channel, data = raw[0], raw[1:]
        if channel == CLOSE and self.protocol != V5:
            return None
        if not self._is_base64:
            return channel, data
        try:
            return channel - ord("0"), base64.b64decode(data)
        except binascii.Error:
            return None


async def exec_command(view: NodeView, names: list[str], request: Get) -> Upgrade:
    """Errors: NotFound, BadRequest, InternalError for a container that does not run."""
    slot, name, stdio = _asked(view, names, request)
    argv = parse_qs(request.query, keep_blank_values=True).get("command", [])
    if not argv:
        raise BadRequest("a command is to be said: command=WORD, as often as it has words")
    bundle = slot.bundles.get(name)
    key = _running(slot, name)
    if bundle is None:
        raise InternalError(f'container "{name}" is being taken over by its node: try again')

    async def begin() -> Streams:
        return await slot.runtime.open_exec(key, "exec", bundle, argv, stdio)

    return _upgrade(request, stdio, begin, partial(_end_of_exec, argv))


async def attach(view: NodeView, names: list[str], request: Get) -> Upgrade:
    """Errors: NotFound, BadRequest, InternalError for a container that does not run."""
    slot, name, stdio = _asked(view, names, request)
    key = _running(slot, name)
    spec = next(run.spec for run in slot.state.containers if run.name == name)
    # Its end is the run's, so there is always one output to see it by.
    seen = Stdio(stdio.stdin, stdout=True, stderr=stdio.stderr, tty=bool(spec.get("tty")))

    async def begin() -> Streams:
        return await slot.runtime.attach(key, seen)

    return _upgrade(request, stdio, begin, None)


def _asked(view: NodeView, names: list[str], request: Get) -> tuple[Slot, str, Stdio]:
    """Errors: NotFound, BadRequest."""
    if len(names) != 3:
        raise NotFound("a container's streams are at /exec/NAMESPACE/POD/CONTAINER, or /attach/...")
    namespace, pod_name, container = names
    slot = view.slots.get(uid_of(view.pod(namespace, pod_name, request.params)))
    if slot is None:
        raise NotFound(f'pod "{pod_name}" has ended')
    stdin, stdout, stderr, tty = (
        request.params.get(word) == "1" for word in ("input", "output", "error", "tty")
    )
    stdio = Stdio(stdin, stdout, stderr and not tty, tty)
    if not (stdin or stdout or stderr):
        raise BadRequest("you must specify at least 1 of stdin, stdout, stderr")
    if request.offered is None:
        raise BadRequest("Upgrade request required: a container's streams are a websocket")
    return slot, container, stdio


def _running(slot: Slot, name: str) -> str:
    """The key of the container's present run. Errors: InternalError, as upstream."""
    run = slot.state.container(name)
    if run is None or run.phase != "running":
        raise InternalError(f'container not found ("{name}")')
    return run_key(slot.uid, name, run.number)


def _upgrade(
    request: Get,
    stdio: Stdio,
    begin: Callable[[], Awaitable[Streams]],
    status_of: Callable[[ExecResult], Obj] | None,
) -> Upgrade:
    protocol = choose(request.offered or (), PROTOCOLS)
    codec = Codec(protocol)
    return Upgrade(
        protocol, partial(_serve, codec=codec, stdio=stdio, begin=begin, status_of=status_of)
    )


def choose(offered: Sequence[str], known: Sequence[str]) -> str:
    """The first subprotocol of those offered that is known. Errors: BadRequest."""
    for protocol in offered or ("",):
        if protocol in known:
            return protocol
    raise BadRequest(
        f"none of the subprotocols {', '.join(offered)} is spoken here: offer one of "
        f"{', '.join(filter(None, known))}"
    )


async def _serve(
    socket: WebSocket,
    *,
    codec: Codec,
    stdio: Stdio,
    begin: Callable[[], Awaitable[Streams]],
    status_of: Callable[[ExecResult], Obj] | None,
) -> None:
    """Talks until the program has ended or the client has left."""
    first = STDOUT if stdio.stdout else STDERR if stdio.stderr else ERROR
    await socket.send(codec.encode(first, b""))  # the connection is there, it says
    try:
        streams = await begin()
    except (ExecFailed, ValueError) as error:
        await _tell(socket, codec, _internal_error(error))
        await socket.close()
        return
    try:
        await _carry(socket, codec, stdio, streams, status_of)
    finally:
        streams.close()
        socket.abort()


async def _carry(
    socket: WebSocket,
    codec: Codec,
    stdio: Stdio,
    streams: Streams,
    status_of: Callable[[ExecResult], Obj] | None,
) -> None:
    coming = asyncio.ensure_future(_take(socket, codec, streams))
    going = asyncio.ensure_future(_finish(socket, codec, stdio, streams, status_of))
    both: tuple[asyncio.Future[bool], ...] = (coming, going)
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        is_told = going.done() and going.result()
    finally:
        for task in both:
            task.cancel()
        await asyncio.wait(both)
    if is_told:
        await socket.close()


async def _finish(
    socket: WebSocket,
    codec: Codec,
    stdio: Stdio,
    streams: Streams,
    status_of: Callable[[ExecResult], Obj] | None,
) -> bool:
    """Shows all of the outputs, then says how it ended; False where nobody listens."""
    shown = [
        _show(reader, socket if is_wanted else None, codec, channel)
        for channel, reader, is_wanted in (
            (STDOUT, streams.stdout, stdio.stdout),
            (STDERR, streams.stderr, stdio.stderr),
        )
        if reader is not None
    ]
    try:
        await asyncio.gather(*shown)
        status = _SUCCESS if status_of is None else status_of(await streams.wait())
        await _tell(socket, codec, status)
    except (OSError, TimeoutError):
        return False
    return True


async def _show(
    reader: asyncio.StreamReader, socket: WebSocket | None, codec: Codec, channel: int
) -> None:
    """Passes an output on to its end. Errors: OSError, TimeoutError for a client that does not
    read."""
    while True:
        try:
            data = await reader.read(CHUNK_BYTES)
        except OSError:  # EIO: a terminal's end
            return
        if not data:
            return
        if socket is not None:
            await socket.send(codec.encode(channel, data))


async def _take(socket: WebSocket, codec: Codec, streams: Streams) -> bool:
    """Passes on what the client says, until it leaves."""
    with contextlib.suppress(WebSocketClosed, WebSocketError):
        while True:
            said = codec.decode(await socket.receive())
            if said is None:
                continue
            channel, data = said
            if channel == STDIN and streams.stdin is not None:
                await _write(streams.stdin, data)
            elif channel == RESIZE:
                _resize(streams, data)
            elif channel == CLOSE:
                if len(data) != 1 or data[0] > RESIZE:
                    await socket.close(BROKEN, "a close names one channel")
                    return False
                if data[0] == STDIN and streams.stdin is not None:
                    _end_input(streams.stdin)
    return False


async def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    """What is written to a program that takes no more is lost, as upstream."""
    if writer.transport.is_closing():
        return
    with contextlib.suppress(OSError):
        writer.write(data)
        await writer.drain()


def _end_input(writer: asyncio.StreamWriter) -> None:
    if not writer.transport.is_closing():
        with contextlib.suppress(OSError):
            writer.write_eof()


def _resize(streams: Streams, data: bytes) -> None:
    """Source: client-go remotecommand.TerminalSize."""
    if len(data) > RESIZE_BYTES_MAX:
        return
    with contextlib.suppress(ValueError, TypeError, AttributeError, OSError):
        size: Mapping[str, object] = orjson.loads(data)
        rows, columns = size.get("Height"), size.get("Width")
        if isinstance(rows, int) and isinstance(columns, int) and rows >= 0 and columns >= 0:
            streams.resize(rows, columns)


# -- how it ended ----------------------------------------------------------------------------------

_SUCCESS: Obj = {"metadata": {}, "status": "Success"}


async def _tell(socket: WebSocket, codec: Codec, status: Obj) -> None:
    if codec.has_status:
        await socket.send(codec.encode(ERROR, orjson.dumps(status)))
    elif status is not _SUCCESS:
        await socket.send(codec.encode(ERROR, str(status["message"]).encode()))


def _end_of_exec(argv: Sequence[str], result: ExecResult) -> Obj:
    if not result.code:
        return _SUCCESS
    words = " ".join(argv)
    return {
        "metadata": {},
        "status": "Failure",
        "message": "command terminated with non-zero exit code: error executing command "
        f"[{words}], exit code {result.code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(result.code)}]},
    }


def _internal_error(error: Exception) -> Obj:
    text = f"error executing command in container: failed to exec in container: {error}"
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"Internal error occurred: {text}",
        "reason": "InternalError",
        "details": {"causes": [{"message": text}]},
        "code": 500,
    }


HANDLERS = {"exec": exec_command, "attach": attach}
