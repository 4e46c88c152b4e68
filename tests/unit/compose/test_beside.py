"""A component on an API server that is not its own instance's: what its port tells of it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path

from mizzen.base.errors import AlreadyExists
from mizzen.base.names import SYSTEM_NAMESPACE
from mizzen.base.resources import LEASES, NAMESPACES
from mizzen.client.leases import Elector, LeaseConfig
from mizzen.compose.beside import Cluster, main
from mizzen.compose.secure_port import SecurePort
from mizzen.compose.shell import OnReady
from mizzen.host.clock import RealClock
from support.api_in_process import api_server
from support.ports import free_port
from support.waiting import until


async def _status(port: int, path: str, head: str = "") -> int:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    except ConnectionError:
        return 0
    try:
        writer.write(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
        async with asyncio.timeout(10):
            return int((await reader.read()).split(b" ", 2)[1])
    finally:
        writer.close()


async def test_a_copy_is_ready_while_it_waits_and_once_it_leads(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path / "config" / "kubeconfig", lease_s=2.0)
    port = SecurePort("127.0.0.1", free_port())
    async with api_server(tmp_path) as admin:
        with contextlib.suppress(AlreadyExists):
            await admin.create(NAMESPACES, {"metadata": {"name": SYSTEM_NAMESPACE}})
        config = LeaseConfig("mizzen-controllers", "another", SYSTEM_NAMESPACE)
        assert await Elector(admin, RealClock(), config).try_acquire(), "another leads"
        is_ready = asyncio.Event()
        task = asyncio.create_task(
            main("controllers", cluster, _Ready(is_ready), port), name="controllers"
        )
        try:
            async with asyncio.timeout(20):
                while await _status(port.port, "/livez") != 200:
                    assert not task.done(), task.result()
                    await asyncio.sleep(0.02)
            assert await _status(port.port, "/readyz") == 200
            assert await _status(port.port, "/metrics") == 401
            authorization = "Authorization: Bearer x\r\n"  # the API server knows no such token
            assert await _status(port.port, "/metrics", authorization) == 401
            assert not is_ready.is_set()
            lease = {"spec": {"holderIdentity": ""}}
            await admin.patch(LEASES, "mizzen-controllers", lease, SYSTEM_NAMESPACE)
            await until(is_ready.is_set, "it leads and knows all there is")
            assert await _status(port.port, "/readyz") == 200
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


class _Ready(OnReady):
    def __init__(self, event: asyncio.Event) -> None:
        super().__init__(None)
        self._event = event

    def __call__(self) -> None:
        self._event.set()
