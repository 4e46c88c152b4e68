"""Starts the engine's parts in the order that gets a first token soonest, and ends them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from mizzen.engine.backend import Backend, Settings
from mizzen.engine.ledger import ServingLedger
from mizzen.engine.model import LoadError, ModelFile
from mizzen.engine.server import EngineServer
from mizzen.engine.worker import Piece, Worker
from mizzen.host.clock import RealClock
from mizzen.host.door import BACKLOG, Door, listen
from mizzen.host.inherited import TooFewFiles, raise_file_limit
from mizzen.host.sockets import SocketFolder

# A waiting thread asks for the GIL after this long (default 5 ms): the loop answers sooner.
SWITCH_S = 0.0005
STRANGERS_MAX = 64  # connections for health and metrics, which anybody on the machine may open


@dataclass(frozen=True, slots=True)
class EngineConfig:
    backend: Backend
    model: ModelFile
    name: str
    host: str
    port: int
    batch_max: int
    kv_cache_bytes: int
    properties: Mapping[str, str]
    grace_s: float
    rank_file: Path | None
    socket: Path | None = (
        None  # where the gateway asks; then host and port tell no more than health
    )


def run_engine(config: EngineConfig) -> int:
    """Serves until SIGTERM or SIGINT; the exit code. Errors: LoadError, OSError."""
    sys.setswitchinterval(SWITCH_S)
    with contextlib.suppress(TooFewFiles):
        raise_file_limit()
    return asyncio.run(_serve(config))


async def _serve(config: EngineConfig) -> int:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def end() -> None:
        if not ended.done():
            ended.set_result(None)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    clock = RealClock()
    ledger = ServingLedger(config.rank_file, clock)
    server = EngineServer(config.name, config.model)

    def loaded(error: LoadError | None) -> None:
        loop.call_soon_threadsafe(_on_loaded, server, ended, error)

    def deliver(pieces: list[Piece], done: Callable[[], None]) -> None:
        loop.call_soon_threadsafe(server.deliver, pieces, done)

    settings = Settings(
        config.batch_max,
        len(os.sched_getaffinity(0)),
        config.kv_cache_bytes,
        config.properties,
    )
    worker = Worker(config.backend, config.model, settings, ledger, deliver, loaded)
    server.worker = worker
    try:
        await _open_doors(config, server, server.doors)
        worker.start()
        await ended
        server.draining = True
        await _drain(server, config.grace_s)
        worker.close()
    finally:
        for door in server.doors:
            await door.close()
    return 0


async def _open_doors(config: EngineConfig, server: EngineServer, doors: list[Door]) -> None:
    """Listens; appends what must be closed. Errors: OSError that names the address."""
    if config.socket is None:
        await _open(doors, Door(), server.app(), listen(config.host, config.port))
        return
    folder = SocketFolder(config.socket.parent)
    await _open(doors, Door(), server.app(), folder.listen(config.socket.name, BACKLOG))
    try:
        listener = listen(config.host, config.port)
    except OSError as error:  # its prompts do not come this way
        print(f"{error}; metrics are not to be had there", file=sys.stderr, flush=True)
        return
    await _open(doors, Door(STRANGERS_MAX), server.open_app(), listener)


async def _open(
    doors: list[Door], door: Door, app: web.Application, listener: socket.socket
) -> None:
    doors.append(door)
    door.guard(app)
    await door.open(app, listener)


def _on_loaded(server: EngineServer, ended: asyncio.Future[None], error: LoadError | None) -> None:
    if error is None:
        server.loaded = True
        print("ready", file=sys.stderr, flush=True)
    elif not ended.done():
        ended.set_exception(error)


async def _drain(server: EngineServer, grace_s: float) -> None:
    """Lets requests finish for `grace_s`, then cancels those that have not."""
    try:
        async with asyncio.timeout(grace_s):
            await server.wait_until_quiet()
    except TimeoutError:
        server.cancel_all()
        await server.wait_until_quiet()
