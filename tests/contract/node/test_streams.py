"""Streams of commands beside a run and of the run itself, over all runtimes that work here."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from contract.node.test_runtimes import DEADLINE_S, UID, Node, node
from mizzen.node.runtimes.interface import (
    ExecFailed,
    ExecResult,
    Resources,
    Stdio,
    Streams,
    run_key,
)
from support.waiting import until

__all__ = ["node"]
ALL = Stdio(stdin=True, stdout=True, stderr=True)
TERMINAL = Stdio(stdin=True, stdout=True, tty=True)


async def read(reader: asyncio.StreamReader | None, until: bytes = b"") -> bytes:
    """All up to what is waited for, else to the end; a terminal's end is an error (EIO)."""
    assert reader is not None
    said = b""
    async with asyncio.timeout(DEADLINE_S):
        while not until or until not in said:
            try:
                data = await reader.read(1 << 16)
            except OSError:
                break
            if not data:
                break
            said += data
    return said


async def end(streams: Streams) -> ExecResult:
    async with asyncio.timeout(DEADLINE_S):
        return await streams.wait()


@asynccontextmanager
async def command(node: Node, key: str, script: str, stdio: Stdio = ALL) -> AsyncGenerator[Streams]:
    bundle = node.bundle("", WORD="word")
    streams = await node.runtime.open_exec(key, "exec", bundle, ["sh", "-c", script], stdio)
    try:
        yield streams
    finally:
        streams.close()


@asynccontextmanager
async def attached(node: Node, key: str, stdio: Stdio = ALL) -> AsyncGenerator[Streams]:
    streams = await node.runtime.attach(key, stdio)
    try:
        yield streams
    finally:
        streams.close()


def start(node: Node, script: str, **said: bool) -> str:
    """A run whose container asks for an input or a terminal."""
    node.runtime.create(UID, Resources())
    key = run_key(UID, "main", 0)
    bundle = {**node.bundle(script)}
    container = {"stdin": "stdin", "tty": "tty", "stdinOnce": "stdin_once"}
    bundle |= {container[name]: value for name, value in said.items()}
    node.runtime.start(key, bundle, node.files.log("main", 0), node.files.record("main", 0))
    return key


async def test_a_command_has_streams_of_its_own_and_ends_with_its_code(node: Node) -> None:
    key = await node.running("exec sleep 600")
    script = 'cat; echo "$WORD"; echo err >&2; exit 5'
    async with command(node, key, script) as streams:
        assert streams.stdin is not None
        streams.stdin.write(b"in\n")
        streams.stdin.write_eof()
        said, errors = await asyncio.gather(read(streams.stdout), read(streams.stderr))
        assert (said, errors) == (b"in\nword\n", b"err\n")
        assert (await end(streams)).code == 5


async def test_streams_that_nobody_wants_are_not_there(node: Node) -> None:
    key = await node.running("exec sleep 600")
    async with command(node, key, "cat; echo out; echo err >&2", Stdio(stderr=True)) as streams:
        assert streams.stdin is None and streams.stdout is None
        assert await read(streams.stderr) == b"err\n"
        assert (await end(streams)).code == 0


async def test_a_program_that_is_not_there_does_not_start(node: Node) -> None:
    key = await node.running("exec sleep 600")
    with pytest.raises(ExecFailed, match="no-such-program"):
        await node.runtime.open_exec(key, "exec", node.bundle(""), ["no-such-program"], ALL)
    assert dict(node.runtime.running).keys() == {key}


async def test_much_goes_through_both_ways_while_nothing_is_kept(node: Node) -> None:
    key = await node.running("exec sleep 600")
    sent = os.urandom(1 << 20) * 8
    async with command(node, key, "exec cat") as streams:
        writer = streams.stdin
        assert writer is not None

        async def write() -> None:
            for at in range(0, len(sent), 1 << 16):
                writer.write(sent[at : at + (1 << 16)])
                await writer.drain()
            writer.write_eof()

        said, _ = await asyncio.gather(read(streams.stdout), write())
    assert said == sent


async def test_who_reads_nothing_stops_the_command_and_not_the_node(node: Node) -> None:
    key = await node.running("exec sleep 600")
    progress = node.files.volume("shared") / "progress"
    script = f"i=0; while :; do i=$((i+1)); head -c 65536 /dev/zero; echo $i > '{progress}'; done"
    async with command(node, key, script) as slow:
        await until(progress.exists, "it writes", DEADLINE_S)
        async with command(node, key, "echo quick") as quick:
            assert await read(quick.stdout) == b"quick\n"
        assert slow.stdout is not None
        assert int(progress.read_text() or 0) < 20


async def test_a_terminal_is_one_with_its_size(node: Node) -> None:
    key = await node.running("exec sleep 600")
    script = "test -t 0 && test -t 1 && test -t 2 && read x && stty size && exit 3"
    async with command(node, key, script, TERMINAL) as streams:
        assert streams.stdin is not None and streams.stderr is None
        streams.resize(33, 111)
        streams.stdin.write(b"\n")
        assert b"33 111" in await read(streams.stdout)
        assert (await end(streams)).code == 3


async def test_keys_of_a_terminal_are_signals(node: Node) -> None:
    key = await node.running("exec sleep 600")
    async with command(node, key, "echo begun; exec sleep 600", TERMINAL) as streams:
        assert streams.stdin is not None
        await read(streams.stdout, b"begun")
        streams.stdin.write(b"\x03")
        assert (await end(streams)).code == 130


