"""Metrics and health of a component on another cluster: HTTPS, as kube-scheduler's port."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mizzen.base.clock import Clock
from mizzen.base.errors import BadRequest
from mizzen.host import pki

OFF = "0"
_PORT = re.compile(r"[0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class SecurePort:
    """`host` "" is every address of the machine. Without files a certificate is made, which
    nobody vouches for and which is kept in memory alone."""

    host: str
    port: int
    cert_file: Path | None = None
    key_file: Path | None = None

    def listen(self) -> socket.socket:
        """Errors: OSError."""
        with contextlib.suppress(OSError):  # a kernel without IPv6
            if not self.host:
                return socket.create_server(
                    ("::", self.port), family=socket.AF_INET6, dualstack_ipv6=True
                )
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        return socket.create_server((self.host or "0.0.0.0", self.port), family=family)

    def context(self, name: str, clock: Clock) -> ssl.SSLContext:
        """Errors: OSError, ssl.SSLError for files that are no certificate and its key."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        if self.cert_file is not None:
            context.load_cert_chain(self.cert_file, self.key_file)
            return context
        now = datetime.fromtimestamp(clock.now_ns() / 1e9, UTC)
        handle = os.memfd_create("certificate")  # the library reads files only
        try:
            os.write(handle, pki.self_signed(name, now))
            context.load_cert_chain(f"/proc/self/fd/{handle}")
        finally:
            os.close(handle)
        return context


def parse(address: str, cert_file: str, key_file: str) -> SecurePort | None:
    """Of `ADDRESS:PORT`, `:PORT` or `0`, which is none. Errors: BadRequest."""
    if bool(cert_file) != bool(key_file):
        raise BadRequest(
            "--tls-cert-file and --tls-private-key-file are given together, or neither"
        )
    if address == OFF:
        return None
    host, colon, port = address.rpartition(":")
    if not (colon and _PORT.fullmatch(port) and 0 < int(port) < 65536):
        raise BadRequest(
            f"--metrics-bind-address {address!r} is no ADDRESS:PORT: say :8443, 127.0.0.1:8443, or "
            f"{OFF} for none"
        )
    files = (Path(cert_file), Path(key_file)) if cert_file else (None, None)
    return SecurePort(host.removeprefix("[").removesuffix("]"), int(port), *files)
