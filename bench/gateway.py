"""What the gateway adds to a request: through it, against the same engine asked directly.

    python bench/gateway.py [--requests 300] [--concurrency 8]

Real API server and gateway processes; the engine is a fake of its shape in a process of its own,
which answers at once, so that nothing hides what lies between. With a real engine, whose answers
take tens of milliseconds at least, the ratios go towards 1.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import aiohttp
from measuring import Figure, cpu_us, main

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from mizzen.base.engines.openvino_genai import PROFILE
from mizzen.base.names import ENDPOINT
from mizzen.base.objects import owner_reference, uid_of
from mizzen.base.resources import MODEL_ENDPOINTS, PODS
from mizzen.base.serving import socket_name
from mizzen.client.client import Client
from mizzen.compose import settings
from mizzen.host.pki import load_api_keys
from support.api_process import ApiServer, running
from support.fake_engine import FakeEngine

ADDRESS = "127.89.0.1"  # the pod's, in the loopback network that instances do not use
WARM_UP = 30
TOKENS = 64  # of a streamed answer


def serve_fake(socket: Path) -> None:
    """The engine's process: runs until it is terminated."""

    async def serve() -> None:
        async with FakeEngine("fake", host=ADDRESS, port=PROFILE.port, socket=socket):
            await asyncio.Event().wait()

    asyncio.run(serve())


@contextmanager
def processes(home: Path) -> Iterator[tuple[ApiServer, subprocess.Popen[bytes]]]:
    """API server, gateway and engine."""
    socket = home / "engine.sock"
    engine = multiprocessing.get_context("spawn").Process(
        target=serve_fake, args=(socket,), daemon=True
    )
    engine.start()
    with running(home) as server:
        command = [sys.executable, "-m", "mizzen.compose", "gateway", "--home", str(home)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as gateway:
            assert gateway.stdout is not None
            assert gateway.stdout.readline() == b"ready\n", "the gateway did not start"
            try:
                yield server, gateway
            finally:
                gateway.terminate()
                engine.terminate()
                engine.join()


async def announce(server: ApiServer) -> None:
    """One ModelEndpoint, and the engine as its ready replica."""
    async with Client.from_kubeconfig(server.home.kubeconfig, user_agent="bench") as client:
        spec = {"model": {"path": "/model.gguf"}, "engine": {"maxBatchSize": 64}}
        made = await client.create(MODEL_ENDPOINTS, {"metadata": {"name": "tiny"}, "spec": spec})
        containers = [{"name": "engine", "image": "mizzen.dev/engine"}]
        body = {
            "metadata": {
                "name": "tiny-0",
                "labels": {ENDPOINT: "tiny"},
                "ownerReferences": [owner_reference(made)],
            },
            "spec": {"containers": containers},
        }
        pod = await client.create(PODS, body)
        server.home.serving.mkdir(mode=0o700, exist_ok=True)
        (server.home.serving / socket_name(uid_of(pod))).symlink_to(
            server.home.root / "engine.sock"
        )
        ready = [{"type": "Ready", "status": "True"}]
        status = {"phase": "Running", "podIP": ADDRESS, "conditions": ready}
        await client.patch(PODS, "tiny-0", {"status": status}, "default", subresource="status")


class Asker:
    """Sends the same requests to one base URL."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url + "/v1/completions"

    async def ask(self, tokens: int = 1, *, stream: bool = False) -> tuple[float, float]:
        """Seconds to the first byte, and to the end."""
        body = {"model": "tiny", "prompt": "Hello", "max_tokens": tokens, "stream": stream}
        began = time.perf_counter()
        async with self._session.post(self._url, json=body) as response:
            await response.content.readany()
            first = time.perf_counter() - began
            await response.read()
            assert response.status == 200, response.status
            return first, time.perf_counter() - began

    async def medians(self, count: int, tokens: int, *, stream: bool) -> tuple[float, float]:
        asked = [await self.ask(tokens, stream=stream) for _ in range(count)]
        return median(first for first, _ in asked), median(whole for _, whole in asked)

    async def rate(self, count: int, concurrency: int) -> float:
        """Requests per second with so many in flight."""

        async def some() -> None:
            for _ in range(count // concurrency):
                await self.ask()

        began = time.perf_counter()
        await asyncio.gather(*(some() for _ in range(concurrency)))
        return count // concurrency * concurrency / (time.perf_counter() - began)


async def compare(
    server: ApiServer, gateway: subprocess.Popen[bytes], count: int, concurrency: int
) -> list[Figure]:
    await announce(server)
    port = settings.load(server.home).gateway_port
    headers = {"Authorization": f"Bearer {load_api_keys(server.home)[0]}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        direct = Asker(session, f"http://{ADDRESS}:{PROFILE.port}")
        through = Asker(session, f"http://127.0.0.1:{port}")
        for asker in (direct, through):
            for _ in range(WARM_UP):
                await asker.ask()
        used = cpu_us(gateway.pid)
        _, whole_through = await through.medians(count, 1, stream=False)
        used = cpu_us(gateway.pid) - used
        _, whole_direct = await direct.medians(count, 1, stream=False)
        streams = max(1, count // 10)
        first_direct, stream_direct = await direct.medians(streams, TOKENS, stream=True)
        first_through, stream_through = await through.medians(streams, TOKENS, stream=True)
        rate_direct = await direct.rate(count, concurrency)
        rate_through = await through.rate(count, concurrency)
    return [
        Figure("answer, direct, median", 1e3 * whole_direct, "ms"),
        Figure("answer, through, median", 1e3 * whole_through, "ms"),
        Figure("answer, through / direct", whole_through / whole_direct, "x"),
        Figure("answer, gateway's CPU", used / count, "us"),
        Figure("stream, first byte, direct, median", 1e3 * first_direct, "ms"),
        Figure("stream, first byte, through, median", 1e3 * first_through, "ms"),
        Figure(f"stream of {TOKENS} tokens, through / direct", stream_through / stream_direct, "x"),
        Figure(f"rate at {concurrency} in flight, direct", rate_direct, "1/s"),
        Figure(f"rate at {concurrency} in flight, through", rate_through, "1/s"),
    ]


def measure(arguments: argparse.Namespace) -> list[Figure]:
    with (
        tempfile.TemporaryDirectory(prefix="mizzen-bench-") as home,
        processes(Path(home)) as (server, gateway),
    ):
        return asyncio.run(compare(server, gateway, arguments.requests, arguments.concurrency))


if __name__ == "__main__":
    options = (
        ("requests", 300, "requests of each sort"),
        ("concurrency", 8, "requests in flight at once"),
    )
    raise SystemExit(main(__doc__ or "", measure, options))