async def test_who_hangs_up_ends_what_runs_on_a_terminal(node: Node) -> None:
    key = await node.running("exec sleep 600")
    async with command(node, key, "echo begun; exec sleep 600", TERMINAL) as streams:
        await read(streams.stdout, b"begun")
    await until(lambda: list(node.runtime.running) == [key], "it was hung up on", DEADLINE_S)


async def test_a_command_ends_with_its_run(node: Node) -> None:
    key = await node.running("exec sleep 600")
    async with command(node, key, "echo begun; exec sleep 600") as streams:
        await read(streams.stdout, b"begun")
        node.runtime.signal(key, 9)
        await node.end_of(key)
        assert (await end(streams)).code == 137


async def test_who_attaches_sees_the_output_from_now_on_and_writes_the_input(node: Node) -> None:
    key = start(node, "echo before; while read x; do echo got $x; echo e $x >&2; done", stdin=True)
    await until(lambda: "before" in node.said(), "it runs", DEADLINE_S)
    async with attached(node, key) as first, attached(node, key, Stdio(stdout=True)) as second:
        assert first.stdin is not None and second.stdin is None
        first.stdin.write(b"one\n")
        assert await read(first.stdout, b"got one\n") == b"got one\n"
        assert await read(first.stderr, b"e one\n") == b"e one\n"
        assert await read(second.stdout, b"got one\n") == b"got one\n"
    async with attached(node, key) as third:
        assert third.stdin is not None
        third.stdin.write(b"two\n")
        assert await read(third.stdout, b"got two\n") == b"got two\n"
    await until(lambda: "got two" in node.said(), "the log has all", DEADLINE_S)


async def test_output_without_a_lines_end_is_seen_at_once(node: Node) -> None:
    key = start(node, "read x; printf 'name? '; read y; echo hello $y", stdin=True)
    async with attached(node, key) as client:
        assert client.stdin is not None
        client.stdin.write(b"\n")
        assert await read(client.stdout, b"name? ") == b"name? "
        client.stdin.write(b"bo\n")
        assert await read(client.stdout) == b"hello bo\n"
    assert (await node.end_of(key))["code"] == 0


async def test_the_first_clients_end_is_the_inputs_where_it_is_open_once(node: Node) -> None:
    key = start(node, "cat; echo over", stdin=True, stdinOnce=True)
    async with attached(node, key) as client:
        assert client.stdin is not None
        client.stdin.write(b"all\n")
        client.stdin.write_eof()
        assert await read(client.stdout) == b"all\nover\n"
    assert (await node.end_of(key))["code"] == 0


async def test_a_runs_own_terminal(node: Node) -> None:
    key = start(node, "test -t 0; echo $?; read x; stty size; read y", stdin=True, tty=True)
    await until(lambda: [line.strip() for line in node.said()] == ["0"], "it has one", DEADLINE_S)
    async with attached(node, key, TERMINAL) as client:
        assert client.stdin is not None
        client.resize(24, 99)
        client.stdin.write(b"\n")
        assert b"24 99" in await read(client.stdout, b"24 99")
        client.stdin.write(b"\n")
        await read(client.stdout)
    assert (await node.end_of(key))["code"] == 0


async def test_a_client_that_reads_nothing_stops_the_run_until_it_leaves(node: Node) -> None:
    total = 8 << 20
    key = start(
        node, f"read x; head -c {total} /dev/zero | tr '\\0' 'x'; echo; echo over", stdin=True
    )
    client = await node.runtime.attach(key, ALL)
    assert client.stdin is not None and client.stdout is not None
    client.stdin.write(b"\n")
    async with asyncio.timeout(DEADLINE_S):
        await client.stdout.readexactly(1)
    assert "over" not in node.said()
    client.close()
    await node.end_of(key)
    assert "over" in node.said()


async def test_what_does_not_run_has_no_streams(node: Node) -> None:
    with pytest.raises(ExecFailed):
        await node.runtime.attach(run_key(UID, "main", 7), ALL)


async def test_the_next_agent_attaches_as_well(node: Node) -> None:
    key = start(node, "while read x; do echo got $x; done", stdin=True)
    await until(lambda: key in node.runtime.running, "it runs", DEADLINE_S)
    client = await node.runtime.attach(key, ALL)
    await node.follow()
    client.close()
    async with attached(node, key) as again:
        assert again.stdin is not None
        again.stdin.write(b"on\n")
        assert await read(again.stdout, b"got on\n") == b"got on\n"


SERVER = """
import socket, sys
s = socket.create_server((sys.argv[1], 0))
print(s.getsockname()[1], flush=True)
while True:
    c, _ = s.accept()
    c.sendall(b"hello")
    c.close()
"""


@pytest.mark.parametrize("host", ["127.77.0.5", "0.0.0.0", "127.0.0.1"])
async def test_a_port_is_the_pods_own_wherever_it_listens(node: Node, host: str) -> None:
    key = node.start(f"exec {sys.executable} -c '{SERVER}' {host}")
    await until(lambda: node.said(), "it listens", DEADLINE_S)
    assert key in node.runtime.running
    reader, writer = await node.runtime.connect_port(UID, "127.77.0.5", int(node.said()[0]))
    assert await reader.read() == b"hello"
    writer.close()


async def test_nobody_elses_port_is_reached(node: Node) -> None:
    await node.running("exec sleep 600")
    for host in ("0.0.0.0", "127.0.0.1", "127.77.0.5"):
        with socket.create_server((host, 0)) as other:
            port: Any = other.getsockname()[1]
            with pytest.raises(OSError, match="another process than the pod's"):
                await node.runtime.connect_port(UID, "127.77.0.5", port)
    with pytest.raises(OSError, match="connection refused"):
        await node.runtime.connect_port(UID, "127.77.0.5", port)
