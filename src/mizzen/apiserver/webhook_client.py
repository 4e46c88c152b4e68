"""Asks webhooks by HTTPS, at a URL or behind a Service, over connections that are kept.

Source: k8s.io/apiserver/pkg/util/webhook/client.go, v0.36.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import ssl
from collections import OrderedDict
from typing import NamedTuple
from urllib.parse import urlsplit

import orjson

from mizzen.apiserver.core.admission_review import (
    API_VERSION,
    CallFailed,
    Verdict,
    read_verdict,
)
from mizzen.apiserver.service_lookup import backends_of
from mizzen.base.objects import Obj
from mizzen.base.reading import number, part, text
from mizzen.base.resources import SERVICES
from mizzen.host.http1 import BrokenAnswerError, HttpConnection
from mizzen.store.store import ObjectKey, Store

TIMEOUT_S = 10  # where the webhook does not say one
ANSWER_BYTES_MAX = 8 << 20
IDLE_MAX = 64  # connections that are kept
_CONTEXTS_MAX = 64


class _Site(NamedTuple):
    """Where a webhook listens: `host` is what it must certify, `address` whom to dial."""

    host: str
    port: int
    address: str
    dial_port: int
    path: str
    ca: bytes

    @property
    def authority(self) -> str:
        """As URLs have it: a port that was not said is not there."""
        return f"{self.host}:{self.port}"


class WebhookClient:
    """Keeps connections and TLS contexts between calls."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._idle: OrderedDict[HttpConnection, _Site] = OrderedDict()  # the latest last
        self._contexts: OrderedDict[bytes, ssl.SSLContext] = OrderedDict()

    async def ask(self, webhook: Obj, request: Obj, uid: str, *, is_mutating: bool) -> Verdict:
        """Errors: CallFailed."""
        body = {"kind": "AdmissionReview", "apiVersion": API_VERSION, "request": request}
        timeout_s = number(webhook, "timeoutSeconds") or TIMEOUT_S
        try:
            answer = await self.post(part(webhook, "clientConfig"), orjson.dumps(body), timeout_s)
        except CallFailed as error:
            raise CallFailed(f"failed to call webhook: {error}") from error
        return read_verdict(answer, uid, is_mutating=is_mutating)

    async def post(self, config: Obj, data: bytes, timeout_s: int) -> bytes:
        """The answer of who listens where a `clientConfig` says. Errors: CallFailed."""
        site = self._site(config)
        url = f"https://{site.authority}{site.path}?timeout={timeout_s}s"
        head = (
            f"POST {site.path}?timeout={timeout_s}s HTTP/1.1\r\nHost: {site.authority}\r\n"
            f"Content-Type: application/json\r\nAccept: application/json\r\n"
            f"Content-Length: {len(data)}\r\n\r\n"
        )
        try:
            async with asyncio.timeout(timeout_s):
                return await self._post(site, head.encode() + data, timeout_s)
        except TimeoutError as error:
            raise CallFailed(f'Post "{url}": context deadline exceeded') from error
        except (BrokenAnswerError, OSError) as error:
            raise CallFailed(f'Post "{url}": {error}') from error

    def close(self) -> None:
        """Closes the connections that nobody uses."""
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    async def _post(self, site: _Site, request: bytes, timeout_s: float) -> bytes:
        connection = self._kept(site)
        if connection is not None:
            try:
                return await self._exchange(connection, site, request, timeout_s)
            except BrokenAnswerError:
                if connection.has_answered:
                    raise
                # It was closed while nobody used it: webhooks may be asked again.
        host = site.address or site.host
        _, connection = await asyncio.get_running_loop().create_connection(
            HttpConnection, host, site.dial_port, ssl=self._context(site.ca),
            server_hostname=site.host,
        )  # fmt: skip
        return await self._exchange(connection, site, request, timeout_s)

    async def _exchange(
        self, connection: HttpConnection, site: _Site, request: bytes, timeout_s: float
    ) -> bytes:
        is_done = False
        try:
            head = await connection.begin(request, timeout_s)
            body = await connection.rest(timeout_s, ANSWER_BYTES_MAX)
            is_done = True
        finally:
            if is_done and connection.is_reusable:
                self._keep(connection, site)
            else:
                connection.close()
        if not 200 <= head.status < 300:
            said = body[:500].decode(errors="replace")
            raise CallFailed(
                f'an error on the server ("{said}") has prevented the request from succeeding'
            )
        return body

    def _kept(self, site: _Site) -> HttpConnection | None:
        for connection, known in reversed(self._idle.items()):
            if known[:4] == site[:4] and known.ca == site.ca:
                del self._idle[connection]
                return connection if connection.is_open else None
        return None

    def _keep(self, connection: HttpConnection, site: _Site) -> None:
        self._idle[connection] = site
        if len(self._idle) > IDLE_MAX:
            oldest, _ = self._idle.popitem(last=False)
            oldest.close()

    def _context(self, ca: bytes) -> ssl.SSLContext:
        context = self._contexts.pop(ca, None)
        if context is None:
            try:
                context = ssl.create_default_context(cadata=ca.decode() if ca else None)
            except (ssl.SSLError, ValueError) as error:
                raise CallFailed(f"unable to load root certificates: {error}") from error
        self._contexts[ca] = context
        if len(self._contexts) > _CONTEXTS_MAX:
            self._contexts.popitem(last=False)
        return context

    def _site(self, config: Obj) -> _Site:
        """Errors: CallFailed."""
        try:
            ca = base64.b64decode(text(config, "caBundle"), validate=True)
        except (binascii.Error, ValueError) as error:
            raise CallFailed("unable to load root certificates: caBundle is no base64") from error
        service = part(config, "service")
        if not service:
            url = urlsplit(text(config, "url"))
            port = url.port or 443
            return _Site(url.hostname or "", port, "", port, url.path or "/", ca)
        namespace, name = text(service, "namespace"), text(service, "name")
        port = number(service, "port") or 443
        host, dial_port = self._resolve(namespace, name, port)
        path = f"/{text(service, 'path').lstrip('/')}"
        return _Site(f"{name}.{namespace}.svc", port, host, dial_port, path, ca)

    def _resolve(self, namespace: str, name: str, port: int) -> tuple[str, int]:
        found = self._store.get(ObjectKey(SERVICES.plural, namespace, name))
        if found is None:
            raise CallFailed(f'service "{name}" not found')
        try:
            addresses = backends_of(self._store, found, port)
        except LookupError as error:
            raise CallFailed(str(error.args[0])) from error
        if not addresses:
            raise CallFailed(f'no endpoints available for service "{name}"')
        return addresses[0]
