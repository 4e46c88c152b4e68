"""The port of metrics and health: where it listens, with which certificate."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from mizzen.base.errors import BadRequest
from mizzen.compose.secure_port import SecurePort, parse
from mizzen.host import pki
from mizzen.host.clock import RealClock
from mizzen.host.home import Home
from mizzen.host.monitor import Monitor
from support.ports import free_port


@pytest.mark.parametrize(
    ("address", "port"),
    [
        ("0", None),
        (":8443", SecurePort("", 8443)),
        ("127.0.0.1:8443", SecurePort("127.0.0.1", 8443)),
        ("[::1]:8443", SecurePort("::1", 8443)),
    ],
)
def test_addresses_are_read(address: str, port: SecurePort | None) -> None:
    assert parse(address, "", "") == port


@pytest.mark.parametrize("address", ["8443", "", ":", ":0", ":65536", "host:https", ":-1"])
def test_what_is_no_address_is_said(address: str) -> None:
    with pytest.raises(BadRequest, match="ADDRESS:PORT") as caught:
        parse(address, "", "")
    assert repr(address) in str(caught.value)


def test_a_certificate_without_its_key_is_said() -> None:
    with pytest.raises(BadRequest, match="given together"):
        parse(":8443", "cert.pem", "")


async def _ask(port: int, context: ssl.SSLContext, host: str = "127.0.0.1") -> bytes:
    reader, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        writer.write(b"GET /livez HTTP/1.1\r\n\r\n")
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()


async def test_without_files_a_certificate_is_made_that_leaves_no_trace(tmp_path: Path) -> None:
    monitor, port = Monitor(), SecurePort("", free_port())
    await monitor.open(port.listen(), port.context("mizzen-scheduler", RealClock()))
    try:
        unchecked = ssl.create_default_context()
        unchecked.check_hostname = False
        unchecked.verify_mode = ssl.CERT_NONE
        assert (await _ask(port.port, unchecked)).endswith(b"ok\r\n0\r\n\r\n")
        with pytest.raises(ssl.SSLCertVerificationError):
            await _ask(port.port, ssl.create_default_context())
    finally:
        await monitor.close()


async def test_a_certificate_that_is_given_is_shown(tmp_path: Path) -> None:
    home = Home.locate(str(tmp_path), {})
    home.make()
    files = pki.ensure(home, RealClock(), listen="127.0.0.1", port=1)
    address = f"127.0.0.1:{free_port()}"
    port = parse(address, str(files.cert_file), str(files.key_file))
    assert port is not None
    monitor = Monitor()
    await monitor.open(port.listen(), port.context("unused", RealClock()))
    try:
        trusting = ssl.create_default_context(cafile=files.ca_file)
        assert (await _ask(port.port, trusting)).endswith(b"ok\r\n0\r\n\r\n")
    finally:
        await monitor.close()
