"""The writing side of a terminal: it reads nothing, waits for who does, and ends."""

from __future__ import annotations

import asyncio
import os
import tty

import uvloop

from mizzen.node.runtimes.process.terminal_input import BUFFER_BYTES_MAX, TerminalInput

DEADLINE_S = 30


def writer_of(fd: int) -> asyncio.StreamWriter:
    os.set_blocking(fd, False)
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport = TerminalInput(fd, protocol)
    return asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop())


def test_the_programs_output_is_left_alone() -> None:
    """By the event loop that the agent has."""

    async def main() -> None:
        master, slave = os.openpty()
        tty.setraw(slave)
        writer = writer_of(os.dup(master))
        try:
            for number in range(200):
                writer.write(b"x")
                await writer.drain()
                assert os.read(slave, 1) == b"x"
                os.write(slave, b"%03d" % number)
                await asyncio.sleep(0)
                assert os.read(master, 3) == b"%03d" % number
        finally:
            writer.transport.abort()
            os.close(slave)
            os.close(master)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(main(), DEADLINE_S))


async def test_it_waits_for_a_program_that_does_not_read() -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    writer = writer_of(os.dup(master))
    sent = os.urandom(4 * BUFFER_BYTES_MAX)
    writer.write(sent)
    waiting = asyncio.ensure_future(writer.drain())
    await asyncio.sleep(0)
    assert not waiting.done()
    writer.close()  # what is written goes out all the same
    found = b""
    async with asyncio.timeout(DEADLINE_S):
        while len(found) < len(sent):
            found += await asyncio.to_thread(os.read, slave, 65536)
        await waiting
        await writer.wait_closed()
    assert found == sent
    os.close(slave)
    os.close(master)
